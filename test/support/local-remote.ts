/** An untuned server's files in a folder of their own, reached without SSH: for tests of everything above it. */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import type { Remote } from "../../provider/transaction/server";

/** A copy of the untuned server; removed at the end of the test that asked for it. */
export function untunedServer(context: { after(done: () => void): void }): string {
  const root = mkdtempSync(join(tmpdir(), "untuned-"));
  cpSync(join(__dirname, "../../examples/demo/untuned"), root, { recursive: true });
  context.after(() => rmSync(root, { recursive: true, force: true }));
  return root;
}

/** Runs programs with this machine's `sh`, and counts them. */
export function localRemote(shell: readonly string[] = ["sh"]): Remote & { programs: string[] } {
  const programs: string[] = [];
  return {
    key: "local",
    programs,
    run(program) {
      programs.push(program);
      return new Promise((resolve, reject) => {
        const child = spawn(shell[0]!, [...shell.slice(1), "-s"], { stdio: ["pipe", "pipe", "pipe"] });
        const [stdout, stderr]: [Buffer[], Buffer[]] = [[], []];
        child.stdout.on("data", (bytes) => stdout.push(bytes));
        child.stderr.on("data", (bytes) => stderr.push(bytes));
        child.on("error", reject);
        child.on("close", (code) =>
          resolve({ stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr).toString(), code: code ?? 255 }),
        );
        child.stdin.end(program);
      });
    },
  };
}

/**
 * Every file of a folder with mode and hash, but for what is kept on purpose: the record, the lock and the backups. What goes
 * meanwhile, as the temporary files of a killed run do, is not there.
 */
export function snapshot(root: string): Record<string, string> {
  const files = readdirSync(root, { recursive: true, withFileTypes: true }).map((entry) =>
    join(entry.parentPath, entry.name),
  );
  const kept = /^var\/(lib\/pulumi-wapt|backups)/;
  return Object.fromEntries(
    files
      .filter((path) => !kept.test(relative(root, path)))
      .flatMap((path): [string, string][] => {
        try {
          const stat = statSync(path);
          const content = stat.isFile() ? createHash("sha256").update(readFileSync(path)).digest("hex") : "folder";
          return [[relative(root, path), `${(stat.mode & 0o777).toString(8)} ${content}`]];
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
          const leadsNowhere = lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink();
          return leadsNowhere ? [[relative(root, path), "a link to nothing"]] : [];
        }
      })
      .sort(),
  );
}
