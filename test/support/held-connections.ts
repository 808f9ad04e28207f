/** Connections that PCs keep open all day, to a lab server's nginx. */
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { LabServer } from "../lab/server";

/** So many are opened at a time: fewer than the shortest queue holds. */
const AT_A_TIME = 100;
const ANSWER_MILLISECONDS = 20_000;
/** An idle connection that nginx recycles for another one goes within this time. */
const SETTLING_MILLISECONDS = 2000;

/**
 * Opens connections, asks for a page over each, and when all are open asks again over the same ones.
 *
 * @returns how many answered both times.
 */
export async function held(server: LabServer, count: number, path: string): Promise<number> {
  const sockets: Socket[] = [];
  try {
    while (sockets.length < count) {
      const some = Array.from({ length: Math.min(AT_A_TIME, count - sockets.length) }, () => open(server.host));
      sockets.push(...some);
      await Promise.all(some.map((socket) => ask(socket, path)));
    }
    await sleep(SETTLING_MILLISECONDS);
    let answered = 0;
    for (let i = 0; i < sockets.length; i += AT_A_TIME) {
      const again = await Promise.all(sockets.slice(i, i + AT_A_TIME).map((socket) => ask(socket, path)));
      answered += again.filter(Boolean).length;
    }
    return answered;
  } finally {
    for (const socket of sockets) socket.destroy();
  }
}

function open(host: string): Socket {
  const socket = connect({ host, port: 80, noDelay: true });
  // One that is refused or cut is counted when it is asked.
  socket.on("error", () => undefined);
  return socket;
}

/** Whether a whole answer with status 200 comes. */
function ask(socket: Socket, path: string): Promise<boolean> {
  return new Promise((resolve) => {
    let text = "";
    const done = (answered: boolean) => {
      clearTimeout(timer);
      socket.off("data", take).off("close", cut);
      resolve(answered);
    };
    const cut = () => done(false);
    const take = (bytes: Buffer) => {
      text += bytes.toString("latin1");
      const [, length] = /content-length: (\d+)/i.exec(text) ?? [];
      const head = text.indexOf("\r\n\r\n");
      if (head >= 0 && text.length >= head + 4 + Number(length)) done(text.startsWith("HTTP/1.1 200 "));
    };
    const timer = setTimeout(cut, ANSWER_MILLISECONDS);
    if (socket.destroyed || !socket.readable) return cut();
    socket.on("data", take).on("close", cut);
    socket.write(`GET ${path} HTTP/1.1\r\nHost: wapt\r\n\r\n`);
  });
}
