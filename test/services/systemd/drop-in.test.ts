import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { dropIn, dropInOrder, limitTree } from "../../../provider/services/systemd/drop-in";
import { FormatError, type Tree } from "../../../provider/text/format";
import { assertEdits, assertEnds, edit, edited, orRefused, values } from "../../support/lossless";

const FOLDER = "/etc/systemd/system/nginx.service.d";
const ROOT = `${FOLDER}/wapt.conf`;
const LATER = `${FOLDER}/zz.conf`;
const KEY = "Service.LimitNOFILE";

function treeOf(text: string | undefined, later?: string): Tree {
  const files = Object.entries({ [ROOT]: text, [LATER]: later }).filter(([, one]) => one !== undefined);
  return { root: ROOT, files: new Map(files as [string, string][]), after: later === undefined ? [] : [LATER] };
}

const set = (tree: Tree, value: string | null) => edit(dropIn, tree, { [KEY]: value });
const OURS = "[Service]\nLimitNOFILE=32768\n";

describe("our drop-in", () => {
  test("is written whole, and has no bytes left when its setting is removed", () => {
    assert.deepEqual(set(treeOf(undefined), "32768"), new Map([[ROOT, OURS]]));
    assert.deepEqual(set(treeOf(OURS), "4096"), new Map([[ROOT, "[Service]\nLimitNOFILE=4096\n"]]));
    assert.deepEqual(set(treeOf(OURS), null), new Map([[ROOT, ""]]));
    assert.deepEqual(set(treeOf(undefined), null), new Map());
    assert.deepEqual(set(treeOf(undefined), "5"), new Map([[ROOT, "[Service]\nLimitNOFILE=5\n"]]));
  });

  test("that someone edited is read, stays while its value does, and is ours again with another", () => {
    for (const text of [
      "# raised\n[Service]\n LimitNOFILE = 5 \n",
      "[Service]\r\nLimitNOFILE=5\r\n",
      "[Service]\nLimitNOFILE=5",
      "[Service]\nLimitNOFILE=6\nNice=1\nLimitNOFILE=5\nLimitNOFILE=\n#LimitNOFILE=7\n",
    ]) {
      assert.equal(values(dropIn, treeOf(text), [KEY])[KEY], "5", text);
      assert.deepEqual(set(treeOf(text), "5"), new Map(), text);
      assert.deepEqual(set(treeOf(text), "32768"), new Map([[ROOT, OURS]]), text);
      assert.deepEqual(set(treeOf(text), null), new Map([[ROOT, ""]]), text);
    }
    for (const text of [
      "LimitNOFILE=5\n",
      "[Unit]\nLimitNOFILE=5\n",
      "[Service]\nNice=5\n",
      "[Service]\nLimitNOFILE=\n",
      // systemd takes such a line for no section's.
      "[Service] x\nLimitNOFILE=5\n",
    ]) {
      assert.deepEqual(dropIn.read(treeOf(text), [KEY]), {}, text);
      assert.deepEqual(set(treeOf(text), "32768"), new Map([[ROOT, OURS]]), text);
    }
  });

  test("is of no use where a later one sets another limit, which is named", () => {
    const later = treeOf(OURS, "[Service]\n# theirs\nLimitNOFILE=1024\n");
    assert.deepEqual(dropIn.read(later, [KEY]), { [KEY]: { value: "1024", file: LATER, line: 3 } });
    assert.throws(() => set(later, "32768"), {
      message: `${LATER}:3: sets LimitNOFILE to 1024 after ${ROOT}; remove this line or set 32768 here`,
    });
    assert.throws(() => set(later, null), {
      message: `${LATER}:3: sets LimitNOFILE, which no drop-in shall set; remove this line`,
    });
  });

  test("is left alone where a later one gives the wanted limit, or none", () => {
    for (const value of ["1024", "1024:1024"]) {
      assert.deepEqual(set(treeOf(undefined, `[Service]\nLimitNOFILE=${value}\n`), "1024"), new Map());
    }
    for (const line of ["LimitNOFILE=", "LimitNOFILESoft=5", "#LimitNOFILE=5", "; LimitNOFILE=5", "LimitNPROC=5"]) {
      assert.deepEqual(set(treeOf(undefined, `[Service]\n${line}\n`), "32768"), new Map([[ROOT, OURS]]), line);
    }
  });

  const UNIT = "/lib/systemd/system/nginx.service";
  const SITE = `${FOLDER}/site.conf`;
  const beside = (files: Record<string, string>, own: readonly string[] = []): Tree => ({
    root: ROOT,
    files: new Map(Object.entries(files)),
    before: [UNIT, SITE].filter((path) => path in files),
    after: [LATER].filter((path) => path in files),
    own: new Set(own),
  });

  test("is not written where the unit itself or an earlier drop-in gives the wanted limit, and goes where it did", () => {
    for (const path of [UNIT, SITE]) {
      const tree = beside({ [path]: "[Unit]\n[Service]\nLimitNOFILE=32768\n" });
      assert.deepEqual(dropIn.read(tree, [KEY]), { [KEY]: { value: "32768", file: path, line: 3 } });
      assert.deepEqual(set(tree, "32768"), new Map());
      const raised = edited(dropIn, tree, { [KEY]: "65536" });
      assert.equal(raised.files.get(ROOT), "[Service]\nLimitNOFILE=65536\n");
      assert.deepEqual(set(raised, "32768"), new Map([[ROOT, ""]]));
      assert.deepEqual(set(raised, null), new Map([[ROOT, ""]]));
    }
  });

  test("is not needed where the administrator's own decides, earlier or later: that is edited", () => {
    const text = "[Service]\n# site\nLimitNOFILE = 1024\nNice=1\n";
    for (const path of [SITE, LATER]) {
      const tree = beside({ [UNIT]: "[Service]\nLimitNOFILE=32768\n", [path]: text }, [path]);
      assert.deepEqual(set(tree, "65536"), new Map([[path, text.replace("1024", "65536")]]));
      assert.deepEqual(edited(dropIn, edited(dropIn, tree, { [KEY]: "65536" }), { [KEY]: "1024" }).files, tree.files);
    }
  });

  test("takes no other setting, and no value that a line can't hold", () => {
    for (const value of ["", "5\n", "5\r6", " 6", "6\t", "5\0", "5\u20ac"]) {
      assert.throws(() => set(treeOf(OURS), value), FormatError, JSON.stringify(value));
    }
    for (const key of ["LimitNOFILE", "Service.LimitNPROC", ""]) {
      assert.throws(() => dropIn.edit(treeOf(OURS), { [key]: "5" }), FormatError, key);
      assert.throws(() => dropIn.read(treeOf(OURS), [key]), FormatError, key);
    }
  });

  test("is edited or refused whatever stands in the files, and given its old value back", () => {
    const piece = fc.constantFrom(
      "[Service]",
      "[Unit]",
      "LimitNOFILE",
      "=",
      "5",
      ":6",
      "#",
      " ",
      "\n",
      "\n",
      "\r\n",
      "\r",
      "\\\n",
      "\xe9",
    );
    const text = fc.array(piece, { maxLength: 16 }).map((pieces) => pieces.join(""));
    fc.assert(
      fc.property(text, fc.option(text, { nil: undefined }), fc.constantFrom("5", "32768"), (own, later, value) => {
        const tree = treeOf(own, later);
        const before = values(dropIn, tree, [KEY])[KEY] ?? null;
        if (before !== null) assert.deepEqual(set(tree, before), new Map());
        if (!orRefused(() => set(tree, value))) return;
        const after = before === `${value}:${value}` ? tree : assertEdits(dropIn, tree, { [KEY]: value });
        const restored = edited(dropIn, after, { [KEY]: before });
        assert.equal(values(dropIn, restored, [KEY])[KEY] ?? null, before);
      }),
      { numRuns: 2000 },
    );
  });

  test("ends, whatever the line", () => {
    for (const part of ["LimitNOFILE=5\n", "LimitNOFILE", " ", "LimitNOFILE= ", "\r", "[Service]\n", "[", "[]"]) {
      assertEnds(dropIn, treeOf(`[Service]\n${part.repeat(1e6 / part.length)}`), { [KEY]: "32768" });
    }
  });
});

describe("limitTree", () => {
  test("has the administrator's own drop-ins of the unit itself, and not the one of WAPT's package", () => {
    const site = `${FOLDER}/site.conf`;
    const all = "/etc/systemd/system/service.d/all.conf";
    const wapt = `${FOLDER}/nginx_worker_files_limit.conf`;
    const files = new Map([site, all, wapt].map((path) => [path, "[Service]\nLimitNOFILE=5\n"]));
    const tree = limitTree(
      { files, names: [], own: new Set(files.keys()) },
      "nginx",
      "/lib/systemd/system/nginx.service",
    );
    assert.deepEqual(tree.own, new Set([site]));
    assert.deepEqual(tree.before, ["/lib/systemd/system/nginx.service", all, wapt, site]);
    assert.equal(tree.root, `${FOLDER}/zz-pulumi-wapt.conf`);
    assert.deepEqual(limitTree({ files, names: [], own: new Set() }, "nginx").before, [all, wapt, site]);
  });

  test("has the drop-ins of each prefix of the unit's name that ends with a dash, the longest first", () => {
    const of = (folder: string, name: string) => `/etc/systemd/system/${folder}.service.d/${name}.conf`;
    const [long, short] = [of("wapt-tasks-", "b"), of("wapt-", "b")];
    const names = [short, long, of("wapt-", "a"), of("wapt-t", "c"), of("wapt", "c"), of("wapt-tasks-1-", "c")];
    const { before } = limitTree({ files: new Map(), names, own: new Set() }, "wapt-tasks-1");
    assert.deepEqual(before, [of("wapt-", "a"), long]);
    const { before: last } = limitTree({ files: new Map(), names: [of("wapt-", "a")], own: new Set() }, "wapt-");
    assert.deepEqual(last, [of("wapt-", "a")]);
  });
});

describe("dropInOrder", () => {
  const [own, run, local, vendor, all] = ["/etc", "/run", "/usr/local/lib", "/usr/lib"]
    .map((folder) => `${folder}/systemd/system/nginx.service.d/x.conf`)
    .concat("/etc/systemd/system/service.d/x.conf");

  test("later file names of all folders", () => {
    const paths = [
      vendor!.replace("/x.", "/zz."),
      `${FOLDER}/a.conf`,
      run!,
      `${FOLDER}/wapta.conf`,
      `${FOLDER}/zz.conf~`,
    ];
    const others = [
      "/tmp/nginx.service.d/zz.conf",
      "/etc/systemd/system/apache2.service.d/zz.conf",
      "/etc/sysctl.d/zz.conf",
    ];
    const after = [`${FOLDER}/wapta.conf`, run, vendor!.replace("/x.", "/zz.")];
    assert.deepEqual(dropInOrder([...paths, ...others], ROOT).after, after);
    assert.deepEqual(dropInOrder([...paths, ROOT], ROOT).after, after);
  });

  test("a file masks those of its name in later folders, those for all services last", () => {
    const paths = [all, vendor, local, run, own].map((path) => path!);
    while (paths.length > 0) assert.deepEqual(dropInOrder(paths, ROOT).after, [paths.pop()]);
  });

  test("a file in place of the root is refused", () => {
    const mask = "/etc/systemd/system/a-b.service.d/wapt.conf";
    assert.throws(() => dropInOrder([mask], "/run/systemd/system/a-b.service.d/wapt.conf"), {
      message: `${mask}:1: this file is read in place of /run/systemd/system/a-b.service.d/wapt.conf; remove or rename it`,
    });
    assert.deepEqual(dropInOrder(["/run/systemd/system/nginx.service.d/wapt.conf"], ROOT).after, []);
  });
});
