/** Runs a program of this machine, such as ssh: without a shell, without a terminal, and not for long. */
import { type ChildProcess, spawn } from "node:child_process";

const SECONDS = 20;
/** Long enough to read what it has printed before its end. */
const LINGER_MS = 500;
/** Bytes that are kept of its output. */
const OUTPUT_LIMIT = 2 ** 20;

export interface LocalResult {
  readonly stdout: string;
  readonly stderr: string;
  /** Null when a signal ended it. */
  readonly code: number | null;
}

/** Why a program has no result. */
export class LocalProgramError extends Error {
  constructor(
    readonly kind: "missing" | "late",
    seconds = SECONDS,
  ) {
    super(kind === "missing" ? "there is no such program" : `it did not end within ${seconds} s`);
  }
}

/** Runs it with these words and with nothing to read. Throws a {@link LocalProgramError}, or the system's own error. */
export function runLocally(program: string, words: readonly string[], seconds = SECONDS): Promise<LocalResult> {
  return new Promise((resolve, reject) => {
    // A session of its own has no terminal to ask on, and can be ended as a whole.
    const detached = process.platform !== "win32";
    const child = spawn(program, words, { stdio: ["ignore", "pipe", "pipe"], detached, windowsHide: true });
    const [stdout, stderr] = [collected(child.stdout), collected(child.stderr)];
    const late = setTimeout(() => {
      end(child);
      reject(new LocalProgramError("late", seconds));
    }, seconds * 1000);
    const finish = (code: number | null) => {
      clearTimeout(late);
      closeOutput(child);
      resolve({ stdout: stdout(), stderr: stderr(), code });
    };
    child.on("error", (error: NodeJS.ErrnoException) => {
      clearTimeout(late);
      reject(error.code === "ENOENT" ? new LocalProgramError("missing") : error);
    });
    child.on("close", finish);
    // What it has left running, such as an agent, may hold its output open.
    child.on("exit", (code) => void setTimeout(finish, LINGER_MS, code).unref());
  });
}

function collected(stream: NodeJS.ReadableStream): () => string {
  const chunks: Buffer[] = [];
  let size = 0;
  stream.on("data", (chunk: Buffer) => {
    if (size < OUTPUT_LIMIT) chunks.push(chunk);
    size += chunk.length;
  });
  return () => Buffer.concat(chunks).toString("utf8");
}

/** Ends it with all that it has started. */
function end(child: ChildProcess): void {
  try {
    if (child.pid !== undefined && process.platform !== "win32") process.kill(-child.pid, "SIGKILL");
  } catch {
    // It has ended already.
  }
  child.kill("SIGKILL");
  closeOutput(child);
}

function closeOutput(child: ChildProcess): void {
  child.stdout?.destroy();
  child.stderr?.destroy();
}
