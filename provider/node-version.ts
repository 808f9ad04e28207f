/** The Node.js that this package needs: an older one would end later, with a word of its own that helps nobody. */

/** The first 22 that reads TypeScript, as the site's program is. */
const [MAJOR, MINOR] = [22, 18];

/** @throws Error that names both versions. */
export function demandNode(version: string): void {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major > MAJOR || (major === MAJOR && minor >= MINOR)) return;
  throw new Error(
    `pulumi-wapt needs Node.js ${MAJOR}.${MINOR} or newer, and this is ${version}: put a newer one first on PATH`,
  );
}

demandNode(process.versions.node);
