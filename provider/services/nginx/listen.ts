/**
 * The listens of nginx's configuration, and their `backlog=`: how many connections may wait for nginx to accept them. A
 * key is "backlog of " and an address with its port as nginx binds it, `0.0.0.0:443` or `[::]:443`: a server may name it
 * in many blocks, and one of its listens alone may have options of the socket.
 */
import { beforeBlanks, isTabOrSpace } from "../../text/blanks";
import { FormatError, type Found, type Tree } from "../../text/format";
import type { Splice } from "../../text/splices";
import { argumentsOf, type Block, type Configuration, type Directive, errorAt, walk } from "./configuration";
import type { Word } from "./tokenizer";

/** What stands before the address in a key. */
export const QUEUE = "backlog of ";

/** Options of the socket, which nginx takes from one listen of an address alone. */
const SOCKET_OPTIONS =
  /^(setfib|fastopen|backlog|rcvbuf|sndbuf|accept_filter|ipv6only|so_keepalive)=|^(deferred|bind|reuseport)$/;

/** What a site hands on to a program of this server: waptserver listens on a loopback address, or is an upstream's name. */
const TO_WAPTSERVER = /^https?:\/\/(127\.|localhost\b|\[::1\]|unix:|[^.:/$]+(\/|$))/;

export const listensOf = (tree: Tree): Configuration => walk(tree, new Set(["listen", "proxy_pass"]));

/** The address of a TCP listen as nginx binds it; undefined where that is a name's, or a socket's of another kind. */
function addressOf({ source, statement }: Directive): string | undefined {
  const [where = "", ...options] = argumentsOf(source, statement);
  const full = /^\d+$/.test(where) ? `*:${where}` : where;
  const [, host, port = "80"] = /^(\*|\d+\.\d+\.\d+\.\d+|\[[0-9a-f:.]+\])(?::(\d+))?$/i.exec(full) ?? [];
  if (host === undefined || options.includes("quic")) return undefined;
  return `${host === "*" ? "0.0.0.0" : host.toLowerCase()}:${port}`;
}

/**
 * The address that is really bound: one of a server's own is not where another listen has all addresses of its port and
 * none of its own listens has options of the socket. A `backlog=` there would make nginx bind it beside, which fails.
 */
export function boundAddress(configuration: Configuration, listen: Directive): string | undefined {
  const address = addressOf(listen);
  const port = address?.slice(address.lastIndexOf(":"));
  const all = address?.startsWith("[") ? `[::]${port}` : `0.0.0.0${port}`;
  if (address === undefined || address === all) return address;
  const isBound = listensAt(configuration, address).some(hasSocketOptions);
  return !isBound && listensAt(configuration, all).length > 0 ? all : address;
}

/** All listens of an address, of whichever sites. */
const listensAt = ({ directives }: Configuration, address: string): Directive[] =>
  directives.filter((one) => one.name === "listen" && serverOf(one.block) && addressOf(one) === address);

function serverOf(block: Block): Block | undefined {
  for (let at: Block | undefined = block; at?.parent; at = at.parent) {
    if (at.name === "server" && at.parent.name === "http") return at;
  }
  return undefined;
}

/** The listens of the sites that hand connections on to waptserver. */
export function waptListens({ directives }: Configuration): Directive[] {
  const sites = new Set(
    directives
      .filter(({ name, source, statement }) => name === "proxy_pass" && isToWaptserver(argumentsOf(source, statement)))
      .flatMap(({ block }) => serverOf(block) ?? []),
  );
  return directives.filter(({ name, block }) => name === "listen" && sites.has(serverOf(block)!));
}

const isToWaptserver = ([to = ""]: readonly string[]): boolean => TO_WAPTSERVER.test(to);

const hasSocketOptions = ({ source, statement }: Directive): boolean =>
  argumentsOf(source, statement).some((word, at) => at > 0 && SOCKET_OPTIONS.test(word));

/** A listen that has options of the socket, else the first of WAPT's own. */
export function decidingListen(configuration: Configuration, address: string): Directive | undefined {
  const all = listensAt(configuration, address);
  return all.find(hasSocketOptions) ?? waptListens(configuration).find((one) => addressOf(one) === address) ?? all[0];
}

function backlogWord({ source, statement }: Directive): { word: Word; value: string } | undefined {
  const at = argumentsOf(source, statement).findIndex((argument) => argument.startsWith("backlog="));
  const word = statement.words[at + 1];
  if (at < 0 || !word) return undefined;
  return { word, value: (argumentsOf(source, statement)[at] ?? "").slice("backlog=".length) };
}

export function foundOf(listen: Directive | undefined): Found | undefined {
  const found = listen && backlogWord(listen);
  if (!listen || !found) return undefined;
  const { source, statement } = listen;
  return { value: found.value, file: source.path, line: source.lineAt(statement.start) };
}

/** The queue that a key asks for; undefined where no listen has one of its own. */
export const queueOf = (tree: Tree, key: string): Found | undefined =>
  foundOf(decidingListen(listensOf(tree), key.slice(QUEUE.length)));

/** What to splice, and into which file, so that a key has the value; undefined when it has. */
export function queueChange(tree: Tree, key: string, value: string | null) {
  const configuration = listensOf(tree);
  const address = key.slice(QUEUE.length);
  const listen = decidingListen(configuration, address);
  if (!listen) {
    if (value === null) return undefined;
    throw new FormatError(tree.root, 1, `no server block listens on ${address}; add the listen, or restore it`);
  }
  const splice = spliceOf(configuration, listen, value);
  return splice && { file: listen.source.path, splices: [splice] };
}

function spliceOf(configuration: Configuration, listen: Directive, value: string | null): Splice | undefined {
  const { source, statement } = listen;
  const found = backlogWord(listen);
  if ((found?.value ?? null) === value) return undefined;
  if ((configuration.readings.get(source.path) ?? 0) > 1)
    throw errorAt(source, statement, "this file is included in more than one place; give the listen a file of its own");
  if (!found) {
    const { end } = statement.words.at(-1)!;
    return { start: end, end, text: ` backlog=${value}` };
  }
  const { start, end } = found.word;
  if (value === null) return { start: beforeBlanks(source.text, start, isTabOrSpace), end, text: "" };
  return { start, end, text: `backlog=${value}` };
}
