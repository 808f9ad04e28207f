/** Watches a lab server's processes: the arguments and the environment of each, as any of its users might see them. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import type { LabServer } from "../lab/server";

// It asks for nothing by name, so that nothing that is sought stands in its own arguments.
const WATCH = `
import os, sys, time
end, seen, rounds = sys.argv[1], set(), 0
while not os.path.exists(end):
    rounds += 1
    for process in filter(str.isdigit, os.listdir("/proc")):
        for what in ("cmdline", "environ"):
            try:
                with open(f"/proc/{process}/{what}", "rb") as file:
                    seen.add(file.read())
            except OSError:
                pass
    time.sleep(0.002)
sys.stdout.buffer.write(b"%d rounds\\n" % rounds + b"\\n".join(one.replace(b"\\0", b" ") for one in seen))
`;

/** Does something and returns all arguments and environments that processes of the server had meanwhile, a line each. */
export async function processesDuring(server: LabServer, action: () => Promise<unknown>): Promise<string> {
  const end = `/run/watched-${randomUUID()}`;
  const watching = server.exec(`exec python3 - ${end}`, { input: WATCH, timeoutSeconds: 300 });
  try {
    await action();
    // A process that lives as briefly as those of a login shows whether the watch would have seen a secret.
    await server.exec("MARK=seen-in-environment sh -c 'sleep 0.05; : seen-in-arguments'");
  } finally {
    await server.exec(`touch ${end}`);
  }
  const { stdout } = await watching;
  assert.match(stdout, /seen-in-environment/);
  assert.match(stdout, /seen-in-arguments/);
  return stdout;
}
