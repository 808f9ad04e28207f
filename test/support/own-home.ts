/**
 * A process for which a sandbox's folder is the user's home as the passwd database has it: ssh asks that one, whatever
 * HOME says. It runs in a mount namespace of its own, where other files lie over /etc/passwd and /etc/hosts.
 */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import type { Sandbox } from "./sandbox";

/** Why there can be none; undefined when there can be. Under CI there must be. */
export function whyNoOwnHome(): string | undefined {
  const missing = ["/usr/bin/ssh", "/usr/bin/unshare"].filter((program) => !existsSync(program));
  const needs = process.getuid?.() !== 0 ? "root" : missing.join(", ");
  if (needs !== "" && process.env.CI === "true") throw new Error(`under CI this test needs ${needs}`);
  return needs === "" ? undefined : `needs ${needs}`;
}

/** Evaluates TypeScript there, with the repository as the working folder; returns what it prints. */
export function inOwnHome(sandbox: Sandbox, code: string, hosts: Readonly<Record<string, string>> = {}): string {
  const passwd = readFileSync("/etc/passwd", "utf8").replace(/^(root:.*):[^:]*(:[^:]*)$/m, `$1:${sandbox.home}$2`);
  const names = Object.entries(hosts).map(([name, address]) => `${address} ${name}\n`);
  const over = {
    "/etc/passwd": sandbox.write("passwd", passwd, 0o644),
    "/etc/hosts": sandbox.write("hosts", readFileSync("/etc/hosts", "utf8") + names.join(""), 0o644),
  };
  const mounts = Object.entries(over).map(([path, file]) => `mount --bind '${file}' ${path} && `);
  const script = `${mounts.join("")}exec "$@"`;
  const node = [process.execPath, "--import", "tsx", "--eval", code];
  const words = ["--mount", "sh", "-c", script, "sh", ...node];
  return execFileSync("unshare", words, { encoding: "utf8", timeout: 60_000, stdio: ["ignore", "pipe", "pipe"] });
}
