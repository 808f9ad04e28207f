import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import {
  fingerprint,
  hashedName,
  knownHostsName,
  lookUp,
  namesHost,
  parseKnownHosts,
  remember,
} from "../../provider/ssh/known-hosts";
import { keyPair, Sandbox } from "../support/sandbox";

const sandbox = new Sandbox();
const [type = "", encoded = ""] = keyPair().public.split(" ");
const key = Buffer.from(encoded, "base64");
const noKeygen = existsSync("/usr/bin/ssh-keygen") ? undefined : "needs ssh-keygen (package openssh-client)";
if (noKeygen !== undefined && process.env.CI === "true") throw new Error(`under CI this test ${noKeygen}`);

test("the names of servers", () => {
  assert.equal(knownHostsName("Server.Example", 22), "server.example");
  assert.equal(knownHostsName("server", 2222), "[server]:2222");
  assert.equal(knownHostsName("fe80::1", 2222), "[fe80::1]:2222");
});

test("entries with their place; comments, blanks, old and broken lines are none", () => {
  const text = [
    "# a comment",
    "",
    `one ${type} ${encoded} a comment`,
    `\ttwo,2.2.2.2\t${type}\t${encoded}\r`,
    `@revoked three ${type} ${encoded}`,
    `@cert-authority *.four ${type} ${encoded}`,
    `@future five ${type} ${encoded}`,
    `six ssh-rsa ${encoded}`,
    `seven ${type}`,
    `eight ${type} AAAA`,
    "nine 1024 35 1234567890",
    `ten ${type} ${encoded}`,
  ].join("\n");
  assert.deepEqual(
    parseKnownHosts(text, "file").map((entry) => [entry.marker, entry.hosts, entry.line, entry.key.equals(key)]),
    [
      [undefined, "one", 3, true],
      [undefined, "two,2.2.2.2", 4, true],
      ["revoked", "three", 5, true],
      ["cert-authority", "*.four", 6, true],
      [undefined, "ten", 12, true],
    ],
  );
});

const names = ["paris", "paris.example", "10.0.0.1", "[paris]:2222", "[10.0.0.1]:2222", "lyon"];
const fields = [
  "paris",
  "PARIS",
  "*.example",
  "par?s",
  "*",
  "*,!paris",
  "!paris,*",
  "!paris",
  "lyon,10.0.0.*",
  "[paris]:2222",
  "[*]:2222",
  "[paris]:*",
  "paris*",
  "|1|broken",
  "|2|AAAA|AAAA",
  ...names.map((name) => hashedName(name)),
];

test("the same entries as ssh-keygen -F finds", { skip: noKeygen }, () => {
  for (const field of fields) {
    const file = sandbox.write("known", `${field} ${type} ${encoded}\n`);
    for (const name of names) {
      let found = true;
      try {
        execFileSync("ssh-keygen", ["-F", name, "-f", file], { stdio: "ignore" });
      } catch {
        found = false;
      }
      assert.equal(namesHost(field, name), found, `${field} and ${name}`);
    }
  }
});

test("the fingerprint that ssh-keygen shows", { skip: noKeygen }, () => {
  const shown = execFileSync("ssh-keygen", ["-lf", sandbox.write("key.pub", `${type} ${encoded}\n`)]).toString();
  assert.equal(shown.split(" ")[1], fingerprint(key));
});

test("several files, in their order; missing ones are empty", async () => {
  const [one, two] = [
    sandbox.write("one", `paris ${type} ${encoded}\n`),
    sandbox.write("two", `\nparis ${type} ${encoded}\n`),
  ];
  const found = await lookUp([sandbox.path("none"), one, two], "paris");
  assert.deepEqual(
    found.map(({ file, line }) => [file, line]),
    [
      [one, 1],
      [two, 2],
    ],
  );
});

test("a key is remembered: in a new file, after a last line without an end, hashed", async () => {
  const file = sandbox.path("new", "folder", "known_hosts");
  await remember(file, "paris", key, false);
  assert.equal(readFileSync(file, "utf8"), `paris ${type} ${encoded}\n`);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.equal(statSync(sandbox.path("new")).mode & 0o777, 0o700);
  writeFileSync(file, "# no end");
  await remember(file, "[lyon]:2222", key, true);
  const [first, second, ...rest] = readFileSync(file, "utf8").split("\n");
  assert.deepEqual([first, rest], ["# no end", [""]]);
  assert.match(second ?? "", /^\|1\|/);
  assert.ok(!second?.includes("lyon"));
  assert.equal((await lookUp([file], "[lyon]:2222")).length, 1);
});
