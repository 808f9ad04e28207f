/** Asks `ssh -G` what the ssh configuration says for a host, once for each host, port and user. */
import { statSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { type Home, systemFolder } from "./home";
import { LocalProgramError } from "./local-program";
import { runnerOfMany } from "./many-runs";
import { quotable, SshError } from "./ssh-error";

/** For whom the configuration is read, as on ssh's command line. */
export interface Asked {
  readonly host: string;
  readonly port?: number | undefined;
  readonly user?: string | undefined;
  /** The user where neither `user` nor the configuration names one. Default: whoever runs this process, as for ssh. */
  readonly userElse?: string | undefined;
}

/** Keywords in lower case, with the values that `ssh -G` prints. */
export type Effective = ReadonlyMap<string, readonly string[]>;

const NO_SSH =
  "there is no usable ssh on this machine, so no ssh configuration is read: connections use their arguments and ssh's defaults";

/** A stack may have hundreds of servers, and to start a program is slow for a process as large as this one. */
const runSsh = runnerOfMany("ssh");
const answers = new Map<string, Promise<Effective | undefined>>();
let say = (line: string): void => console.error(line);
let saidNoSsh = false;

/** How the user is told what concerns all connections. */
export function sayBy(listener: (line: string) => void): void {
  say = listener;
}

/**
 * What ssh itself would use for this host. An answer is kept as long as the two configuration files stay the same.
 * Undefined without ssh, which is said once. Throws an {@link SshError} of kind `config` with ssh's own words.
 */
export function effectiveConfiguration(asked: Asked, home: Home): Promise<Effective | undefined> {
  const { host, port, user, userElse } = asked;
  const key = JSON.stringify([host, port, user, userElse, home, ...configFiles(home).map(stamp)]);
  const known = answers.get(key);
  if (known !== undefined) return known;
  const answer = ask(asked, home).catch(withoutSsh);
  answers.set(key, answer);
  answer.catch(() => answers.delete(key));
  return answer;
}

/** The name of whoever runs this process; empty when the system does not know. */
export function localUserName(): string {
  try {
    return userInfo().username;
  } catch {
    return process.env.USER ?? "";
  }
}

function withoutSsh(error: unknown): undefined {
  if (!(error instanceof LocalProgramError) || error.kind !== "missing") throw error;
  if (!saidNoSsh) say(`pulumi-wapt: ${NO_SSH}`);
  saidNoSsh = true;
  return undefined;
}

async function ask(asked: Asked, home: Home): Promise<Effective> {
  const { user, userElse } = asked;
  const effective =
    home.folder === home.passwd ? await sshG(asked) : await withFile(home, undefined, (file) => sshG(asked, file));
  const printed = bareName(effective.get("user")?.[0] ?? "");
  const isNamed = user !== undefined || printed !== bareName(localUserName());
  if (isNamed || userElse === undefined || userElse === printed) return effective;
  // ssh prints the local user also where nobody names one; a last User tells these two apart.
  return withFile(home, userElse, (file) => sshG(asked, file));
}

/** Without a Windows domain. */
function bareName(user: string): string {
  return user.slice(user.lastIndexOf("\\") + 1);
}

async function sshG({ host, port, user }: Asked, file?: string): Promise<Effective> {
  const words = [
    "-G",
    ...(file === undefined ? [] : ["-F", file]),
    ...(port === undefined ? [] : ["-p", String(port)]),
    ...(user === undefined ? [] : ["-l", user]),
    "--",
    host,
  ];
  const { code, stdout, stderr } = await runSsh(words).catch((error) => explain(host, error));
  const effective = parsed(stdout);
  if (code === 0 && ["hostname", "port", "user"].every((keyword) => effective.has(keyword))) return effective;
  // So ssh can't be used by this user at all, whatever the configuration says.
  if (/^No user exists for uid/m.test(stderr)) throw new LocalProgramError("missing");
  throw new SshError("config", `ssh -G ${host}: ${quotable(stderr, []) || `exit status ${code}, and no reason`}`);
}

function explain(host: string, error: unknown): never {
  if (error instanceof LocalProgramError && error.kind === "missing") throw error;
  const hint = "look in the ssh configuration for a Match exec, or a name to be canonicalized, that hangs";
  const why = error instanceof LocalProgramError ? `${error.message}: ${hint}` : (error as Error).message;
  throw new SshError("config", `ssh -G ${host}: ${why}`);
}

function parsed(text: string): Effective {
  const found = new Map<string, string[]>();
  for (const line of text.split(/\r?\n/)) {
    const [, keyword = "", value = ""] = /^(\S+) (.*)$/.exec(line) ?? [];
    if (keyword !== "") found.set(keyword.toLowerCase(), [...(found.get(keyword.toLowerCase()) ?? []), value]);
  }
  return found;
}

/** Gives a configuration file that stands for the user's and the machine's, followed by a `User` for who has none. */
async function withFile<T>(home: Home, userElse: string | undefined, use: (file: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "pulumi-wapt-"));
  try {
    const file = join(folder, "ssh_config");
    const last = userElse === undefined ? [] : ["Host *", `User ${userElse}`];
    const lines = [...configFiles(home).map((name) => `Include "${literally(name)}"`), ...last];
    await writeFile(file, lines.map((line) => `${line}\n`).join(""), { mode: 0o600 });
    return await use(file);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function configFiles(home: Home): string[] {
  return [join(home.folder, ".ssh", "config"), join(systemFolder, "ssh_config")];
}

/** A path as Include takes it, whose wildcards stand for themselves. */
function literally(path: string): string {
  return (process.platform === "win32" ? path.replaceAll("\\", "/") : path).replace(/[*?[]/g, "\\$&");
}

/** Tells one version of a file from another. */
function stamp(file: string): string {
  try {
    const { ino, size, mtimeNs } = statSync(file, { bigint: true });
    return `${ino} ${size} ${mtimeNs}`;
  } catch {
    return "";
  }
}
