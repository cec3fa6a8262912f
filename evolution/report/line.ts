/**
 * One line of a log, read back. A log may come from anywhere: every field that a report uses is looked at, with its bounds, and what
 * is too much is refused.
 */
import { EvolutionError } from "../errors.ts";
import type { RecordLine } from "./record.ts";

type Check = (value: unknown) => boolean;

const isText: Check = (value) => typeof value === "string";
const isCount: Check = (value) => Number.isSafeInteger(value) && Number(value) >= 0;
const isAmount: Check = (value) => typeof value === "number" && Number.isFinite(value) && value >= 0;
const isShare: Check = (value) => isAmount(value) && Number(value) <= 1;
const isTruth: Check = (value) => typeof value === "boolean";
const maybe =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value);
/** Entries of one list or object. */
const ENTRIES_MAX = 100_000;
const listOf =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.length <= ENTRIES_MAX && value.every(check);
const mapOf =
  (check: Check): Check =>
  (value) =>
    isObject(value) && Object.keys(value).length <= ENTRIES_MAX && Object.values(value).every(check);
const shapeOf =
  (fields: Readonly<Record<string, Check>>): Check =>
  (value) =>
    isObject(value) && Object.entries(fields).every(([key, check]) => check(value[key]));

/** Islands of a run: the engine's own bound. */
const ISLANDS_MAX = 64;
const isIsland: Check = (value) => isCount(value) && Number(value) < ISLANDS_MAX;
const place = { island: isIsland, generation: isCount, slot: isCount };

/** The fields of each type that a report reads. */
const SHAPES: Readonly<Record<RecordLine["type"], Readonly<Record<string, Check>>>> = {
  "run.context": { options: mapOf(isText), machine: mapOf(isText), versions: mapOf(isText) },
  "run.measured": { ms: isAmount, held: maybe(isShare) },
  "run.started": {
    runId: isText,
    problem: isText,
    seed: isCount,
    cases: isCount,
    islands: (value) => isIsland(value) || value === ISLANDS_MAX,
    populationPerIsland: isCount,
    mutators: listOf(isText),
  },
  "individual.evaluated": {
    ...place,
    id: isText,
    parents: listOf(isText),
    mutator: isText,
    note: maybe(isText),
    text: isText,
    score: isShare,
    asked: isCount,
    fuel: isAmount,
    usd: isAmount,
    isBest: isTruth,
  },
  "proposal.refused": { ...place, mutator: isText, why: mapOf(isCount) },
  "mutator.failed": { mutator: isText, generation: isCount, slot: isCount, message: isText },
  "mutator.retired": { mutator: isText, generation: isCount, slot: isCount, code: isText, message: isText },
  "island.migrated": { generation: isCount, island: isIsland, ids: listOf(isText) },
  "island.restarted": { generation: isCount, island: isIsland, id: isText },
  "generation.ended": {
    generation: isCount,
    evaluations: isCount,
    proposals: isCount,
    usd: isAmount,
    bestId: isText,
    bestScore: isShare,
    means: listOf(isAmount),
    cells: isCount,
    mutators: listOf(shapeOf({ mutator: isText, pulls: isCount, reward: isAmount })),
    hash: isText,
  },
  "run.ended": { why: isText, generation: isCount, hash: isText },
};

/**
 * Parses a line.
 * @throws {EvolutionError} EVOLUTION_DATA_INVALID with the number of the line and the field.
 */
export function parseLine(text: string, number: number): RecordLine {
  const value = parsed(text);
  if (!isObject(value)) throw invalid(number, "it is no JSON object");
  const type = String(value.type);
  if (!Object.hasOwn(SHAPES, type)) throw invalid(number, "it is no event of a search");
  const shape = SHAPES[type as RecordLine["type"]]; // an own key of it, as was just seen
  const field = Object.keys(shape).find((key) => shape[key]?.(value[key]) !== true);
  if (field !== undefined) throw invalid(number, `its ${field} is not what ${type} has`);
  return value as unknown as RecordLine; // the shape of its type was checked field by field
}

function invalid(line: number, what: string): EvolutionError {
  return new EvolutionError(
    "EVOLUTION_DATA_INVALID",
    `line ${line} of the log: ${what}; a report is made from the events of evolve, one JSON object a line`,
    {
      details: { line },
    },
  );
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // said by the caller, which knows the line
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
