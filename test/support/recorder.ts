/** All that crosses every SSH connection of this process, in clear: what is inside of ssh2's encryption. */
import { Client, type ClientChannel } from "ssh2";

export interface Traffic {
  /** The command, and what was sent to it. */
  readonly sent: string;
  readonly received: string;
}

/** Runs something and returns each command's traffic meanwhile, as Latin-1 text. */
export async function recorded(run: () => Promise<unknown>): Promise<Traffic[]> {
  const all: { sent: Buffer[]; received: Buffer[] }[] = [];
  const exec = Client.prototype.exec;
  const record = (command: string, channel: ClientChannel) => {
    const one = { sent: [Buffer.from(`${command}\n`)], received: [] as Buffer[] };
    all.push(one);
    channel.on("data", (bytes: Buffer) => one.received.push(bytes));
    channel.stderr.on("data", (bytes: Buffer) => one.received.push(bytes));
    for (const method of ["write", "end"] as const) {
      const original = channel[method].bind(channel) as (...args: unknown[]) => never;
      channel[method] = (data?: unknown, ...rest: unknown[]) => {
        if (typeof data === "string" || Buffer.isBuffer(data)) one.sent.push(Buffer.from(data as string));
        return original(data, ...rest);
      };
    }
  };
  Client.prototype.exec = function (this: Client, command: string, ...rest: unknown[]) {
    const opened = rest.pop() as (error: Error | undefined, channel: ClientChannel) => void;
    return (exec as (...args: unknown[]) => Client).call(
      this,
      command,
      ...rest,
      (error: Error | undefined, channel: ClientChannel) => {
        if (!error) record(command, channel);
        opened(error, channel);
      },
    );
  } as typeof exec;
  try {
    await run();
  } finally {
    Client.prototype.exec = exec;
  }
  const text = (chunks: readonly Buffer[]) => Buffer.concat(chunks).toString("latin1");
  return all.map(({ sent, received }) => ({ sent: text(sent), received: text(received) }));
}
