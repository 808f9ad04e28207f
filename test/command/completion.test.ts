/** `pulumi-wapt completion`: what each shell itself makes of it. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { command } from "../support/command";

const folder = mkdtempSync(join(tmpdir(), "wapt-completion-"));
after(() => rmSync(folder, { recursive: true, force: true }));
mkdirSync(join(folder, "a folder"));
writeFileSync(join(folder, "a file"), "");

async function scriptOf(shell: string): Promise<string> {
  const path = join(folder, shell);
  writeFileSync(path, (await command(["completion", shell])).stdout);
  return path;
}

const has = (shell: string): string | false =>
  spawnSync(shell, ["-c", "true"]).status === 0 ? false : `there is no ${shell}`;

function said(program: string, ...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: "utf8", timeout: 60_000, cwd: folder });
  assert.deepEqual([status, stderr], [0, ""]);
  return stdout;
}

/** What a shell offers for a line whose last word is completed. */
type Offers = (line: string) => Promise<string[]>;

const COMMANDS = "comment completion fleet inspect sizing summary uninstall".split(" ");
const lines: [string, string, string[]][] = [
  ["the second words of fleet", "fleet ", "destroy drift list preview refresh summary up".split(" ")],
  ["an option of a command of two words", "fleet up --wa", ["--waves"]],
  ["an option's values, by command", "fleet list --format ", ["json", "matrix", "text"]],
  ["them behind other words", "fleet up --yes --restarts n", ["never", "now"]],
  ["them where another command has others", "summary --format ju", ["junit"]],
  ["a folder with a blank, where a folder is meant", "fleet up --output a", ["a folder"]],
  ["nothing where any word may be", "inspect --clients ", []],
  ["nothing for a command that does not exist", "tune ", []],
];

function completes(offers: Offers): void {
  it("completes the commands", async () => {
    const offered = await offers("");
    assert.deepEqual(offered.filter((word) => !word.startsWith("-")).sort(), COMMANDS);
  });
  for (const [what, line, words] of lines)
    it(`completes ${what}: ${line}`, async () => assert.deepEqual((await offers(line)).sort(), words));
  it("completes files behind a command that takes files", async () => {
    assert.deepEqual((await offers("summary a")).sort(), ["a file", "a folder"]);
  });
}

describe("the completion for bash", { skip: has("bash") }, () => {
  const ASK =
    'source "$1"; COMP_WORDS=("${@:2}"); COMP_CWORD=$(($# - 2)); _pulumi_wapt; printf "%s\\n" "${COMPREPLY[@]}"';
  completes(async (line) => {
    const words = ["pulumi-wapt", ...line.split(" ")];
    return said("bash", "-c", ASK, "bash", await scriptOf("bash"), ...words)
      .split("\n")
      .filter(Boolean);
  });
});

describe("the completion for fish", { skip: has("fish") }, () => {
  completes(async (line) => {
    const offered = said("fish", "-N", "-c", `source ${await scriptOf("fish")}; complete -C "pulumi-wapt ${line}"`);
    const words = offered.split("\n").map((row) => row.split("\t")[0]!.replace(/\/$/, "").replaceAll("\\ ", " "));
    return words.filter(Boolean);
  });
});

describe("the completion for zsh", { skip: has("zsh") }, () => {
  // In a terminal of its own, where the line is completed by the tabulator and then printed in place of being run.
  const ASK = `zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "PS1=; unsetopt zle_bracketed_paste; autoload -U compinit; compinit -u -D; source $1
  pulumi-wapt() { print -rl -- '<'\\"\\$@\\"'>' }; setopt no_beep no_list_ambiguous; echo rea''dy"
zpty -r -m shell line '*ready*'
zpty -w -n shell "pulumi-wapt $2"$'\\t'"; echo en''d"$'\\n'
zpty -r -m shell line '*end*'
print -r -- "$line"`;

  for (const [line, completed] of [
    ["fle", "<fleet>"],
    ["fleet up --wa", "<fleet\nup\n--waves>"],
    ["completion z", "<completion\nzsh>"],
    ["fleet list --format m", "<fleet\nlist\n--format\nmatrix>"],
    ["fleet up --output a", "<fleet\nup\n--output\na folder>"],
    ["tune x", "<tune\nx>"],
  ] as const) {
    it(`completes ${line}`, async () => {
      const printed = said("zsh", "-f", "-c", ASK, "zsh", await scriptOf("zsh"), line).replaceAll("\r", "");
      assert.ok(printed.includes(`\n${completed}\n`), JSON.stringify(printed));
    });
  }
});

describe("the command", () => {
  it("refuses a shell that it does not know, with those that it knows", async () => {
    for (const words of [["completion"], ["completion", "tcsh"], ["completion", "bash", "zsh"]]) {
      const { code, stdout, stderr } = await command(words);
      assert.deepEqual([code, stdout], [1, ""]);
      assert.equal(stderr, "completion takes the name of a shell: bash, zsh, fish\n");
    }
  });

  it("offers every option that its help has", async () => {
    const { stdout: bash } = await command(["completion", "bash"]);
    for (const name of ["sizing", "inspect", "fleet up", "fleet drift", "completion"]) {
      const { stdout: help } = await command([...name.split(" "), "--help"]);
      const options = [...help.matchAll(/^ {2}(--[\w-]+)/gm)].map(([, option]) => option);
      const offered = new RegExp(`^ +'${name} '\\*\\) words='([^']*)'`, "m").exec(bash)?.[1]?.split(" ") ?? [];
      assert.deepEqual(
        offered.filter((word) => word.startsWith("--")),
        options,
      );
    }
  });
});
