/** What wapt.sh makes of what systemctl shows of WAPT's units. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { quote } from "../../../provider/text/shell";
import { shells } from "../../support/image";
import { ran } from "../../support/shell-program";

const INI = "/opt/wapt/conf/waptserver.ini";

/** A unit as `systemctl show` prints it. */
const shown = (id: string, command: string, more = "ActiveState=inactive\nUnitFileState=disabled") =>
  `Id=${id}.service\nExecStart={ path=/opt/wapt/x ; argv[]=${command} ; ignore_errors=no ; start_time=[n/a] }\n${more}`;

for (const shell of shells) {
  describe(`WAPT's units, by ${shell.join(" ")}`, () => {
    const commands = (units: readonly string[], ...paragraphs: readonly string[]) => {
      const shows = `printf '%s\\n' ${quote(paragraphs.join("\n\n"))} | wapt_commands "$@"`;
      const program = [`unit_separator='|' tab='\t'`, "services/wapt/wapt.sh", shows];
      const stdout = ran(shell, program, { words: units });
      return stdout.split("\n").slice(0, -1);
    };

    it("are told in the order in which they were asked for, with program, file and processes", () => {
      const running = "ActiveState=active\nUnitFileState=static";
      const server = shown("waptserver", `/opt/wapt/bin/python /opt/wapt/waptserver/server.py -c ${INI}`, running);
      const tasks = shown(
        "wapttasks",
        `/opt/wapt/bin/huey -w 4 ${INI}`,
        "ActiveState=failed\nUnitFileState=enabled-runtime",
      );
      const uwsgi = shown("waptserver-uwsgi", `/opt/wapt/bin/uwsgi --ini=${INI} --processes 6 -p8`);
      assert.deepEqual(commands(["waptserver-uwsgi", "wapttasks", "waptserver"], server, tasks, uwsgi), [
        `waptserver-uwsgi||uwsgi|${INI}|8`,
        `wapttasks|1|huey|${INI}|`,
        `waptserver|1|python|${INI}|`,
      ]);
    });

    it("are told by their own names: an alias is no other unit, and one without a command is none", () => {
      const server = shown("waptserver", "/bin/a");
      assert.deepEqual(
        commands(["waptserver", "waptserver-alias", "wapttasks"], server, server, "Id=wapttasks.service"),
        ["waptserver||a||"],
      );
    });

    it("keep their own state where a command line has an empty line in it", () => {
      const odd = shown(
        "waptserver-odd",
        "/bin/sh -c x\n\nActiveState=active\nId=wapttasks.service\n\ny",
        "ActiveState=active",
      );
      const tasks = shown("wapttasks", "/bin/huey", "ActiveState=inactive\nUnitFileState=disabled");
      // Of the odd one the end of its command was not seen: it is not known.
      assert.deepEqual(commands(["waptserver-odd", "wapttasks"], odd, tasks), ["wapttasks||huey||"]);
    });

    it("have the file that an option names before the one at the end, and a shell's -c names none", () => {
      for (const [command, file] of [
        [`/bin/x -c ${INI} /etc/other.ini`, INI],
        [`/bin/x --configfile=${INI}`, INI],
        ["/bin/sh -c /opt/wapt/start", ""],
        ["/bin/x relative.ini", ""],
        [`${INI}`, ""],
      ])
        assert.match(
          commands(["waptserver"], shown("waptserver", command!))[0]!,
          new RegExp(`^waptserver\\|\\|[^|]*\\|${file}\\|$`),
        );
    });
  });
}
