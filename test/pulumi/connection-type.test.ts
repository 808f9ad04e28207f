/** One connection object serves @pulumi/command and this package: held by `npm run lint`, which compiles this file. */
import assert from "node:assert/strict";
import { it } from "node:test";
import type { remote } from "@pulumi/command/types/input";
import type { ConnectionArgs } from "pulumi-wapt";
import { connectionSchema } from "../../provider/ssh/connection";

type Theirs = remote.ConnectionArgs;
type OwnFields = "sudo" | "sudoPassword" | "hostKeyChecking" | "knownHosts";
type Ours = Omit<ConnectionArgs, OwnFields>;

/** Does not compile unless A is assignable to B. */
type Assignable<A extends B, B> = A;
/** Does not compile unless T is never. */
type None<T extends never> = T;

/** Theirs is ours, whole and each field by itself; and so the other way, without our own fields. */
export type Whole = [Assignable<Theirs, ConnectionArgs>, Assignable<Ours, Theirs>];
export type EachField = [
  { [Field in keyof Theirs]: Assignable<Theirs[Field], Ours[Field]> },
  { [Field in keyof Theirs]: Assignable<Ours[Field], Theirs[Field]> },
];
/** Where a field may be left out or not, it is optional in both. */
export type SameFields = [None<Exclude<keyof Theirs, keyof Ours>>, None<Exclude<keyof Ours, keyof Theirs>>];

type Proxied<Args extends { proxy?: unknown }> = Extract<Args["proxy"], { host: unknown }>;
export type SameFieldsOfProxy = None<Exclude<keyof Proxied<Theirs>, keyof Proxied<Ours>>>;

/** A field of another type, or one that does not exist, is an error in a program. */
export const wrong: ConnectionArgs[] = [
  // @ts-expect-error
  { host: "wapt.example", port: "22" },
  // @ts-expect-error
  { host: "wapt.example", prot: 22 },
  // @ts-expect-error
  { user: "admin" },
];

it("a connection with every field of @pulumi/command's is accepted", () => {
  const proxy: Required<remote.ProxyConnectionArgs> = {
    host: "bastion.example",
    user: "admin",
    port: 22,
    password: "one",
    privateKey: "a key",
    privateKeyPassword: "two",
    agentSocketPath: "/run/agent",
    hostKey: "ssh-ed25519 AAAA",
    dialErrorLimit: 10,
    perDialTimeout: 15,
  };
  const connection: Required<Theirs> = { ...proxy, host: "wapt.example", proxy };
  const ours: ConnectionArgs = connection;
  assert.deepEqual(connectionSchema.safeParse(ours).error?.issues ?? [], []);
});
