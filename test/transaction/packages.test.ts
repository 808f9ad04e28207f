/** Which package a folder belongs to, where a server has dpkg, rpm or both. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Facts, fieldsOf } from "../../provider/transaction/report";
import { shells } from "../support/image";
import { ran } from "../support/shell-program";

const PROGRAM = ["transaction/lines.sh", "transaction/observe.sh"];

const DPKG = `dpkg() { shift; for f; do case $f in /var/lib/nginx) echo "nginx-common, nginx: $f" ;; *) status=1 ;; esac; done; return "\${status:-0}"; }`;
const RPM = `rpm() { case $4 in /opt/wapt) echo tis-waptserver ;; *) echo "file $4 is not owned by any package"; return 1 ;; esac; }`;

for (const shell of shells) {
  describe(`a folder's package, by ${shell.join(" ")}`, () => {
    const packagesOf = (tools: readonly string[], ...folders: readonly string[]) => {
      const has = tools.some((tool) => tool === DPKG);
      const stands = `root='' top=''; limited() { "$@"; }; has_dpkg() { ${has}; }`;
      const missing = [DPKG, RPM]
        .filter((tool) => !tools.includes(tool))
        .map((tool) => `${tool.slice(0, tool.indexOf("("))}() { return 127; }`);
      const calls = `for f; do ask_package "$f"; done; packages_and_own_files`;
      const stdout = ran(shell, [...PROGRAM, stands, ...missing, ...tools, calls], { words: folders });
      const facts = [...fieldsOf(stdout)].map((fields) => fields.split("\0").slice(1, -1));
      return Object.fromEntries(new Facts(facts).named("package"));
    };
    const FOLDERS = ["/var/lib/nginx", "/opt/wapt", "/srv/wapt-uploads"];

    it("is what dpkg says, and of what dpkg does not know what rpm says", () =>
      assert.deepEqual(packagesOf([DPKG, RPM], ...FOLDERS), {
        "/var/lib/nginx": "nginx-common",
        "/opt/wapt": "tis-waptserver",
        "/srv/wapt-uploads": "",
      }));

    it("is what the one of the two says that there is", () => {
      assert.deepEqual(packagesOf([DPKG], ...FOLDERS), {
        "/var/lib/nginx": "nginx-common",
        "/opt/wapt": "",
        "/srv/wapt-uploads": "",
      });
      assert.deepEqual(packagesOf([RPM], ...FOLDERS), {
        "/var/lib/nginx": "",
        "/opt/wapt": "tis-waptserver",
        "/srv/wapt-uploads": "",
      });
    });
  });
}
