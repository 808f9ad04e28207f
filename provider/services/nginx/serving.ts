/** Which of nginx's processes serves WAPT, and what stands against a change that shall reach it. Pure. */
import type { Problem } from "../../problem";
import { harmless } from "../../text/harmless";
import type { Facts } from "../../transaction/report";

/** A master process of nginx. */
export interface Master {
  readonly pid: string;
  /** The unit whose main process it is, without `.service`; undefined where it is none's. */
  readonly unit?: string;
  readonly user: string;
  /** On the server itself as root, under another account, below a root of its own, or in a container. */
  readonly where: string;
  /** TCP ports that it listens on, with one space between. */
  readonly ports: string;
  /** What it calls itself, with its command line. */
  readonly title: string;
}

/** The master that serves WAPT. */
export interface Serving extends Master {
  /** The file that it was started from. */
  readonly binary: string;
  /** Directives of its command line (`-g`). */
  readonly globals: string;
}

const inOrder = (ports: string) =>
  ports
    .split(" ")
    .sort((one, other) => Number(one) - Number(other))
    .join(" ");

export function mastersOf(facts: Facts): Master[] {
  return facts.named("master").map(([pid = "", unit, user = "", where = "", ports = "", title = ""]) => {
    return { pid, unit: unit || undefined, user, where, ports: inOrder(ports), title };
  });
}

export function servingOf(facts: Facts): Serving | undefined {
  const [pid, binary = ""] = facts.named("serving")[0] ?? [];
  const master = mastersOf(facts).find((one) => one.pid === pid);
  const options = (facts.one("options") ?? "").split("\n");
  const globals = options.filter((_, at) => options[at - 1] === "-g").join(" ");
  return master && { ...master, binary, globals };
}

/** Why it is not known which configuration serves WAPT; undefined where it is known, or where no nginx runs. */
export function unknownServing(masters: readonly Master[], serving: Serving | undefined): string | undefined {
  if (serving || masters.length === 0) return undefined;
  const own = masters.filter(({ where }) => where === "here");
  const found = (own.length > 1 ? own : masters).map(inWords).join("; ");
  return own.length > 1
    ? `several nginx run on this server: ${found}. Which of them serves WAPT can't be told: give nginxConf, the configuration that it reads, or end the others`
    : `the nginx that runs is none that this server's systemd can reload: ${found}. Start nginx by its unit (systemctl start nginx), or connect to where it runs`;
}

const PLACES: Readonly<Record<string, string>> = {
  account: "as an account other than root",
  container: "in a container",
  root: "below a root folder of its own",
  single: "without a master process",
};

function inWords({ pid, unit, user, where, ports, title }: Master): string {
  const place = PLACES[where] ? ` ${PLACES[where]} (${user})` : "";
  return `process ${pid}${place} of ${unit ? `the unit ${unit}` : "no unit"}${ports && `, on the ports ${ports}`} (${harmless(title, 200)})`;
}

/** An nginx that no unit can reload: its files would change and nothing would become effective. */
export function servingProblems({ serving }: { readonly serving?: Serving }): Problem[] {
  if (!serving || serving.unit !== undefined) return [];
  const reason =
    `nginx serves as ${inWords(serving)}: systemd can't reload it, so no change would become effective. ` +
    `End it (kill -QUIT ${serving.pid}) and start nginx by its unit (systemctl start nginx)`;
  return [{ property: "connection", reason }];
}

/** A program that was replaced while it runs, as by an upgrade. */
export function replacedWarnings({ serving }: { readonly serving?: Serving }): string[] {
  if (!serving?.binary.endsWith(" (deleted)")) return [];
  const [binary] = serving.binary.split(" (deleted)");
  return [
    `nginx (process ${serving.pid}) runs a program that was replaced since, ${harmless(binary ?? "")}: restart it when you can (systemctl restart ${serving.unit ?? "nginx"})`,
  ];
}
