/**
 * `npm run first-day:container [NODE]`: a new Debian that has Node.js, the Pulumi CLI and nothing else (no ssh, no compiler,
 * no git). A user without root installs the repository there, runs the README's demo, then the whole first day on that
 * Node.js. Linux and root; the Debian is kept outside the clone, and no run changes it.
 */
import { spawn, spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, realpathSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pulumiCli } from "../../examples/demo/pulumi-cli";
import { APART, installPrograms, mustRun } from "../lab/host";
import { CACHE, nodeBinary } from "../support/node-versions";

const REPOSITORY = join(__dirname, "../..");
const SUITE = "bookworm";
const BUILD_SECONDS = 900;

/** The tree of a Debian with its required packages, passwd and certificates. */
async function debian(): Promise<string> {
  const root = join(CACHE, `fresh-${SUITE}`);
  if (existsSync(root)) return root;
  const making = `${root}.making`;
  mkdirSync(CACHE, { recursive: true });
  rmSync(making, { recursive: true, force: true });
  const packages = "--include=ca-certificates,passwd";
  await mustRun([...APART, "debootstrap", "--variant=minbase", packages, SUITE, making], {
    timeoutSeconds: BUILD_SECONDS,
  });
  renameSync(making, root);
  return root;
}

/** The folder of the npm on PATH, which is no part of Node.js's own program. */
const npmFolder = async () => dirname(dirname(realpathSync((await mustRun(["sh", "-c", "command -v npm"])).trim())));

/** What the user does. Standard input is the repository as it is in git. */
const day = (major: number) => `set -e
useradd --create-home --shell /bin/bash admin
mkdir /home/admin/pulumi-wapt
tar xf - -C /home/admin/pulumi-wapt
chown -R admin: /home/admin
mkdir /opt/npm-bin
printf '#!/bin/sh\\nexec node /opt/npm/bin/npm-cli.js "$@"\\n' >/opt/npm-bin/npm
printf '#!/bin/sh\\nexec node /opt/npm/bin/npx-cli.js "$@"\\n' >/opt/npm-bin/npx
chmod 755 /opt/npm-bin/*
for program in ssh git gcc python3; do
  if command -v "$program"; then echo "this is no fresh Debian: it has $program" >&2; exit 1; fi
done
cat >/home/admin/day.sh <<'END'
set -ex
cd ~/pulumi-wapt
node --version
npm ci
npm run demo
FIRST_DAY=${major} npm run first-day
END
exec setpriv --reuid=admin --regid=admin --init-groups env HOME=/home/admin sh /home/admin/day.sh`;

async function main(major: number): Promise<number> {
  await installPrograms("shared");
  const [root, cli, npm] = [await debian(), await pulumiCli(console.error), await npmFolder()];
  const certificates = process.env.NODE_EXTRA_CA_CERTS;
  const registry = (await mustRun(["npm", "config", "get", "registry"])).trim();
  const settings = {
    PATH: "/opt/node:/opt/npm-bin:/opt/pulumi:/usr/bin:/bin:/usr/sbin:/sbin",
    LANG: "C.UTF-8",
    PULUMI_SKIP_UPDATE_CHECK: "1",
    npm_config_registry: registry,
    ...(certificates && { NODE_EXTRA_CA_CERTS: "/opt/certificates.crt", npm_config_cafile: "/opt/certificates.crt" }),
  };
  // What a container keeps in memory has less space than uploads must have.
  const temporary = mkdtempSync(join(tmpdir(), "wapt-container-"));
  chmodSync(temporary, 0o1777);
  const nspawn = [
    ...["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--volatile=overlay", "--pipe"],
    ...[
      `--directory=${root}`,
      `--bind-ro=${nodeBinary(major)}:/opt/node`,
      `--bind-ro=${npm}:/opt/npm`,
      `--bind-ro=${cli.bin}:/opt/pulumi`,
    ],
    `--bind=${temporary}:/tmp`,
    ...(certificates ? [`--bind-ro=${certificates}:/opt/certificates.crt`] : []),
    ...Object.entries(settings).map(([name, value]) => `--setenv=${name}=${value}`),
    ...["/bin/sh", "-c", day(major)],
  ];
  const archive = spawnSync("git", ["-C", REPOSITORY, "archive", "HEAD"], { maxBuffer: 2 ** 28 });
  if (archive.status !== 0) throw new Error(`git archive: ${archive.stderr}`);
  const child = spawn(APART[0]!, [...APART.slice(1), ...nspawn], { stdio: ["pipe", "inherit", "inherit"] });
  child.stdin.end(archive.stdout);
  return new Promise<number>((resolve) => child.on("close", (code) => resolve(code ?? 1))).finally(() =>
    rmSync(temporary, { recursive: true, force: true }),
  );
}

main(Number(process.argv[2] ?? process.versions.node.split(".")[0])).then(
  (code) => process.exit(code),
  (error: Error) => {
    console.error(error.message);
    process.exit(1);
  },
);
