/**
 * Starts a lab server for trying things by hand, and keeps it until Ctrl-C:
 *
 *   npx tsx test/lab/start.ts paris
 *   npx tsx test/lab/start.ts lyon --suite trixie --kernel own
 */
import { parseArgs } from "node:util";
import { type LabOptions, startServer } from "./server";

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { suite: { type: "string" }, kernel: { type: "string" } },
  });
  const [name = "paris"] = positionals;
  console.log(`starting ${name} (the first server on a machine takes a minute more)`);
  const server = await startServer(name, values as LabOptions);
  const ssh = `ssh -i ${server.privateKeyFile} -o UserKnownHostsFile=${server.knownHosts}`;
  console.log(
    `${name} is up at ${server.host}. Log in as root, admin (sudo) or oncall (sudo with the password "oncall"):`,
  );
  console.log(`  ${ssh} root@${server.host}`);
  console.log(`  curl http://${server.host}/status    curl 'http://${server.host}/pool?hold=1'`);
  console.log(`Its files: ${server.root}`);
  console.log("Ctrl-C ends it.");
  // Nothing else keeps this process alive; the interrupt is handled where the server was started.
  setInterval(() => {}, 60_000);
}

main().catch((error: Error) => {
  console.error(error.message);
  process.exit(1);
});
