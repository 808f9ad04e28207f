/**
 * Claims that hold among all processes of this machine, and that the kernel frees when a process ends, however it ends:
 * an abstract unix socket that is listened on.
 */
import { createServer, type Server } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

export interface Claim {
  release(): void;
}

/** Claims a name, or returns nothing when another claim of this or another process holds it. */
export function claim(name: string): Promise<Claim | undefined> {
  const server: Server = createServer((connection) => connection.destroy());
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EADDRINUSE") resolve(undefined);
      else reject(error);
    });
    server.listen({ path: `\0wapt-lab-${name}` }, () => {
      server.unref();
      resolve({ release: () => server.close() });
    });
  });
}

/** Runs `work` while no other process runs work under this name; waits for them as long as it takes. */
export async function withLock<T>(name: string, work: () => Promise<T>): Promise<T> {
  let held = await claim(name);
  while (!held) {
    await sleep(200);
    held = await claim(name);
  }
  try {
    return await work();
  } finally {
    held.release();
  }
}
