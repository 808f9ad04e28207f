/** What a fleet's run says while it goes on: a line a stack that is kept up to date on a terminal, plain lines in a CI. */
import { harmless } from "../text/harmless";

/** Where it is written: process.stderr, so that standard output has the result alone. */
export interface Screen {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

export interface Progress {
  started(stack: string): void;
  /** What it said last. */
  says(stack: string, line: string): void;
  ended(stack: string, verdict: string): void;
  note(line: string): void;
  close(): void;
}

export const progressOn = (screen: Screen): Progress => (screen.isTTY ? onTerminal(screen) : inLines(screen));

function inLines(screen: Screen): Progress {
  return {
    started: (stack) => screen.write(`${stack}: started\n`),
    says: () => undefined,
    ended: (stack, verdict) => screen.write(`${stack}: ${verdict}\n`),
    note: (line) => screen.write(`${line}\n`),
    close: () => undefined,
  };
}

/** A terminal is not drawn more often than that. */
const MILLISECONDS = 100;

function onTerminal(screen: Screen): Progress {
  const running = new Map<string, { since: number; line: string }>();
  let drawn = 0;
  // From the line's beginning: an interrupt shows as ^C.
  const erase = () => (drawn > 0 ? `\r\x1b[${drawn}A\x1b[0J` : "");
  const draw = (above = "") => {
    const width = (screen.columns || 80) - 1;
    const lines = [...running].map(([stack, { since, line }]) =>
      `${stack}  ${Math.round((Date.now() - since) / 1000)} s  ${line}`.slice(0, width),
    );
    screen.write(`${erase()}${above}${lines.map((line) => `${line}\n`).join("")}`);
    drawn = lines.length;
  };
  const timer = setInterval(() => running.size > 0 && draw(), 10 * MILLISECONDS).unref();
  let last = 0;
  return {
    started: (stack) => {
      running.set(stack, { since: Date.now(), line: "" });
      draw();
    },
    says: (stack, line) => {
      const one = running.get(stack);
      if (one) one.line = harmless(line, 200);
      if (Date.now() - last < MILLISECONDS) return;
      last = Date.now();
      draw();
    },
    ended: (stack, verdict) => {
      running.delete(stack);
      draw(`${stack}: ${verdict}\n`);
    },
    note: (line) => draw(`${line}\n`),
    close: () => {
      clearInterval(timer);
      screen.write(erase());
      drawn = 0;
    },
  };
}
