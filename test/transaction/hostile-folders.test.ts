/**
 * Folders whose owner is not root and attacks: what it prepares beforehand, and what it swaps between any two steps of a
 * transaction. Nothing of root's may change, nothing may hang, and the run succeeds or names what it refuses.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chownSync, existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import { parseOutcome } from "../../provider/transaction/program";
import { apply, callsOf, changing, imageOf, journalHash, programOf, shells, to } from "../support/image";
import { localRemote } from "../support/local-remote";

const NOBODY = 65534;
const OTHER = 65533;
const HOME = "/opt/wapt/conf";
const INI = `${HOME}/waptserver.ini`;
const DROP_IN = `${HOME}/new.ini`;
const VICTIM = "/etc/victim";
const STATE = "/var/lib/pulumi-wapt";

/** An image whose folder of configuration is nobody's, as WAPT's own is wapt's. */
function hostileImage(context: { after(done: () => void): void }, more: Readonly<Record<string, string>> = {}) {
  const image = imageOf(context, {
    [INI]: "old",
    [VICTIM]: "root's own",
    "/etc/keep/x": "x",
    "/srv/up/x": "",
    ...more,
  });
  for (const path of [HOME, INI]) chownSync(image.at(path), NOBODY, NOBODY);
  // Nobody may go there, and see what it can do.
  execFileSync("chmod", ["755", image.root]);
  execFileSync("chmod", ["600", image.at(VICTIM)]);
  return image;
}

/** Everything of root's: what it is, whose, its mode, its names, its bytes. */
function rootsOwn(root: string): Record<string, string> {
  const seen: Record<string, string> = {};
  for (const path of ["etc", "etc/victim", "etc/keep", "etc/keep/x", "opt", "opt/wapt", "srv", "srv/up"]) {
    const { mode, uid, gid } = lstatSync(join(root, path));
    const file = lstatSync(join(root, path)).isFile();
    seen[path] =
      `${mode.toString(8)} ${uid}:${gid} ${file ? readFileSync(join(root, path)) : readdirSync(join(root, path))}`;
  }
  return seen;
}

/** Runs as nobody: what it can't do does not count. */
const asNobody = (commands: string): string =>
  `setpriv --reuid ${NOBODY} --regid ${NOBODY} --clear-groups sh -c '${commands}' 2>/dev/null 9>&-`;

/** Swaps of a name in nobody's folder, in which they run. */
const swaps: Readonly<Record<string, (name: string, victim: string) => string>> = {
  "a link to a file of root's": (name, victim) => `rm -f ${name}; ln -sf ${victim} ${name}`,
  "a link to a folder of root's": (name, victim) => `rm -f ${name}; ln -sfn ${dirname(victim)} ${name}`,
  "a FIFO": (name) => `rm -f ${name}; mkfifo -m 666 ${name}`,
  "a folder": (name, victim) => `rm -f ${name}; mkdir -m 777 ${name}; ln -s ${victim} ${name}/new`,
  nothing: (name) => `rm -f ${name}`,
};

/** Which nobody may make only where the kernel does not protect hard links: so root makes it here. */
const hardLink = (name: string, victim: string) => `ln -f ${victim} ${name}`;

/** Swaps of what the run itself makes in nobody's folder. */
const stageSwaps: Readonly<Record<string, (victim: string) => string>> = {
  "its folder is renamed": () => "for s in .pulumi-wapt.*; do mv -T $s taken; done",
  "its folder is swapped for a link to one of root's": (victim) =>
    `for s in .pulumi-wapt.*; do mv -T $s taken; ln -s ${dirname(victim)}/keep $s; done`,
  "its folder is swapped for one with links": (victim) =>
    `for s in .pulumi-wapt.*; do mv -T $s taken; mkdir -m 777 $s; for n in old new was; do ln -s ${victim} $s/$n; done; done`,
};

const skip = process.getuid?.() !== 0 && "needs root";

for (const shell of shells) {
  const remote = localRemote(shell);
  const run = async (program: string) => {
    const late = new Promise<never>((_, reject) => setTimeout(() => reject(new Error("it hangs")), 60_000).unref());
    const { stdout } = await Promise.race([remote.run(program), late]);
    return parseOutcome(stdout.toString("latin1"));
  };

  describe(`another user's folder, by ${shell.join(" ")}`, { skip }, () => {
    it("keeps its file's owner and mode, and no trace of the run", async (context) => {
      const { root, at, read } = hostileImage(context);
      const untouched = rootsOwn(root);
      assert.deepEqual(await apply(remote, root, changing(to(INI, "old", "new"), to(DROP_IN, undefined, "n"))), {
        result: "ok",
        reason: "",
        notes: [],
      });
      assert.deepEqual([read(INI), lstatSync(at(INI)).uid, lstatSync(at(INI)).nlink], ["new", NOBODY, 1]);
      assert.deepEqual(readdirSync(at(HOME)).sort(), ["new.ini", "waptserver.ini"]);
      assert.deepEqual(rootsOwn(root), untouched);
    });

    const refused: Readonly<Record<string, [commands: string, reason: RegExp]>> = {
      link: [`ln -sf ../../../etc/victim waptserver.ini`, /waptserver.ini is a link that nobody can change/],
      FIFO: ["rm waptserver.ini; mkfifo waptserver.ini", /waptserver.ini is a fifo and no regular file/],
      device: ["rm waptserver.ini; mknod waptserver.ini c 1 5", /waptserver.ini is a character special file and no/],
      folder: ["rm waptserver.ini; mkdir waptserver.ini", /waptserver.ini is a directory and no regular file/],
      "hard link": ["ln -f ../../../etc/victim waptserver.ini", /waptserver.ini has 2 names \(hard links\)/],
      "file of someone else's": [
        `chown ${OTHER} waptserver.ini`,
        /waptserver.ini is .*'s, and stands in a folder that/,
      ],
      "file of 17 MiB": ["truncate -s 17M waptserver.ini", /waptserver.ini has 17825792 bytes, more than the 16 MiB/],
      "folder of someone else's": [
        `cd ..; mv conf real; mkdir conf; chown ${OTHER} conf; chown ${NOBODY} .; touch conf/waptserver.ini`,
        /the folder \/opt\/wapt\/conf is .*'s, and stands in a folder that nobody can change/,
      ],
      "folder that is a link": [
        `cd ..; mv conf real; ln -s real conf; chown ${NOBODY} .`,
        /\/opt\/wapt\/conf is a link that nobody can change/,
      ],
    };
    for (const [what, [commands, reason]] of Object.entries(refused)) {
      it(`is refused by name for a ${what}`, async (context) => {
        const { root, at } = hostileImage(context);
        execFileSync("sh", ["-c", commands], { cwd: at(HOME) });
        const victim = rootsOwn(root)["etc/victim"];
        const outcome = await run(programOf(callsOf(changing(to(INI, "old", "new")), root)));
        assert.equal(outcome.result, "refused", outcome.reason);
        assert.match(outcome.reason, reason);
        assert.equal(rootsOwn(root)["etc/victim"], victim);
      });
    }

    it("may hold any folder under the names that earlier versions gave their candidates", async (context) => {
      const { root, at, read } = hostileImage(context);
      const untouched = rootsOwn(root);
      for (let id = 0; id < 12; id++) {
        for (const end of ["new", "old"]) {
          const trap = at(`${HOME}/.pulumi-wapt.f${id}.waptserver.ini.${end}`);
          mkdirSync(trap);
          symlinkSync(at(VICTIM), join(trap, "waptserver.ini"));
        }
      }
      assert.equal((await apply(remote, root, changing(to(INI, "old", "new")))).result, "ok");
      assert.equal(read(INI), "new");
      assert.deepEqual(rootsOwn(root), untouched);
    });

    // Not by every shell: it takes a while.
    const eager = shell === shells.at(-1);
    for (const [what, swap] of eager ? Object.entries({ ...swaps, "a hard link to a file of root's": hardLink }) : []) {
      it(`may swap its file for ${what} before any step`, async (context) => {
        const what = (name: string) =>
          changing(to(name, "old", "new"), to("/etc/late", undefined, "new"), to(DROP_IN, undefined, "new"));
        const steps = callsOf(what(INI), "").length;
        for (let at = 0; at < steps; at++) {
          const image = hostileImage(context);
          const untouched = rootsOwn(image.root);
          const calls = callsOf(what(INI), image.root);
          const both = ["waptserver.ini", "new.ini"].map((name) => swap(name, image.at(VICTIM))).join("; ");
          const commands = `cd ${image.at(HOME)} && { ${both}; }`;
          const attack = swap === hardLink ? `(${commands})` : asNobody(commands);
          const { result, reason } = await run(programOf([...calls.slice(0, at), attack, ...calls.slice(at)]));
          const where = `before ${calls[at]}: ${result} ${reason}`;
          assert.match(result, /^(ok|refused|changed)$/, where);
          if (result === "ok") assert.ok(existsSync(image.at("/etc/late")));
          execFileSync("rm", ["-f", image.at("/etc/late")]);
          assert.deepEqual(rootsOwn(image.root), untouched, where);
          assert.ok(!existsSync(image.at(`${STATE}/journal`)), where);
        }
      });
    }

    for (const [what, swap] of eager ? Object.entries(stageSwaps) : []) {
      it(`may see to it that ${what}, before any step`, async (context) => {
        const plan = changing(to(INI, "old", "new"), to("/etc/late", undefined, "new"));
        const steps = callsOf(plan, "").length;
        for (let at = 2; at < steps; at++) {
          const image = hostileImage(context);
          const untouched = rootsOwn(image.root);
          const calls = callsOf(plan, image.root);
          const attack = asNobody(`cd ${image.at(HOME)} && { ${swap(image.at(VICTIM))}; }`);
          const stop = at > 3 ? ["kill -TERM $$; sleep 0.1"] : [];
          const { result, reason } = await run(programOf([...calls.slice(0, at), attack, ...stop, ...calls.slice(at)]));
          const where = `before ${calls[at]}: ${result} ${reason}`;
          assert.equal(result, "refused", where);
          assert.deepEqual(rootsOwn(image.root), untouched, where);
          assert.equal(image.read(INI), "old", where);
        }
      });
    }
  });

  describe(`what root believes of itself, by ${shell.join(" ")}`, { skip }, () => {
    const change = changing(to("/etc/a.conf", "old", "new"));
    const doubted: Readonly<Record<string, [commands: string, reason: RegExp]>> = {
      "a journal that is a link": [`ln -s ../../../srv/j journal`, /journal is a symbolic link of root's/],
      "a journal of someone else's": [
        `touch journal; chown ${NOBODY} journal`,
        /journal is a regular empty file of nobody/,
      ],
      "a journal that others can write": ["touch journal; chmod 666 journal", /journal is a .* with mode 666/],
      "a journal with another name": ["touch journal; ln journal /srv-j", /journal is a .* and 2 name\(s\)/],
      "a journal that is a FIFO": ["mkfifo journal", /journal is a fifo/],
      "a lock that is a FIFO": ["mkfifo lock", /lock is a fifo/],
      "a record that is a link": [`ln -s ../../../etc/victim record.json`, /record.json is a symbolic link/],
      "a state folder of someone else's": [`chown ${NOBODY} .`, /nobody can change \/var\/lib\/pulumi-wapt/],
      "a state folder that others can write": ["chmod 777 .", /others than root can change \/var\/lib\/pulumi-wapt/],
      "a state folder that is a link": [
        "cd ..; mv pulumi-wapt x; ln -s x pulumi-wapt",
        /it is a link to \/var\/lib\/x/,
      ],
      "backups of someone else's": [
        `mkdir -p ../../backups/pulumi-wapt; chown ${NOBODY} ../../backups/pulumi-wapt`,
        /nobody can change \/var\/backups\/pulumi-wapt/,
      ],
    };
    for (const [what, [commands, reason]] of Object.entries(doubted)) {
      it(`is not ${what}`, async (context) => {
        const { root, at, read } = hostileImage(context, { "/etc/a.conf": "old" });
        mkdirSync(at(STATE), { recursive: true });
        execFileSync("sh", ["-c", commands.replace("/srv-j", at("/srv/j"))], { cwd: at(STATE) });
        const victim = rootsOwn(root)["etc/victim"];
        const outcome = await run(programOf(callsOf(change, root)));
        assert.equal(outcome.result, "refused", outcome.reason);
        assert.match(outcome.reason, reason);
        assert.deepEqual([read("/etc/a.conf"), rootsOwn(root)["etc/victim"]], ["old", victim]);
      });
    }

    it("makes of a journal that names others' files nothing but what it may remove", async (context) => {
      const { root, at, write } = hostileImage(context, { "/etc/a.conf": "old" });
      mkdirSync(at(STATE), { recursive: true });
      const untouched = rootsOwn(root);
      symlinkSync("../../../etc", at(`${HOME}/lead`));
      symlinkSync("../../../etc/keep", at(`${HOME}/.pulumi-wapt.x`));
      const named = [
        VICTIM,
        "/etc",
        `${HOME}/lead/victim`,
        `${HOME}/lead`,
        `${HOME}/.pulumi-wapt.x`,
        `${HOME}/../../../etc/victim`,
      ];
      write(`${STATE}/journal`, named.map((path) => `temporary ${at(path)}\n`).join(""));
      const planned = { ...changing(to("/etc/a.conf", "other", "new")), journal: journalHash() };
      assert.equal((await apply(remote, root, planned)).result, "changed");
      assert.deepEqual(rootsOwn(root), untouched);
    });
  });

  describe(`a folder for uploads, by ${shell.join(" ")}`, { skip }, () => {
    const wanting = (path: string) => ({
      ...changing(),
      folders: [
        { path, mode: "700", owner: "uploader", selinuxType: "any_t", minFree: { kilobytes: 1, text: "so much" } },
      ],
    });
    const passwd = { "/etc/passwd": `uploader:x:${OTHER}:${OTHER}::/:/bin/sh\n` };

    it("is never another one that a link leads to", async (context) => {
      const { root, at } = hostileImage(context, passwd);
      const untouched = rootsOwn(root);
      symlinkSync("../../../etc/keep", at(`${HOME}/up`));
      const outcome = await run(programOf(callsOf(wanting(`${HOME}/up`), root)));
      assert.match(outcome.reason, /conf\/up is a link that nobody can change/);
      assert.deepEqual(rootsOwn(root), untouched);
    });

    it("is not one of root's with something in it, where its name is another's to change", async (context) => {
      const { root, at } = hostileImage(context, passwd);
      mkdirSync(at(`${HOME}/up/secret`), { recursive: true });
      const outcome = await run(programOf(callsOf(wanting(`${HOME}/up`), root)));
      assert.match(outcome.reason, /conf\/up is root's and not empty/);
      assert.equal(lstatSync(at(`${HOME}/up`)).uid, 0);
    });

    it("may be swapped before any step, and nothing of root's is given away", async (context) => {
      const plan = { ...wanting(`${HOME}/up`), changes: changing(to("/etc/late", undefined, "new")).changes };
      const steps = callsOf(plan, "").length;
      for (let step = 1; step < steps; step++) {
        const { root, at } = hostileImage(context, passwd);
        const untouched = rootsOwn(root);
        const calls = callsOf(plan, root);
        const attack = asNobody(`cd ${at(HOME)} && { mv -T up gone; ln -s ${at("/etc/keep")} up; }`);
        const stop = step > 3 ? ["kill -TERM $$; sleep 0.1"] : [];
        const { result, reason } = await run(
          programOf([...calls.slice(0, step), attack, ...stop, ...calls.slice(step)]),
        );
        execFileSync("rm", ["-f", at("/etc/late")]);
        assert.deepEqual(rootsOwn(root), untouched, `before ${calls[step]}: ${result} ${reason}`);
      }
    });
  });
}
