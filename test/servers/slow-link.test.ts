/**
 * A whole server over a slow link: 200 ms each way, and one packet in twenty lost, which TCP shows as a longer wait.
 * The link is a relay on loopback, since not every kernel has netem.
 */
import assert from "node:assert/strict";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Provider } from "../../provider/pulumi/engine/provider";
import { waptServer } from "../../provider/resources/wapt-server";
import { closeAll, open } from "../../provider/ssh/session";
import { type LabServer, skipWithoutLab, startServer } from "../lab/server";
import { inForce } from "../support/asking";

const DELAY_MS = 200;
const RETRANSMISSION_MS = 400;

/** Hands on what comes, late and in order; every twentieth piece later still. */
function relay(from: Socket, to: Socket): void {
  let pieces = 0;
  // One after the other: timers of different lengths may fire out of order.
  let last: Promise<unknown> = Promise.resolve();
  const later = (milliseconds: number, act: () => void) => {
    const waited = sleep(milliseconds);
    last = last.then(() => waited).then(act);
  };
  from.on("data", (bytes) => {
    pieces++;
    later(DELAY_MS + (pieces % 20 === 0 ? RETRANSMISSION_MS : 0), () => to.writable && to.write(bytes));
  });
  from.on("error", () => to.destroy());
  from.on("close", () => later(DELAY_MS, () => to.end()));
}

describe("a slow link", { skip: skipWithoutLab() }, () => {
  let server: LabServer;
  let link: Server;
  before(async () => {
    server = await startServer("brest");
    link = createServer((near) => {
      const far = connect(22, server.host);
      relay(near, far);
      relay(far, near);
    });
    await new Promise<void>((resolve) => link.listen(0, "127.0.0.1", resolve));
  });
  after(async () => {
    await closeAll();
    link?.close();
    await server?.stop();
  });

  test("a whole server is observed, changed and restored through it", async () => {
    const { port } = link.address() as AddressInfo;
    const said: string[] = [];
    const provider = new Provider({
      routeOf: ({ host }) => host,
      connect: (connection) => open(connection, { privateKey: server.privateKey }),
      say: (line) => said.push(line),
      isForgotten: () => false,
      isAdopted: () => false,
    });
    const args = {
      connection: { host: "127.0.0.1", port, hostKey: server.hostKey },
      clients: 2500,
      stack: "organization/test/slow",
      name: "slow",
    };
    const limits = { nofile: 20000, limitNofile: 20000, workerRlimitNofile: 20000 };
    const { inputs, failures } = await provider.check(waptServer, {}, { ...args, ...limits });
    assert.deepEqual(failures, []);
    const { id, outs } = await provider.create(waptServer, inputs);
    const { maxConnections, waptserver } = await inForce(server);
    assert.deepEqual([maxConnections, waptserver.db_max_connections], [625, 615]);
    await provider.delete(waptServer, id, outs);
    assert.equal((await inForce(server)).maxConnections, 100);
  });
});
