/** Arguments as a Pulumi program gives them: each known or still to come. */
import type * as pulumi from "@pulumi/pulumi";
import type { UploadsArguments } from "../../resources/proxy-temp-path";
import type { Connection } from "../../ssh/connection";

/** A value, a list or an object of which any part may be known only later. */
export type Inputs<T> = { [N in keyof T]: pulumi.Input<Nested<Exclude<T[N], undefined>>> };
type Nested<T> = T extends readonly (infer E)[] ? pulumi.Input<E>[] : T extends object ? Inputs<T> : T;

/** How to reach a server: all fields of @pulumi/command's connection, and those of verification and sudo. */
export type ConnectionArgs = Inputs<Connection>;
/** Where uploads lie until they are whole. */
export type UploadsArgs = Inputs<UploadsArguments>;
