/**
 * Limits and queues that other files decide: what the kernel, systemd and PAM really give is what a preview says. On one
 * real server, through the provider.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { Properties } from "../../provider/pulumi/engine/inputs";
import { Provider } from "../../provider/pulumi/engine/provider";
import type { AnyDefinition } from "../../provider/resources/definition";
import { kernelLimits } from "../../provider/resources/kernel-limits";
import { type LabServer, skipWithoutLab, startServer } from "../lab/server";
import { files, say } from "../support/asking";
import { withoutSsh } from "../support/whole-server";

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
  const provider = () =>
    new Provider({
      routeOf: ({ host }) => host,
      connect: async () => withoutSsh(server),
      say: () => undefined,
      isForgotten: () => false,
      isAdopted: () => false,
    });
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
});
