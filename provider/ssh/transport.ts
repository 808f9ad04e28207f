/** The socket to a server: dialled directly, or through another server. */
import { lookup } from "node:dns/promises";
import { connect, isIP, type Socket } from "node:net";
import { networkInterfaces } from "node:os";
import type { Duplex } from "node:stream";
import type { Client } from "ssh2";
import { type Destination, destinationName } from "./destination";
import { quotable, SshError } from "./ssh-error";

/** What the operating system's error codes mean, and whether another attempt may succeed. */
const CODES: Readonly<Record<string, readonly [text: string, passing: boolean]>> = {
  ECONNREFUSED: ["the connection was refused: does sshd listen on that port?", true],
  ECONNRESET: ["the connection was reset", true],
  EPIPE: ["the connection was reset", true],
  ETIMEDOUT: ["there was no answer: is the address right, and does a firewall let SSH through?", true],
  EHOSTUNREACH: ["there is no route to the host", true],
  ENETUNREACH: ["there is no route to the network", true],
  EHOSTDOWN: ["the host is down", true],
  EAI_AGAIN: ["the name server does not answer", true],
  ENOTFOUND: ["there is no such name: check connection.host", false],
};

/**
 * A TCP connection to the server, without Nagle's delay, within `stageSeconds`. Throws an {@link SshError} of kind
 * `unreachable`.
 */
export async function dialDirectly(target: Destination): Promise<Socket> {
  const localAddress = await ownAddress(target);
  const family = localAddress === undefined ? target.addressFamily : isIP(localAddress);
  return dialFrom(target, { family, ...(localAddress !== undefined && { localAddress }) });
}

/** BindAddress and BindInterface of the ssh configuration. */
async function ownAddress(target: Destination): Promise<string | undefined> {
  const { bindAddress, bindInterface, addressFamily } = target;
  if (bindAddress !== undefined) {
    const found = await lookup(bindAddress, { family: addressFamily }).catch(() => undefined);
    return found?.address ?? noAddress(target, `BindAddress ${bindAddress}`);
  }
  if (bindInterface === undefined) return undefined;
  const addresses = (networkInterfaces()[bindInterface] ?? []).map(({ address }) => address);
  const fits = (address: string) => addressFamily === 0 || isIP(address) === addressFamily;
  return addresses.find(fits) ?? noAddress(target, `BindInterface ${bindInterface}`);
}

function noAddress(target: Destination, setting: string): never {
  const text = `${setting} of the ssh configuration is no address of this machine`;
  throw new SshError("unreachable", `${destinationName(target)}: ${quotable(text, [])}`);
}

function dialFrom(target: Destination, from: { family: number; localAddress?: string }): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const { host, port, stageSeconds } = target;
    const options = { host, port, ...from, noDelay: true, keepAlive: true };
    // Node gives each of a name's addresses only 250 ms unless told otherwise.
    const socket = connect({ ...options, autoSelectFamilyAttemptTimeout: 2000 });
    const fail = (code: string) => {
      clearTimeout(timer);
      socket.destroy();
      const [text, passing] = CODES[code] ?? [`it can't be reached (${code})`, false];
      reject(new SshError("unreachable", `${destinationName(target)}: ${text}`, passing));
    };
    const timer = stageSeconds > 0 ? setTimeout(() => fail("ETIMEDOUT"), stageSeconds * 1000) : undefined;
    socket.on("error", (error: NodeJS.ErrnoException) => fail(error.code ?? "error"));
    socket.once("connect", () => {
      clearTimeout(timer);
      resolve(socket);
    });
  });
}

/** Why a bastion did not connect us (RFC 4254, 5.1). */
const FORWARD_REASONS: Readonly<Record<number, readonly [text: string, passing: boolean]>> = {
  1: ["does not permit forwarding to it (AllowTcpForwarding, PermitOpen)", false],
  2: ["can't connect to it", true],
  4: ["has no resources left", true],
};

/** A connection to the server that a bastion makes for us. Throws an {@link SshError}. */
export function dialThrough(bastion: Client, via: Destination, target: Destination): Promise<Duplex> {
  const { host, port, stageSeconds } = target;
  return new Promise((resolve, reject) => {
    let late = false;
    const fail = (text: string, passing: boolean) => {
      clearTimeout(timer);
      const where = `${destinationName(target)}: the bastion ${destinationName(via)}`;
      reject(new SshError("unreachable", `${where} ${text}`, passing));
    };
    const expire = () => {
      late = true;
      fail(`made no connection to it within ${stageSeconds} s`, true);
    };
    const timer = stageSeconds > 0 ? setTimeout(expire, stageSeconds * 1000) : undefined;
    try {
      bastion.forwardOut("127.0.0.1", 0, host, port, (error, channel) => {
        clearTimeout(timer);
        if (error !== undefined) fail(...forwardFailure(error));
        else if (late) channel.destroy();
        else resolve(channel);
      });
    } catch {
      fail("was lost", true);
    }
  });
}

function forwardFailure(error: Error & { reason?: number }): [text: string, passing: boolean] {
  const known = FORWARD_REASONS[Number(error.reason)];
  if (known === undefined) return ["was lost", true];
  const said = quotable(error.message.replace("(SSH) Channel open failure: ", ""), [], 80);
  return [`${known[0]}: ${said}`, known[1]];
}
