/**
 * What crosses the wire, in either direction, and what sudo's own log of input and output keeps of it: secrets are
 * planted in every unmanaged value of the server's files and in their comments, and no byte of them is found.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { Connection } from "../../provider/ssh/connection";
import { closeAll, open } from "../../provider/ssh/session";
import type { Claim } from "../../provider/transaction/ownership";
import { type LabServer, skipWithoutLab, startServer } from "../lab/server";
import { files, inForce, say } from "../support/asking";
import { leaks, newKey, newPassword, type Secrets } from "../support/leaks";
import { recorded, type Traffic } from "../support/recorder";
import { converge, FEW, MANY, observe, type Tuning } from "../support/whole-server";

const INI = "/opt/wapt/conf/waptserver.ini";
const CONF = "/etc/postgresql/15/main/postgresql.conf";

describe("the wire", { skip: skipWithoutLab() }, () => {
  let server: LabServer;
  let untouched: Record<string, string>;
  const planted: Record<string, string> = {};
  const plant = (name: string) => (planted[name] = newPassword());
  const texts = (traffic: readonly Traffic[]) =>
    Object.fromEntries(
      traffic.flatMap(({ sent, received }, at) => [
        [`command ${at}, sent`, sent],
        [`command ${at}, received`, received],
      ]),
    );
  const found = (secrets: Secrets, traffic: readonly Traffic[]) =>
    leaks(secrets, texts(traffic)).map(({ secret, form, where }) => `${secret}, in ${form}, in ${where}`);
  const remote = async (more: Partial<Connection> = {}) =>
    open({ host: server.host, hostKey: server.hostKey, privateKey: server.privateKey, ...more });

  before(async () => {
    server = await startServer("wire");
    const ini = await say(server, `cat ${INI}`);
    for (const [, key, value] of ini.matchAll(/^(\w*(?:password|secret)\w*) = (.*)$/gm))
      planted[`${key} of the ini`] = value!;
    assert.ok(Object.keys(planted).length >= 4);
    await say(
      server,
      [
        `sed -i 's|^db_password|# ${plant("a comment above a key")}\\n; ${plant("a comment of the ini")}\\n&|' ${INI}`,
        `sed -i '$a ldap_password = ${plant("the first line of a value")} ;\\n  ${plant("another line of it")} \\n  # ${plant("a comment within it")}' ${INI}`,
        `sed -i '$a ssl_passphrase_command = '"'"'echo ''${plant("a value in PostgreSQL's quotes")}'"'"' # ${plant("a comment behind it")}\\n# ${plant("a comment of PostgreSQL's")}' ${CONF}`,
        `echo "primary_conninfo = 'password=${plant("a password of postgresql.auto.conf")}'" >> /var/lib/postgresql/15/main/postgresql.auto.conf`,
        `echo "work_mem = '4MB' # ${plant("a comment of conf.d")}" > /etc/postgresql/15/main/conf.d/local.conf`,
      ].join(" && "),
    );
    const { privateKey } = newKey();
    planted["a key beside nginx.conf"] = privateKey;
    await server.exec("cat > /etc/nginx/server.key && chmod 600 /etc/nginx/server.key", { input: privateKey });
    untouched = await files(server);
  });
  after(async () => {
    await closeAll();
    await server?.stop();
  });

  test("holds no secret of the server's when it is observed, changed, changed again and restored", async () => {
    const one = await remote();
    const observation = await recorded(() => observe(one));
    const applying = await recorded(() => converge(one, MANY));
    const force = await inForce(server);
    assert.deepEqual([force.maxConnections, force.ini.db_max_connections], [625, 615]);
    const again = await recorded(() => converge(one, FEW));
    const restoring = await recorded(() => converge(one, FEW, "restore"));
    const all = [...observation, ...applying, ...again, ...restoring];
    assert.deepEqual(found(planted, all), []);
    // The search finds what is there: a name in the very file.
    const name = { "the name of a key": "db_password" };
    assert.ok(found(name, observation).some((where) => /base64, in command 0, received/.test(where)));
    assert.deepEqual(await files(server), untouched);
    const kilobytes = (list: readonly Traffic[]) =>
      list.map(
        ({ sent, received }) => `${(sent.length / 1000).toFixed(1)} up, ${(received.length / 1000).toFixed(1)} down`,
      );
    console.log(JSON.stringify({ observation: kilobytes(observation), applying: kilobytes(applying) }));
  });

  // As sudoers says it: a ticket, none, and no password at all.
  const ways: [string, string, Tuning, Claim["mode"]?][] = [
    ["a ticket serves", "", MANY],
    ["each sudo asks", "Defaults:oncall timestamp_timeout=0\n", FEW],
    ["none is asked for", "oncall ALL=(ALL:ALL) NOPASSWD: ALL\n", MANY],
    ["another command's is asked for", "oncall ALL=(ALL:ALL) NOPASSWD: /bin/sh, /usr/bin/sh\n", MANY, "restore"],
  ];
  for (const [way, rules, tuning, mode] of ways) {
    test(`through sudo leaves neither password nor secret in sudo's log of input and output, where ${way}`, async () => {
      const log = "/var/log/sudo-io";
      await say(server, `rm -rf ${log}`);
      const input = `Defaults log_input, log_output, !compress_io, iolog_dir=${log}\n${rules}`;
      assert.equal(
        (await server.exec("cat > /etc/sudoers.d/logged && chmod 440 /etc/sudoers.d/logged && visudo -cq", { input }))
          .code,
        0,
      );
      const password = newPassword();
      assert.equal((await server.exec("chpasswd", { input: `oncall:${password}\n` })).code, 0);
      const oncall = await remote({ user: "oncall", sudo: true, sudoPassword: password });
      const traffic = await recorded(() => converge(oncall, tuning, mode));
      assert.deepEqual(found(planted, traffic), []);
      // Below one name lie all bytes that passed.
      const logged = await say(server, `find ${log} -type f -exec cat {} + | tr -d '\\000'`);
      assert.ok(logged.includes("probe_wapt") && logged.includes("apply.sh"), "sudo logged no input");
      const secrets = { ...planted, "sudo's password": password };
      assert.deepEqual(
        leaks(secrets, { logged }).map(({ secret, form }) => `${secret} in ${form}`),
        [],
      );
      assert.deepEqual(await leaksInJournal(secrets), []);
    });
  }

  async function leaksInJournal(secrets: Secrets): Promise<string[]> {
    const journal = await say(server, "journalctl -q -o export | tr -d '\\000'");
    return leaks(secrets, { journal }).map(({ secret, form }) => `${secret} in ${form}`);
  }
});
