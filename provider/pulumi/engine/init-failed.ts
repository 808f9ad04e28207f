/** Errors as Pulumi's engine should see them. */
import { createRequire } from "node:module";
import type { Properties } from "./inputs";

/** An error for the user: without a stack, which Pulumi's host of dynamic providers would print behind the message. */
export class PlainError extends Error {
  constructor(message: string) {
    super(message);
    this.stack = "";
  }
}

/** A creation of which the server may have a part: the state keeps it with the reason, and the next run updates it. */
export class InitFailedError extends PlainError {
  /** Never empty: a state without reasons would not be taken up again. */
  readonly reasons: string[];

  constructor(
    readonly id: string,
    /** All of them, Pulumi's own included: a state without those can't be refreshed or destroyed. */
    readonly properties: Properties,
    reason: string,
  ) {
    super(reason);
    this.reasons = [reason];
  }
}

/** A server that can't be read: a warning for its resources, and the others' refresh goes on. */
export class UnreadableError extends PlainError {
  readonly code: number;
  readonly details: string;
  readonly metadata: unknown;

  constructor(id: string, properties: Properties, reason: string) {
    super(reason);
    const { code, metadata } = initFailedStatus(id, properties, reason);
    this.code = code;
    this.details = reason;
    this.metadata = metadata;
  }
}

// Of Pulumi's own copies: its libraries are not ours to install, and a second copy's classes would not match.
function initFailedStatus(id: string, properties: Properties, reason: string): { code: number; metadata: unknown } {
  const pulumiRequire = createRequire(require.resolve("@pulumi/pulumi"));
  const grpc = pulumiRequire("@grpc/grpc-js");
  const { Any } = pulumiRequire("google-protobuf/google/protobuf/any_pb.js");
  const { Struct } = pulumiRequire("google-protobuf/google/protobuf/struct_pb.js");
  const { ErrorResourceInitFailed } = pulumiRequire("@pulumi/pulumi/proto/provider_pb.js");
  const { Status } = pulumiRequire("@pulumi/pulumi/proto/status_pb.js");
  const detail = new ErrorResourceInitFailed();
  detail.setId(id);
  detail.setProperties(Struct.fromJavaScript(properties));
  detail.setReasonsList([reason]);
  const any = new Any();
  any.pack(detail.serializeBinary(), "pulumirpc.ErrorResourceInitFailed");
  const status = new Status();
  status.setCode(grpc.status.UNKNOWN);
  status.setMessage(reason);
  status.addDetails(any);
  const metadata = new grpc.Metadata();
  metadata.add("grpc-status-details-bin", Buffer.from(status.serializeBinary()));
  return { code: grpc.status.UNKNOWN, metadata };
}
