/** A reporter that ends the tests at their first failure: a mutant that one test has noticed needs no other. */
export default async function* firstFailure(events) {
  for await (const { type } of events) if (type === "test:fail") process.exit(1);
  yield "";
}
