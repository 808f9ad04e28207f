/** What the two kinds of lab servers have in common. */
import type { Result } from "./host";

export interface ExecOptions {
  /** Given to the command on standard input. */
  input?: string;
  /** After so many seconds the command is killed and the promise rejected; 120 by default. */
  timeoutSeconds?: number;
}

/** A booted machine, as the modules `container` and `uml` return it. */
export interface Machine {
  /** Where its files can be seen from this machine; for a server with a kernel of its own, the base that it started from. */
  root: string;
  /** What it wrote to its console. */
  consoleFile: string;
  /** Runs a command by sh as root. */
  exec(command: string, options?: ExecOptions): Promise<Result>;
  reboot?(): Promise<void>;
}
