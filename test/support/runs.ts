/**
 * How many files a property tries: so many, times `RUNS` of the environment; a mutation run tries a tenth.
 * @throws Error where `RUNS` is no number above 0: a property that tries nothing shows nothing.
 */
export function runs(usual: number): number {
  const times = Number(process.env.RUNS || 1);
  if (!(times > 0)) throw new Error(`RUNS=${process.env.RUNS}: give a number above 0`);
  return Math.max(1, Math.round(usual * times));
}
