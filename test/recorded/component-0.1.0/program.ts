import * as pulumi from "@pulumi/pulumi";
import { type ConnectionArgs, WaptServer } from "pulumi-wapt";

const connection = new pulumi.Config().requireObject<ConnectionArgs>("connection");
const server = new WaptServer("paris", {
  connection,
  clients: 2500,
  uploads: { path: "/srv/wapt-uploads" },
  workerRlimitNofile: 20000,
  limitNofile: 20000,
  nofile: 20000,
});
export const settings = server.settings;
export const before = server.before;
