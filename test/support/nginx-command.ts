/** The nginx of this machine, to ask what it makes of a configuration. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

/** What `nginx -T` said of one configuration. */
export interface Verdict {
  readonly isAccepted: boolean;
  /** The first error, without time and process, the folder written as `@`; "" where there is none. */
  readonly error: string;
  /** The files that it read, in its order; empty unless it accepts them. */
  readonly files: readonly string[];
}

/** One configuration: its files by their paths below a folder, `@` in them standing for that folder. */
export type Configuration = Readonly<Record<string, string>>;

const BINARIES = ["/usr/sbin/nginx", "/usr/local/sbin/nginx", "/usr/bin/nginx"];
const binary = BINARIES.find((path) => existsSync(path));
/** Configurations of one run: nginx is started for each, a shell only once. */
const BATCH = 250;

/** A network namespace of its own keeps a configuration that listens off this machine's ports. */
const SCRIPT = `for folder in "$1"/*/; do
  "$2" -T -e stderr -p "$folder" -c "\${folder}nginx.conf" -g "pid \${folder}pid;" >"\${folder}.out" 2>"\${folder}.err"
  echo $? >"\${folder}.status"
done`;

/** Why nginx cannot be asked here; undefined when it can. */
export function whyNotNginx(): string | undefined {
  if (process.getuid?.() !== 0) return "only root may give nginx a network namespace of its own";
  return binary ? undefined : `no nginx at ${BINARIES.join(", ")}`;
}

/** nginx's version, such as "nginx/1.22.1". */
export function version(): string {
  return execFileSync("sh", ["-c", '"$0" -v 2>&1', binary!], { encoding: "utf8" }).trim().replace(/^.*: /, "");
}

/** Asks nginx about each configuration. */
export function verdicts(configurations: readonly Configuration[]): Verdict[] {
  const found: Verdict[] = [];
  for (let at = 0; at < configurations.length; at += BATCH) found.push(...batch(configurations.slice(at, at + BATCH)));
  return found;
}

function batch(configurations: readonly Configuration[]): Verdict[] {
  const folder = mkdtempSync(join(tmpdir(), "nginx-"));
  try {
    const places = configurations.map((_, at) => join(folder, String(at).padStart(4, "0")));
    for (const [at, place] of places.entries()) write(place, configurations[at]!);
    execFileSync("unshare", ["--net", "sh", "-c", SCRIPT, "sh", folder, binary!]);
    return places.map(verdict);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function write(folder: string, files: Configuration): void {
  mkdirSync(folder);
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text.replaceAll("@", folder), "latin1");
  }
}

function verdict(folder: string): Verdict {
  const isAccepted = readFileSync(join(folder, ".status"), "latin1").trim() === "0";
  const said = readFileSync(join(folder, ".err"), "latin1");
  const error = /\[(?:emerg|crit)\] \d+#\d+: (.*?)\n(?:nginx: configuration|\d{4}\/)/s.exec(said)?.[1] ?? "";
  const output = isAccepted ? readFileSync(join(folder, ".out"), "latin1") : "";
  const files = [...output.matchAll(/^# configuration file (.*):$/gm)].map((match) => match[1]!);
  return {
    isAccepted,
    error: error.replaceAll(`${folder}/`, "@/"),
    files: files.map((file) => file.replace(`${folder}/`, "")),
  };
}
