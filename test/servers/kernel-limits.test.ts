/**
 * Limits and queues that other files decide: what the kernel, systemd and PAM really give is what a preview says. On one
 * real server, through the provider.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { Properties } from "../../provider/pulumi/engine/inputs";
import type { AnyDefinition } from "../../provider/resources/definition";
import { kernelLimits } from "../../provider/resources/kernel-limits";
import { type LabServer, skipWithoutLab, startServer } from "../lab/server";
import { files, say } from "../support/asking";
import { labProvider } from "../support/resource-life";

const definition = kernelLimits as unknown as AnyDefinition;
const args = {
  connection: { host: "paris" },
  clients: 2500,
  limitNofile: 20000,
  nofile: 20000,
  stack: "organization/test/kernel",
  name: "kernel",
};

describe("limits that other files decide", { skip: skipWithoutLab() }, () => {
  let server: LabServer;
  let untouched: Record<string, string>;
  const said: string[] = [];
  const provider = () => labProvider(server, (line) => said.push(line));
  const reasons = async (olds: Properties = {}) => {
    const engine = provider();
    if (olds.settings) await engine.read(definition, "id", olds);
    const { failures } = await engine.check(definition, olds, args);
    return failures.map(({ reason }) => reason).join("\n");
  };
  const up = async () => {
    const engine = provider();
    const { inputs, failures } = await engine.check(definition, {}, args);
    assert.deepEqual(failures, []);
    return engine.create(definition, inputs);
  };
  const down = async ({ id, outs }: { id: string; outs: Properties }) => {
    await provider().delete(definition, id, outs);
    assert.deepEqual(await files(server), untouched);
  };

  before(async () => {
    server = await startServer("paris");
    untouched = await files(server);
  });
  after(() => server?.stop());

  test("a vendor's sysctl file that is masked decides nothing", async () => {
    await say(server, "echo 'net.core.somaxconn = 128' >/usr/lib/sysctl.d/zz-vendor.conf");
    assert.match(await reasons(), /\/usr\/lib\/sysctl\.d\/zz-vendor\.conf:1: .*128/);
    for (const mask of ["ln -s /dev/null", "install -m 644 /dev/null"]) {
      await say(server, `${mask} /etc/sysctl.d/zz-vendor.conf`);
      assert.equal(await reasons(), "");
      assert.equal(await say(server, "/lib/systemd/systemd-sysctl --cat-config | grep -c somaxconn || true"), "0");
      await say(server, "rm /etc/sysctl.d/zz-vendor.conf");
    }
    await say(server, "rm /usr/lib/sysctl.d/zz-vendor.conf");
  });

  test("a drop-in for all services that decides is refused by its name, in the preview", async () => {
    await say(server, "mkdir -p /etc/systemd/system/service.d");
    await say(server, "printf '[Service]\\nLimitNOFILE=1024:4096\\n' >/etc/systemd/system/service.d/zzz-site.conf");
    await say(server, "systemctl daemon-reload");
    assert.match(
      await reasons(),
      /\/etc\/systemd\/system\/service\.d\/zzz-site\.conf:2: sets LimitNOFILE to 1024:4096 after /,
    );
    await say(server, "rm -r /etc/systemd/system/service.d; systemctl daemon-reload");
  });

  const words: [string, string, string][] = [
    ["capitals", "wapt hard NOFILE 2048\\nwapt soft NOFILE 1500", "50-wapt.conf:[12]"],
    ["a user freed of all limits", "wapt -", "50-wapt.conf:[12]"],
    [
      "a range of user numbers",
      "1:65000 hard nofile 1024\\n1:65000 soft nofile 512",
      "another line decides \\(.*50-wapt.conf:1",
    ],
  ];
  for (const [name, lines, where] of words) {
    test(`limits.d in other words is found before and after: ${name}`, async () => {
      const file = "/etc/security/limits.d/50-wapt.conf";
      const write = `printf '${lines}\\n' >${file}`;
      const made = await up();
      assert.equal(await say(server, "runuser -u wapt -- sh -c 'ulimit -Hn; ulimit -Sn'"), "20000\n20000");
      await say(server, write);
      const given = await say(server, "runuser -u wapt -- sh -c 'ulimit -Hn; ulimit -Sn'");
      assert.notEqual(given, "20000\n20000");
      assert.match(await reasons(made.outs), new RegExp(where));
      await say(server, `rm ${file}`);
      assert.equal(await reasons(made.outs), "");
      await down(made);

      await say(server, write);
      await assert.rejects(up(), new RegExp(where));
      await say(server, `rm ${file}`);
      assert.deepEqual(await files(server), untouched);
    });
  }

  test("a unit's change that systemd has not loaded yet is looked at before a daemon-reload brings it", async () => {
    const folder = "/etc/systemd/system/waptserver.service.d";
    const write = (line: string) =>
      say(server, `mkdir -p ${folder}; printf '[Service]\\n${line}\\n' >${folder}/site.conf`);
    await write("ExecStart=\\nExecStart=/opt/missing");
    assert.match(
      await reasons(),
      /the files of waptserver\.service were changed since .*\/opt\/missing.*Repair them first/,
    );
    await write("Nice=5");
    said.length = 0;
    assert.equal(await reasons(), "");
    assert.match(said.join("\n"), /the files of waptserver\.service were changed since .*a daemon-reload of this run/);
    await say(server, `rm -r ${folder}; systemctl daemon-reload`);
  });

  test("when nginx gets another user, the lines of the one before are given back", async () => {
    const conf = "/etc/nginx/nginx.conf";
    const made = await up();
    await say(
      server,
      `cp -a ${conf} /root/nginx.conf; sed -i 's/^user .*/user nobody nogroup;/' ${conf}; systemctl reload nginx; sleep 1`,
    );
    const engine = provider();
    const { props } = await engine.read(definition, made.id, made.outs);
    const { inputs } = await engine.check(definition, props, args);
    const { outs } = await engine.update(definition, made.id, props, inputs);
    const users = await say(server, "sed -n 's/^\\([a-z-]*\\) .*nofile.*/\\1/p' /etc/security/limits.conf | sort -u");
    assert.equal(users, "nobody\nwapt");
    await say(server, `cat /root/nginx.conf >${conf}; systemctl reload nginx; sleep 1`);
    await down({ id: made.id, outs });
  });
});
