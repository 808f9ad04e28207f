/** The smallest program: one server, one number. `pulumi config set host wapt.example`, `pulumi config set clients 3000`. */
import * as pulumi from "@pulumi/pulumi";
import { WaptServer } from "pulumi-wapt";

const config = new pulumi.Config();

new WaptServer("wapt", { connection: { host: config.require("host") }, clients: config.requireNumber("clients") });
