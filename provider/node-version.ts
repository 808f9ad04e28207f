/** The Node.js that this package needs: an older one would end later, with a word of its own that helps nobody. */

const OLDEST = 22;

/** @throws Error that names both versions. */
export function demandNode(version: string): void {
  if (Number.parseInt(version, 10) >= OLDEST) return;
  throw new Error(
    `pulumi-wapt needs Node.js ${OLDEST} or newer, and this is ${version}: put a newer one first on PATH`,
  );
}

demandNode(process.versions.node);
