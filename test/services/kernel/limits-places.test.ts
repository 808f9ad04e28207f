/** Where a new line of limits.conf goes and how it is written, what is refused, and which files are read. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { limits, limitsTree } from "../../../provider/services/kernel/limits";
import { edit } from "../../support/lossless";

const ROOT = "/etc/security/limits.conf";
const HARD = "wapt hard nofile";
const added = (text: string, key = HARD) =>
  edit(limits, { root: ROOT, files: new Map([[ROOT, text]]) }, { [key]: "50" }).get(ROOT);
const refusedBy = (text: string, wanted: Record<string, string | null>, message: RegExp) =>
  assert.throws(() => edit(limits, { root: ROOT, files: new Map([[ROOT, text]]) }, wanted), message);

describe("a new line", () => {
  for (const [what, before, after] of [
    [
      "behind the domain's line of the item",
      "wapt soft nofile 5\nwapt hard nproc 7\n",
      "wapt soft nofile 5\nwapt hard nofile 50\nwapt hard nproc 7\n",
    ],
    [
      "behind the domain's last line where none has the item",
      "wapt hard core 5\nwapt soft nproc 7\nroot hard core 1\n",
      "wapt hard core 5\nwapt soft nproc 7\nwapt hard nofile 50\nroot hard core 1\n",
    ],
    [
      "behind a line that sets a limit, not one that sets none",
      "wapt soft nofile 5\nwapt soft nofile\nroot hard core 1\n",
      "wapt soft nofile 5\nwapt hard nofile 50\nwapt soft nofile\nroot hard core 1\n",
    ],
    [
      "in columns where its neighbour has fewer fields",
      "wapt soft\n",
      "wapt soft\nwapt         hard    nofile      50\n",
    ],
    [
      "before the remark that ends the file",
      "root hard core 1\n# End of file\n",
      "root hard core 1\nwapt         hard    nofile      50\n# End of file\n",
    ],
    ["before that remark however it is spaced", "root hard core 1\n#end  of file", undefined],
    [
      "before a remark of several blanks",
      "root hard core 1\n#\t  END of file\n\n",
      "root hard core 1\nwapt         hard    nofile      50\n#\t  END of file\n\n",
    ],
    ["behind a remark that says more", "# End of files\n", "# End of files\nwapt         hard    nofile      50\n"],
    ["behind a line that ends so", "x # End of file\n", "x # End of file\nwapt         hard    nofile      50\n"],
    ["into an empty file", "", "wapt         hard    nofile      50\n"],
    ["into a file of blank lines, at its end", "\n \n", "\n \nwapt         hard    nofile      50\n"],
    [
      "with its neighbour's indentation and widths",
      "  wapt   soft   nofile   5\n",
      "  wapt   soft   nofile   5\n  wapt   hard   nofile   50\n",
    ],
    [
      "with its neighbour's tabs and mixed blanks",
      "wapt\t soft \tnofile\t5\n",
      "wapt\t soft \tnofile\t5\nwapt\t hard \tnofile\t50\n",
    ],
    [
      "with one blank where its neighbour's column is too narrow",
      "wapt - core 5\n",
      "wapt - core 5\nwapt hard nofile 50\n",
    ],
  ] as const) {
    test(what, () => {
      if (after === undefined) assert.match(added(before)!, /nofile +50\n?$/);
      else assert.equal(added(before), after);
    });
  }

  test("has a blank behind a domain that is as wide as its column", () => {
    for (const domain of ["twelve-chars", "thirteen-char", "fourteen-chars"]) {
      const text = added("", `${domain} hard nofile`)!;
      assert.equal(text, `${`${domain} `.padEnd(13)}hard    nofile      50\n`);
    }
  });
});

describe("what is refused", () => {
  test("a limit for a domain that is freed from all of them", () =>
    refusedBy(
      "# one\nwapt -\n",
      { [HARD]: "50" },
      /^FormatError: \/etc\/security\/limits\.conf:2: frees wapt from every limit, so that 50 would have no effect; remove this line$/,
    ));

  test("a value that is no limit, by the name of the limit", () =>
    refusedBy(
      "",
      { [HARD]: "many" },
      /limits\.conf:1: hard nofile of wapt can't be "many"; give a number or "unlimited"$/,
    ));

  test("a key that is no limit", () => {
    for (const key of [
      "#wapt hard nofile",
      "wapt# hard nofile",
      "w\tapt hard nofile",
      "wapt hardest nofile",
      "wapt xsoft nofile",
      "wapt hard",
      "wapt",
      "",
    ])
      refusedBy("", { [key]: "5" }, /limits\.conf:1: ".*" is no limit; name it like "wapt hard nofile"$/);
  });

  test("every item of pam_limits that has two values is a limit", () => {
    for (const item of "as core cpu data fsize locks memlock msgqueue nofile nproc rss rtprio sigpending stack".split(
      " ",
    ))
      assert.match(added("", `wapt hard ${item}`)!, new RegExp(`^wapt +hard +${item} +50\n$`));
  });
});

describe("the files", () => {
  const folder = "/etc/security/limits.d";
  const override = `${folder}/zzz-pulumi-wapt.conf`;

  test("are limits.conf, then those of limits.d by their names, with the one that overrides them", () => {
    const files = new Map(
      [`${folder}/b.conf`, ROOT, `${folder}/a.conf`, "/etc/sysctl.conf", "/x/etc/security/limits.d/c.conf"].map(
        (path) => [path, ""],
      ),
    );
    const own = new Set([`${folder}/b.conf`]);
    const after = [`${folder}/a.conf`, `${folder}/b.conf`, override];
    assert.deepEqual(limitsTree({ files, own }), { root: ROOT, files, after, own, override });
  });

  test("have the one that overrides once, also where it is there", () => {
    const files = new Map([[override, ""]]);
    assert.deepEqual(limitsTree({ files, own: new Set() }).after, [override]);
  });

  test("a later one that may not be edited is overridden behind all of them", () => {
    const files = new Map([[`${folder}/vendor.conf`, "wapt hard nofile 5\n"]]);
    const edited = edit(limits, limitsTree({ files, own: new Set() }), { [HARD]: "50" });
    assert.deepEqual([...edited], [[override, "wapt         hard    nofile      50\n"]]);
  });
});
