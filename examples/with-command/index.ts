/** The tuning, then a command of @pulumi/command on the same server: one connection object serves both packages. */
import { remote } from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { WaptServer } from "pulumi-wapt";

const config = new pulumi.Config();
const connection = {
  host: config.require("host"),
  user: "root",
  privateKey: config.getSecret("privateKey"),
};

const server = new WaptServer("wapt", {
  connection,
  clients: config.requireNumber("clients"),
  uploads: { path: "/srv/wapt-uploads" },
});

// It runs again whenever a setting changes, after the server has it.
const connections = new remote.Command(
  "connections",
  {
    connection,
    create: "ss -s",
    triggers: [server.settings],
  },
  { dependsOn: server },
);

export const summary = connections.stdout;
