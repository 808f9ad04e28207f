/** How a shell of root's is started by sudo, and what sudo complains of. */
import { SshError } from "./ssh-error";

/** A shell that reads its program from stdin, as the user who logged in. Every login shell takes this command. */
export const PLAIN_COMMAND = "exec /bin/sh -s";

/** The same through sudo, for when no password is at hand. */
const COMMAND_WITHOUT_PASSWORD = "exec env LC_ALL=C sudo -n /bin/sh -s";

/**
 * The same through sudo with a password, whether or not sudo asks for one (NOPASSWD, a ticket, targetpw): decided on
 * the server, in the same exec. What is sent on stdin is the password's line, then the program.
 *
 * A command's input is logged where sudoers has log_input, so no command gets the password. `sudo -v` runs none: it takes
 * the line if it asks, and makes a ticket; with the end of input behind it, a wrong password is one attempt, never three.
 * The ticket serves the shell; where tickets are switched off, sudo asks again, for certain, and takes the line before
 * the shell's input begins. It stands between two quotes: no apostrophe, no `!` (csh), no line break (csh), no backslash
 * before a backslash (fish).
 */
function commandWithPassword(): string {
  const freely = "sudo -n /bin/sh -c : </dev/null 2>/dev/null";
  const outer = [
    "LC_ALL=C",
    "export LC_ALL",
    "IFS= read -r p",
    // Rules of which some demand a password make -v demand it, though the shell's may not.
    `printf "%s\\n" "$p" | sudo -S -p "" -v || ${freely} || exit 1`,
    // A ticket without a terminal is its parent's: no exec.
    `if ${freely}; then sudo -n /bin/sh -s; exit $?; fi`,
    '{ printf "%s\\n" "$p"; exec cat; } | sudo -S -p "" /bin/sh -s',
  ];
  return `exec /bin/sh -c '${outer.join("; ")}'`;
}

/** How a program becomes root through sudo: the command to execute, and the bytes to send before the program. */
export function sudoCommand(password: string | undefined): { command: string; input: string } {
  return password === undefined
    ? { command: COMMAND_WITHOUT_PASSWORD, input: "" }
    : { command: commandWithPassword(), input: `${password}\n` };
}

/** Printed by the preamble, in sudo's place, when sudo keeps the shell from running programs. */
const NOEXEC = "sudo: noexec";

/** Runs as root before the program: with `Defaults noexec` a shell starts, but none of its commands. */
export const SUDO_PREAMBLE = `/bin/sh -c : 2>/dev/null || { printf '%s\\n' '${NOEXEC}' >&2; exit 126; }\n`;

/** What sudo and sudo-rs say in the C locale, and what it means; the first that fits counts. */
const MEANINGS: readonly (readonly [said: RegExp, meaning: string])[] = [
  [
    /validation failure|is expired|account is locked/i,
    "sudo finds the account locked or expired: unlock it, or set a new password (chage -l USER and faillock show why)",
  ],
  [/must have a tty/, "sudo wants a terminal: remove requiretty for this user in sudoers (Defaults:USER !requiretty)"],
  [
    /sudo: noexec/,
    "sudo starts a shell, but lets it run no programs: exempt it from noexec in sudoers (USER ALL=(root) EXEC: /bin/sh)",
  ],
  [
    /not in the sudoers file|may not run sudo|not allowed to (execute|run)|I'm afraid I can't do that/,
    "sudo does not permit it: let the user run /bin/sh as root in sudoers",
  ],
  [
    /incorrect password|Sorry, try again|Authentication failed/i,
    "sudo refused the password: correct connection.sudoPassword (or connection.password, or PULUMI_WAPT_SUDO_PASSWORD)",
  ],
  [
    /password is required|terminal is required|authentication is required|no password was provided/,
    "sudo asks for a password: give connection.sudoPassword, or permit /bin/sh with NOPASSWD in sudoers",
  ],
  [/sudo['’]?: (command )?not found|sudo['’]?: No such file/, "sudo is not installed: install it, or log in as root"],
  [/must be owned by uid 0|effective uid is not 0/, "sudo has lost its rights (setuid root): repair its installation"],
];

/** The error for a program that sudo did not start, from what was printed in its place; undefined when it is not sudo's. */
export function sudoError(where: string, printed: string): SshError | undefined {
  const meaning = MEANINGS.find(([said]) => said.test(printed))?.[1];
  return meaning === undefined ? undefined : new SshError("sudo", `${where}: ${meaning}`);
}

/** Whether another password may help. */
export function isWrongPassword(error: unknown): error is SshError {
  return error instanceof SshError && error.kind === "sudo" && error.message.includes("refused the password");
}
