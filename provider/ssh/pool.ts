/** One connection for each destination of the process: dialled once, used by all, ended together. */
import { setTimeout as sleep } from "node:timers/promises";
import { type Destination, destinationId, destinationName } from "./destination";
import { Link } from "./link";
import { login } from "./login";
import { Slots } from "./slots";
import { SshError } from "./ssh-error";
import { dialDirectly, dialThrough } from "./transport";

/** At one sshd at a time: below 10, where it starts to turn away who has not logged in yet (MaxStartups 10:30:100). */
const LOGINS_OF_ONE = 8;
/** Of all servers together: with fewer, a fleet that is far away waits for the way there and not for this machine. */
const LOGINS = 64;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 10_000;

const logins = new Slots(LOGINS);
const loginsOfOne = new Map<string, Slots>();
const links = new Map<string, Promise<Link>>();
/** Logins that a server refused: trying them again would look like an attack to it (fail2ban, faillock). */
const refused = new Map<string, SshError>();
/** Counts the calls of {@link disconnectAll}, so that what was being dialled before is given up. */
let generation = 0;

/**
 * The connection to this destination: the one that is open, or a new one. Attempts that fail for a reason that may pass
 * are repeated, `attempts` in all; never a refused login, which is remembered until {@link disconnectAll}.
 */
export function connected(target: Destination): Promise<Link> {
  const id = destinationId(target);
  const refusal = refused.get(id);
  if (refusal !== undefined) return Promise.reject(refusal);
  const known = links.get(id);
  if (known !== undefined) return known;
  const link: Promise<Link> = dial(target, generation, () => {
    if (links.get(id) === link) links.delete(id);
  });
  links.set(id, link);
  link.catch((error) => {
    if (links.get(id) === link) links.delete(id);
    if (error instanceof SshError && error.kind === "auth") refused.set(id, error);
  });
  return link;
}

/** Ends every connection, gives up those that are being dialled, and forgets refused logins. */
export async function disconnectAll(): Promise<void> {
  generation++;
  const all = [...links.values()];
  links.clear();
  refused.clear();
  // One that is still being dialled ends itself.
  const open = await Promise.allSettled(all.map((link) => Promise.race([link, undefined])));
  await Promise.all(open.map((result) => (result.status === "fulfilled" ? result.value?.end() : undefined)));
}

async function dial(target: Destination, begun: number, onClosed: () => void): Promise<Link> {
  for (let attempt = 1; ; attempt++) {
    try {
      const link = await dialOnce(target, onClosed);
      if (begun === generation) return link;
      void link.end();
      throw new SshError("lost", `${destinationName(target)}: all connections were closed while this one was dialled`);
    } catch (error) {
      if (!(error instanceof SshError) || !error.passing || begun !== generation) throw error;
      if (attempt >= target.attempts) throw after(attempt, error);
      const pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (attempt - 1));
      // A random half, so that many clients of one server don't come back together.
      await sleep(pause * (0.5 + Math.random() / 2));
    }
  }
}

function after(attempts: number, error: SshError): SshError {
  return attempts === 1 ? error : new SshError(error.kind, `${error.message} (${attempts} attempts)`);
}

/** The bastion comes first, outside the limit on logins: its own login needs a place too. */
async function dialOnce(target: Destination, onClosed: () => void): Promise<Link> {
  const via = target.via === undefined ? undefined : await connected(target.via);
  via?.hold();
  const ofOne = slotsOf(target);
  await ofOne.take();
  await logins.take();
  try {
    const transport =
      via === undefined ? await dialDirectly(target) : await dialThrough(via.client, via.target, target);
    const client = await login(transport, target);
    return new Link(target, client, transport, via, onClosed);
  } finally {
    logins.free();
    ofOne.free();
    via?.release();
  }
}

/** Those of one sshd; through a bastion the same address may be another machine, which waits for nothing. */
function slotsOf({ via, host, port }: Destination): Slots {
  const sshd = JSON.stringify([via && destinationId(via), host, port]);
  const slots = loginsOfOne.get(sshd) ?? new Slots(LOGINS_OF_ONE);
  loginsOfOne.set(sshd, slots);
  return slots;
}
