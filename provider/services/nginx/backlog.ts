/** nginx's queues of connections on the addresses where agents come: what they shall be, and what keeps them short. */
import type { Step } from "../../transaction/service";
import type { Conflict, Place, Planned } from "../../transaction/target";
import { argumentsOf, type Configuration, type Directive } from "./configuration";
import { boundAddress, decidingListen, foundOf, listensOf, QUEUE, waptListens } from "./listen";
import { type NginxState, nginxPlace } from "./nginx";

/** The addresses on which agents reach WAPT, those in files that nginx reads more than once left out. */
function addressesOf(configuration: Configuration): string[] {
  const addresses = waptListens(configuration).flatMap((one) => boundAddress(configuration, one) ?? []);
  return [...new Set(addresses)].filter((address) => isEditable(configuration, decidingListen(configuration, address)));
}

const isEditable = ({ readings }: Configuration, listen: Directive | undefined): boolean =>
  listen !== undefined && readings.get(listen.source.path) === 1;

/** The queue of each address on which agents reach WAPT; `former` are those of the server's record. */
export function backlogPlaces(state: NginxState, value: number, former: Readonly<Record<string, unknown>>) {
  const addresses = addressesOf(listensOf(state.tree));
  const place = (address: string) => backlogPlace(state, address, value);
  const recorded = Object.keys(former).flatMap((id) => (id.startsWith(QUEUE) ? [id.slice(QUEUE.length)] : []));
  return {
    places: addresses.map(place),
    abandoned: recorded.filter((address) => !addresses.includes(address)).map(place),
  };
}

function backlogPlace(state: NginxState, address: string, value: number): Place {
  const place = nginxPlace(state, { setting: "backlog", value: String(value) });
  const look = (text: string | undefined): Step[] =>
    text === undefined || !state.queues.has(address)
      ? []
      : [{ service: "nginx", verb: "queue", of: address, words: [address, text] }];
  return {
    ...place,
    id: QUEUE + address,
    key: QUEUE + address,
    steps: (text) => [...place.steps(text), ...(state.live ? look(text) : [])],
  };
}

/** The kernel cuts a longer queue, and nginx asks for it only when its own value changes: the kernel's comes first. */
export function queueConflicts(somaxconn: string | undefined, backlog: number, planned: Planned): Conflict[] {
  const most = planned("net.core.somaxconn") ?? somaxconn;
  if (most === undefined || Number(most) >= backlog) return [];
  const reason =
    `a backlog of ${backlog} is above net.core.somaxconn ${most}, which would cut it. Raise that first: add dependsOn: ` +
    "[the KernelLimits of this server] to this resource, or use WaptServer, which changes both in one transaction, or give a smaller backlog";
  return [{ property: "backlog", reason, beside: "net.core.somaxconn" }];
}

/** Queues that stay short, and why. */
export function queueWarnings({ tree, queues }: NginxState, backlog: number, somaxconn: string | undefined): string[] {
  if (!tree.files.has(tree.root)) return [];
  const configuration = listensOf(tree);
  const listens = waptListens(configuration);
  if (listens.length === 0) {
    return [
      `preflight, backlog: no server block of ${tree.root} hands connections on to waptserver (proxy_pass to 127.0.0.1), ` +
        `so no listen was given backlog=${backlog}: add it to one listen of each port that agents use`,
    ];
  }
  return [
    ...listens.flatMap((listen) => unmanagedWarning(configuration, listen, backlog)),
    ...addressesOf(configuration).flatMap((address) => {
      const [asked, now] = [foundOf(decidingListen(configuration, address))?.value, queues.get(address)];
      if (Number(asked) !== backlog || now === undefined || now >= backlog || Number(somaxconn) < backlog) return [];
      return [
        `preflight, backlog: ${address} has a queue of ${now} in the kernel, though its listen asks for ${asked}: ` +
          "net.core.somaxconn was lower when nginx began to listen. It counts from nginx's next restart on (systemctl restart nginx)",
      ];
    }),
  ];
}

function unmanagedWarning(configuration: Configuration, listen: Directive, backlog: number): string[] {
  const { source, statement } = listen;
  const [address = "", ...options] = argumentsOf(source, statement);
  if (address.startsWith("unix:") || options.includes("quic")) return [];
  const where = `preflight, backlog: ${source.path}:${source.lineAt(statement.start)}: listen ${address}`;
  const bound = boundAddress(configuration, listen);
  if (bound === undefined) return [`${where} names no address: add backlog=${backlog} to it by hand`];
  if (isEditable(configuration, decidingListen(configuration, bound))) return [];
  return [`${where} is in a file that nginx reads more than once: add backlog=${backlog} to one listen of it by hand`];
}
