/**
 * Instances: drawn from a distribution to search on, or read from a data file to be judged on.
 */
import { readFile } from "node:fs/promises";
import type { Random } from "../../../runtime/index.ts";
import { EvolutionError } from "../../errors.ts";
import { below } from "../../population/chance.ts";
import { fraction } from "../draws.ts";
import type { Instance } from "./packer.ts";

/** How items are drawn. */
export interface Drawn {
  readonly capacity: number;
  readonly items: number;
  readonly draw: (random: Random) => number;
}

/**
 * Weibull of shape 3 and scale 45, from 1 to 100, as FunSearch's sets are described (Romera-Paredes et al. 2024, after Castineiras et
 * al. 2012). Made whole by cutting off: the published set's mean of 39.75 says so, rounded items would have 40.2.
 */
export const weibull: Drawn = {
  capacity: 100,
  items: 5000,
  draw: (random) => Math.max(1, Math.floor(Math.min(100, 45 * (-Math.log(1 - fraction(random))) ** (1 / 3)))),
};

/** From 20 to 100, each as likely, into 150, 500 items: as sets 1 to 4 of Beasley's OR-Library are described (Falkenauer 1996). */
export const uniform: Drawn = { capacity: 150, items: 500, draw: (random) => 20 + below(random, 81) };

/** Instances of one kind. */
export function drawInstances(kind: Drawn, count: number, random: Random): readonly Instance[] {
  return Array.from({ length: count }, (_, at) => ({
    id: `drawn ${at}`,
    capacity: kind.capacity,
    items: Uint16Array.from({ length: kind.items }, () => kind.draw(random)),
  }));
}

/**
 * Reads `{ name, instances: { id: { capacity, num_items, items } } }`.
 * @throws {EvolutionError} EVOLUTION_DATA_MISSING for a file of another form.
 */
export async function readInstances(path: string): Promise<readonly Instance[]> {
  const text = await readFile(path, "utf8");
  const found = instancesIn(parsed(text));
  if (found.length > 0 && found.every(isSound)) return found;
  throw new EvolutionError(
    "EVOLUTION_DATA_MISSING",
    `${path} is no list of bin packing instances: put { "instances": { name: { "capacity": 100, "items": [whole numbers from 1 to capacity] } } } there.`,
    { details: { path } },
  );
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // the refusal names the file and the form
  }
}

function instancesIn(data: unknown): readonly Instance[] {
  if (!isRecord(data) || !isRecord(data.instances)) return [];
  return Object.entries(data.instances).map(([id, each]) => {
    const { capacity, items } = isRecord(each) ? each : {};
    const isList = Array.isArray(items) && items.every((item) => Number.isInteger(item) && item > 0 && item <= 0xffff);
    return { id, capacity: Number(capacity), items: Uint16Array.from(isList ? items : []) };
  });
}

function isSound({ capacity, items }: Instance): boolean {
  return Number.isInteger(capacity) && capacity > 0 && items.length > 0 && items.every((item) => item <= capacity);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}
