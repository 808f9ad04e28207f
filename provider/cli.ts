#!/usr/bin/env node
/** The entrance of the command `pulumi-wapt`. */
import "./node-version";
import { run } from "./command";
import { messageOf } from "./problem";
import { closeAll } from "./ssh/session";

run(process.argv.slice(2))
  .then((status) => {
    process.exitCode = status;
  })
  .catch((error: unknown) => {
    console.error(messageOf(error));
    process.exitCode = 1;
  })
  .finally(closeAll);
