/** `npm run prove`: how many clients a server holds, before and after, and how a storm ends. See README.md beside this file. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { machine } from "../benchmark/report";
import { BASES, type Base, SETTINGS } from "./bases";
import { heldChart, stormChart, stormCurves } from "./charts";
import { clientLimits, inWords } from "./client-limits";
import { type Case, type Measured, measure } from "./measured";
import { heldTable, leftOutTable, stormTable } from "./report";

const OPTIONS = {
  clients: { type: "string", default: "400,1000,2500,5000" },
  processors: { type: "string", default: "1" },
  bases: { type: "string", default: BASES.join() },
  "storm-limit": { type: "string", default: "300" },
  work: { type: "string", default: "1" },
  "each-left-out": { type: "boolean", default: false },
  only: { type: "string", default: "" },
  json: { type: "string" },
  svg: { type: "string" },
  from: { type: "string" },
} as const;

type Given = ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>["values"];

function numbersOf(text: string, name: string): number[] {
  const numbers = text.split(",").map(Number);
  if (numbers.some((one) => !Number.isInteger(one) || one < 1))
    throw new Error(`--${name} ${text}: give whole numbers`);
  return numbers;
}

function basesOf(text: string): Base[] {
  const bases = text.split(",");
  const unknown = bases.filter((name) => !(BASES as readonly string[]).includes(name));
  if (unknown.length > 0) throw new Error(`--bases ${unknown.join()}: there are ${BASES.join()}`);
  return bases as Base[];
}

/** Where each setting counts: the largest number of clients that is asked for. */
const leftOutCases = (clients: number, processors: 1 | 2, only: string): Case[] =>
  [undefined, ...SETTINGS.filter(({ name }) => only.split(",").some((part) => name.includes(part)))].map((leftOut) => ({
    base: "up",
    clients,
    processors,
    leftOut,
  }));

async function measureAll(given: Given): Promise<Measured[]> {
  const clients = numbersOf(given.clients, "clients");
  const [processors = 1] = numbersOf(given.processors, "processors");
  if (processors !== 1 && processors !== 2) throw new Error(`--processors ${processors}: there are 1 and 2`);
  const bases = basesOf(given.bases);
  const limits = clientLimits();
  console.log(`${machine()}; ${inWords(limits)}`);
  if (Math.max(...clients) > limits.most)
    throw new Error(`this client can't be ${Math.max(...clients)}: ${inWords(limits)}`);
  const cases: Case[] = given["each-left-out"]
    ? leftOutCases(Math.max(...clients), processors, given.only)
    : clients.flatMap((count) => bases.map((base) => ({ base, clients: count, processors })));
  const options = { stormLimitSeconds: Number(given["storm-limit"]), work: Number(given.work), log: console.log };
  const all: Measured[] = [];
  for (const one of cases) {
    console.log(`${one.clients} clients, ${one.base}${one.leftOut ? `, but ${one.leftOut.name}` : ""}`);
    all.push(await measure(one, options));
    if (given.json) writeFileSync(given.json, JSON.stringify({ machine: machine(), all }, undefined, 1));
  }
  return all;
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: OPTIONS });
  const kept = values.from && (JSON.parse(readFileSync(values.from, "utf8")) as { machine: string; all: Measured[] });
  if (kept) console.log(kept.machine);
  const all = kept ? kept.all : await measureAll(values);
  console.log(`\n${heldTable(all)}`);
  if (all.some(({ storm }) => storm)) console.log(`\n${stormTable(all)}`);
  if (all.some(({ leftOut }) => leftOut)) console.log(`\n${leftOutTable(all[0]!, all.slice(1))}`);
  if (values.svg) {
    mkdirSync(values.svg, { recursive: true });
    writeFileSync(join(values.svg, "held.svg"), heldChart(all));
    if (all.some(({ storm }) => storm)) writeFileSync(join(values.svg, "storm.svg"), stormChart(stormCurves(all)));
  }
}

main().then(
  () => process.exit(0),
  (error: Error) => {
    console.error(error.message);
    process.exit(1);
  },
);
