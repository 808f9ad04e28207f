/** What a transaction knows of a service: how it is asked, what it does, and in which order. No service's name. */
import type { Facts } from "./report";

/** A service of the server: its shell program, and the parser of what that reports. */
export interface Service<State> {
  /** The path of its shell program, with a function `probe_NAME` and one for each of its steps. */
  readonly program: string;
  /** Services whose functions its own call. */
  readonly uses?: readonly string[];
  parse(facts: Facts, files: ReadonlyMap<string, string>, root: string): State;
}

/** What a service is asked: the words for its `probe_NAME`. */
export interface Probe {
  readonly service: string;
  readonly words: readonly string[];
}

/** Something that a service does or checks: the call of its function SERVICE_VERB. */
export interface Step {
  readonly service: string;
  readonly verb: string;
  /** "-" for a word that does not matter. */
  readonly words: readonly string[];
  /** Tells steps of one verb apart where there is one for each of several things. */
  readonly of?: string;
  /** Whether it interrupts the service: `restart: "never"` leaves it for later. */
  readonly interrupts?: boolean;
  /** What its users lose meanwhile, by the name that they know; undefined where it does not run. */
  readonly restarts?: string;
}

/** The name of a kind of step, in the order and in what the user is told. */
export const stepName = ({ service, verb }: Pick<Step, "service" | "verb">): string => `${service} ${verb}`;

/**
 * A place in the safe order: of a service's files, of those that come before all others, or of the steps of a name, by
 * another call where one is given.
 */
export type Slot =
  | { readonly put: string }
  | { readonly first: true }
  | { readonly check: string; readonly by: Pick<Step, "service" | "verb"> }
  | { readonly step: string; readonly by?: Pick<Step, "service" | "verb"> };

/** All services by name, in the order in which they are asked, and the one order that is safe. */
export interface Services {
  readonly byName: Readonly<Record<string, Service<unknown>>>;
  readonly order: readonly Slot[];
}
