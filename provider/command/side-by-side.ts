/** Runs something for each of many, some of them at the same time; the results have their order. */
export async function sideBySide<T, R>(all: readonly T[], most: number, run: (one: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const next = all.entries();
  const worker = async () => {
    for (const [at, one] of next) results[at] = await run(one);
  };
  await Promise.all(Array.from({ length: Math.min(most, all.length) }, worker));
  return results;
}
