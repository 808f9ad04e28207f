import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { readPrivateKey } from "../../provider/ssh/private-key";
import { keyPair } from "../support/sandbox";

const PASSPHRASE = "open, sesame";
const pairs = [keyPair(), keyPair("ecdsa"), keyPair("ecdsa", PASSPHRASE)];

test("a key, whole", () => {
  for (const pair of pairs) {
    const result = readPrivateKey(pair.private, ["wrong", PASSPHRASE]);
    assert.ok("key" in result);
    assert.equal(result.key.getPublicSSH().toString("base64"), pair.public.split(" ")[1]);
  }
});

test("a key that is cut or garbled never throws, and the reason shows nothing of it", () => {
  const texts = fc.constantFrom(...pairs.map((pair) => pair.private));
  const property = fc.property(
    texts,
    fc.nat(400),
    fc.nat(60),
    fc.string({ maxLength: 40 }),
    (text, at, length, put) => {
      const result = readPrivateKey(text.slice(0, at) + put + text.slice(at + length), [PASSPHRASE]);
      if ("problem" in result)
        assert.match(result.problem, /^(holds no|is not a|is encrypted,)[a-zA-Z ]* (key|here|it)$/);
    },
  );
  fc.assert(property, { numRuns: 60 });
});

test("an encrypted key that asks for billions of rounds is refused at once", () => {
  const [, body = ""] = pairs[2]!.private.split(/-----[A-Z ]+-----/);
  const bytes = Buffer.from(body, "base64");
  // In this key the salt of 16 bytes ends where the rounds begin.
  const rounds = bytes.indexOf(Buffer.from([0, 0, 0, 2, 0, 0, 0, 1]));
  assert.ok(rounds > 0);
  bytes.writeUInt32BE(0xffffffff, rounds);
  const text = `-----BEGIN OPENSSH PRIVATE KEY-----\n${bytes.toString("base64")}\n-----END OPENSSH PRIVATE KEY-----`;
  assert.deepEqual(readPrivateKey(text, [PASSPHRASE]), { problem: "is not a private key that can be read here" });
});

test("a public key is no private key", () => {
  assert.deepEqual(readPrivateKey(pairs[0]!.public, []), { problem: "holds no private key" });
});

test("a key of a kind that ssh has not", () => {
  const text =
    "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VuBCIEIKBFyyUuCJEe9cOzDjzB0D0rjBRpcHMBFkmCJLsSEjtW\n-----END PRIVATE KEY-----\n";
  assert.deepEqual(readPrivateKey(text, []), { problem: "is not a private key that can be read here" });
});
