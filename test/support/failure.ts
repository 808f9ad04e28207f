import assert from "node:assert/strict";
import { SshError, type SshErrorKind } from "../../provider/ssh/session";

/** Waits for an {@link SshError} of this kind with this message, which shows none of the secrets that tests use. */
export async function failure(
  kind: SshErrorKind,
  attempt: Promise<unknown>,
  message: RegExp | string,
): Promise<SshError> {
  const error = await attempt.then(
    () => assert.fail("it did not fail"),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof SshError, String(error));
  if (typeof message === "string") assert.ok(error.message.includes(message), error.message);
  else assert.match(error.message, message);
  assert.equal(error.kind, kind);
  assert.doesNotMatch(error.stack ?? "", /secret|sesame|PRIVATE KEY-/);
  return error;
}
