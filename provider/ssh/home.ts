/** The folders in which ssh's files lie: the user's and the machine's. */
import { homedir, userInfo } from "node:os";
import { join } from "node:path";

/** Where OpenSSH keeps its own files for the whole machine. */
export const systemFolder =
  process.platform === "win32" ? join(process.env.PROGRAMDATA ?? "C:\\ProgramData", "ssh") : "/etc/ssh";

/** ssh takes the user's home from the passwd database. Where HOME names another folder, that takes its place here. */
export interface Home {
  readonly folder: string;
  /** The folder that ssh takes. */
  readonly passwd: string;
}

export function userHome(): Home {
  const passwd = passwdHome();
  return { folder: process.env.HOME === "" ? (passwd ?? "/") : homedir(), passwd: passwd ?? homedir() };
}

function passwdHome(): string | undefined {
  try {
    return userInfo().homedir;
  } catch {
    // The passwd database has no such user.
    return undefined;
  }
}

/** A leading `~` as the home folder. */
export function untilde(path: string, { folder }: Home): string {
  return path === "~" || path.startsWith("~/") ? join(folder, path.slice(1)) : path;
}

/** A path in which ssh has replaced `~` by the home that it takes. */
export function inHome(path: string, home: Home): string {
  const { folder, passwd } = home;
  const below = (other: string) => path.startsWith(`${other}/`);
  if (folder === passwd || passwd === "/" || below(folder) || !below(passwd)) return untilde(path, home);
  return join(folder, path.slice(passwd.length));
}
