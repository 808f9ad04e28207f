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
    await say(server, "echo 'net.core.somaxconn = 128' >/usr/lib/sysctl.d/zzzz-vendor.conf");
    assert.match(await reasons(), /\/usr\/lib\/sysctl\.d\/zzzz-vendor\.conf:1: .*128/);
    for (const mask of ["ln -s /dev/null", "install -m 644 /dev/null"]) {
      await say(server, `${mask} /etc/sysctl.d/zzzz-vendor.conf`);
      assert.equal(await reasons(), "");
      assert.equal(await say(server, "/lib/systemd/systemd-sysctl --cat-config | grep -c somaxconn || true"), "0");
      await say(server, "rm /etc/sysctl.d/zzzz-vendor.conf");
    }
    await say(server, "rm /usr/lib/sysctl.d/zzzz-vendor.conf");
  });

  // Of other keys a container may not set all.
  const SYSTEMD = "/lib/systemd/systemd-sysctl 2>/dev/null; cat /proc/sys/net/core/somaxconn";
  const PROCPS = "sysctl -q --system 2>/dev/null; cat /proc/sys/net/core/somaxconn";

  test("what a vendor's file decides is overridden, what the administrator's decides is edited, and both are as before", async () => {
    const [vendor, site] = ["/usr/lib/sysctl.d/zz-vendor.conf", "/etc/sysctl.d/zz-site.conf"];
    const drop = "/etc/systemd/system/waptserver.service.d/site.conf";
    for (const file of [vendor, site]) {
      const write = `mkdir -p ${drop.replace("/site.conf", "")}; echo '# theirs' >${file}; echo net.core.somaxconn=128 >>${file}`;
      await say(server, `${write}; printf '[Service]\nLimitNOFILE=1024\nNice=1\n' >${drop}; systemctl daemon-reload`);
      const stood = await say(server, `cat ${file} ${drop}; ls /etc/sysctl.d ${drop.replace("/site.conf", "")}`);
      const made = await up();
      assert.equal(await say(server, PROCPS), "4096");
      assert.equal(await say(server, SYSTEMD), "4096");
      assert.equal(await say(server, `grep -c 128 ${file} || true`), file === vendor ? "1" : "0");
      assert.equal(await say(server, `cat ${drop}`), "[Service]\nLimitNOFILE=20000\nNice=1");
      assert.equal(await say(server, "systemctl show -p LimitNOFILE --value waptserver"), "20000");
      await provider().delete(definition, made.id, made.outs);
      assert.equal(await say(server, `cat ${file} ${drop}; ls /etc/sysctl.d ${drop.replace("/site.conf", "")}`), stood);
      assert.equal(await say(server, PROCPS), "128");
      await say(server, `rm -r ${file} ${drop.replace("/site.conf", "")}; systemctl daemon-reload`);
    }
    await say(server, "sysctl -qw net.core.somaxconn=4096");
    assert.deepEqual(await files(server), untouched);
  });

  test("a package's drop-in is asked of dpkg, and overridden", async () => {
    const drop = "/etc/systemd/system/waptserver.service.d/site.conf";
    await say(server, `mkdir -p ${drop.replace("/site.conf", "")}; printf '[Service]\nLimitNOFILE=1024\n' >${drop}`);
    await say(
      server,
      `cp /var/lib/dpkg/info/nginx-common.list /root; echo ${drop} >>/var/lib/dpkg/info/nginx-common.list; systemctl daemon-reload`,
    );
    const made = await up();
    assert.equal(await say(server, `cat ${drop}`), "[Service]\nLimitNOFILE=1024");
    assert.equal(await say(server, "systemctl show -p LimitNOFILE --value waptserver"), "20000");
    await provider().delete(definition, made.id, made.outs);
    assert.equal(await say(server, "systemctl show -p LimitNOFILE --value waptserver"), "1024");
    await say(
      server,
      `rm -r ${drop.replace("/site.conf", "")}; cp /root/nginx-common.list /var/lib/dpkg/info/; systemctl daemon-reload`,
    );
    assert.deepEqual(await files(server), untouched);
  });

  test("tuned's active profile and ufw are named where they set a key of ours: tuned is a stand-in", async () => {
    await say(
      server,
      `
      printf '#!/bin/sh\\necho "Current active profile: site"\\n' >/usr/local/sbin/tuned-adm; chmod 755 /usr/local/sbin/tuned-adm
      mkdir -p /etc/tuned/site /usr/lib/tuned/throughput /etc/ufw
      printf '[main]\\ninclude=throughput\\n[sysctl]\\nvm.swappiness=5\\n' >/etc/tuned/site/tuned.conf
      printf '[main]\\ninclude=site\\n[sysctl]\\nnet.core.somaxconn = 2048\\n' >/usr/lib/tuned/throughput/tuned.conf
      printf 'net/ipv4/tcp_max_syn_backlog=1024\\n' >/etc/ufw/sysctl.conf; echo ENABLED=no >/etc/ufw/ufw.conf`,
    );
    const named = async () => {
      said.length = 0;
      assert.equal(await reasons(), "");
      return said.filter((line) => line.includes("preflight, sysctl")).map((line) => line.replace(/.*sysctl: /, ""));
    };
    const tuned = "tuned's profile throughput sets net.core.somaxconn too (/usr/lib/tuned/throughput/tuned.conf)";
    const rest = " when it starts, and may undo this value: remove it there";
    assert.deepEqual(await named(), [tuned + rest]);
    await say(server, "echo ENABLED=yes >/etc/ufw/ufw.conf; rm /usr/local/sbin/tuned-adm");
    assert.deepEqual(await named(), [`ufw sets net.ipv4.tcp_max_syn_backlog too (/etc/ufw/sysctl.conf)${rest}`]);
    await say(server, "rm -r /etc/tuned /usr/lib/tuned /etc/ufw/*.conf");
    assert.deepEqual(await files(server), untouched);
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
    ["a user freed of all limits", "wapt -", "50-wapt.conf:[12]"],
    [
      "a range of user numbers",
      "1:65000 hard nofile 1024\\n1:65000 soft nofile 512",
      "another line decides \\(.*50-wapt.conf:1",
    ],
  ];
  test("limits.d in capitals is edited there, and as before", async () => {
    const file = "/etc/security/limits.d/50-wapt.conf";
    const text = "wapt hard NOFILE 2048\nwapt soft NOFILE 1500";
    await say(server, `printf '${text}\n' >${file}`);
    const made = await up();
    assert.equal(await say(server, "runuser -u wapt -- sh -c 'ulimit -Hn; ulimit -Sn'"), "20000\n20000");
    assert.equal(await say(server, `cat ${file}`), text.replace("2048", "20000").replace("1500", "20000"));
    assert.equal(await reasons(made.outs), "");
    await provider().delete(definition, made.id, made.outs);
    assert.equal(await say(server, `cat ${file}`), text);
    await say(server, `rm ${file}`);
    assert.deepEqual(await files(server), untouched);
  });

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
