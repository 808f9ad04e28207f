/**
 * The whole job once, with the real CLI: preview, up, nothing left to do, a drift, its repair, destroy.
 *
 *   npm run demo              over a copy of an untuned server's files; needs Node.js alone
 *   npm run demo -- --real    on a real Debian server, services and all; Linux, as root
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pulumiCli } from "./pulumi-cli";
import { copiedServer, type DemoServer, realServer, realServerNeeds } from "./server";
import { type Run, Stack } from "./stack";

const CLIENTS = 2500;

function heading(text: string): void {
  console.log(`\n\x1b[1m── ${text}\x1b[0m\n`);
}

function show({ code, output }: Run, expected = 0): void {
  console.log(output.trimEnd());
  if (code !== expected) throw new Error(`pulumi ended with status ${code}`);
}

/** The values of a preview's one resource, a line each. */
function presentAndWanted(json: string): string[] {
  const { steps } = JSON.parse(json) as { steps: { newState?: { inputs?: Record<string, unknown> } }[] };
  const inputs =
    steps.map(({ newState }) => newState?.inputs ?? {}).find(({ settings }) => settings !== undefined) ?? {};
  const [before, settings] = [inputs.before, inputs.settings].map((bag) => Object.entries(bag ?? {}));
  const present = new Map(before);
  const wide = Math.max(...settings!.map(([name]) => name.length));
  const restarts = Array.isArray(inputs.restarts) ? [`restarts ${inputs.restarts.join(" and ")}`] : [];
  const lines = settings!.map(([name, wanted]) => `${name.padEnd(wide)}  ${present.get(name)} → ${wanted}`);
  return [...lines, ...restarts];
}

async function run(server: DemoServer, stack: Stack): Promise<void> {
  const untouched = await server.files();
  const inForce = async () => console.log(`\nOn the server: ${(await server.inForce()).join(" · ")}`);
  await inForce();
  heading(`pulumi preview: what stands there now → what ${CLIENTS} clients need`);
  const preview = await stack.pulumi("preview", "--json");
  if (preview.code !== 0) return show(preview);
  for (const line of presentAndWanted(preview.stdout)) console.log(line);
  heading("pulumi up");
  show(await stack.pulumi("up", "--yes", "--skip-preview"));
  await inForce();
  heading("pulumi preview --expect-no-changes: a second run has nothing to do");
  show(await stack.pulumi("preview", "--expect-no-changes"));
  heading(`A drift: ${await server.drift()}`);
  show(await stack.pulumi("preview", "--diff"));
  heading("pulumi up: the repair");
  show(await stack.pulumi("up", "--yes", "--skip-preview"));
  await inForce();
  heading("pulumi destroy: all as before");
  show(await stack.pulumi("destroy", "--yes", "--skip-preview"));
  await inForce();
  const same = (await server.files()) === untouched;
  console.log(same ? "\nEvery file is as it was, to the byte." : "\nSome files differ from what they were.");
  if (!same) process.exitCode = 1;
}

async function main(): Promise<void> {
  const isReal = process.argv.includes("--real");
  if (isReal) for (const line of await realServerNeeds()) console.log(line);
  const cli = await pulumiCli((line) => console.log(line));
  const folder = mkdtempSync(join(tmpdir(), "wapt-demo-"));
  const server = await (isReal ? realServer() : copiedServer());
  try {
    console.log(`Started ${server.what}.`);
    // What the CLI and the programs that it starts write beside the stack goes with the folder.
    const env = { ...server.env, PULUMI_HOME: join(folder, "home"), TMPDIR: folder };
    const config = {
      "wapt-site:servers": [{ ...server.config, clients: CLIENTS }],
      "wapt-site:uploads": "/srv/wapt-uploads",
      "wapt-site:minFree": "1GiB",
    };
    const project = join(__dirname, "../..");
    const stack = new Stack({ cli, project, name: "paris", folder, config, env });
    await stack.init();
    await run(server, stack);
  } finally {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

main().catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});
