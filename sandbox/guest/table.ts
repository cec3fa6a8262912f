/**
 * `ctx.table(name)`: the rows of one table, fetched from the Guardian when they are asked for, under what this turn wrote.
 *
 *     put, delete --> draft --(the turn's last word)--> commit
 *     get, has    --> draft ? draft : one crossing
 *     range       --> draft (as it was at the first step) merged with pages, one crossing per page
 *
 * Invariants
 * 1. What lies in the vault does not change during a turn, so pages fetched one after the other are of one moment.
 * 2. A value that was handed out is the handler's own: changing it changes no row.
 */
import { decodeTrusted, encode } from "../codec.ts";
import { SandboxError } from "../errors.ts";
import type { IsolateLimits } from "../protocol.ts";
import {
  compareRowKeys,
  isRowBound,
  isRowKey,
  isTableName,
  PAGE_ROWS_MAX,
  parsePage,
  ROW_KEY_RULE,
  TABLE_RULE,
  type RowPage,
} from "../rows.ts";
import { asyncIterator, freeze, jsonStringify, keysOf, mapHas, NativeTypeError, slice, toText } from "./primordials.ts";
import type { DraftRow, KeyRange } from "./row-draft.ts";
import { readOnly } from "./read-only.ts";
import { quiet, type TurnRun } from "./turn.ts";

const RANGE_NAMES: ReadonlyMap<string, true> = new Map(
  ["from", "to", "prefix", "limit", "reverse"].map((name) => [name, true]),
);

interface RangeQuery extends KeyRange {
  readonly limit: number;
}

const RANGE_WORDS = "from, to, prefix, limit and reverse";
const ONE = { to: "", after: "", prefix: "", rowsMax: 1 } as const;

/** The table as a handler sees it: closures over its turn, so that it may be taken apart. */
export function tableOf(turn: TurnRun, name: unknown, limits: IsolateLimits): object {
  turn.assertOpen();
  const table = tableName(name);
  const write = (key: string, text: () => string | undefined): void => {
    turn.assertOpen();
    if (turn.reads) throw readOnly(`cannot write ${rowName(table, key)}`);
    turn.rows.write(table, key, text());
  };
  return freeze({
    get: (key: unknown) => quiet(getRow(turn, table, key)),
    has: (key: unknown) => quiet(hasRow(turn, table, key)),
    put: (key: unknown, value: unknown) => {
      const checked = rowKey(key);
      write(checked, () => encodeRow(value, rowName(table, checked), limits.rowBytesMax));
    },
    delete: (key: unknown) => write(rowKey(key), () => undefined),
    range: (options?: unknown) => {
      turn.assertOpen();
      const query = rangeQuery(options);
      return freeze({ [asyncIterator]: () => rowsOf(turn, table, query) });
    },
  });
}

async function getRow(turn: TurnRun, table: string, given: unknown): Promise<unknown> {
  const key = rowKey(given);
  turn.assertOpen();
  const drafted = turn.rows.find(table, key);
  if (drafted !== undefined) return drafted.text === undefined ? undefined : decodeTrusted(drafted.text);
  const answer = await turn.read({ ...ONE, kind: "get", table, key });
  return answer[0] === "=" ? decodeTrusted(slice(answer, 1)) : undefined;
}

async function hasRow(turn: TurnRun, table: string, given: unknown): Promise<boolean> {
  const key = rowKey(given);
  turn.assertOpen();
  const drafted = turn.rows.find(table, key);
  if (drafted !== undefined) return drafted.text !== undefined;
  return (await turn.read({ ...ONE, kind: "has", table, key })) === "1";
}

/** Merges two ordered lists; where both have a key the draft's row counts. */
async function* rowsOf(turn: TurnRun, table: string, query: RangeQuery): AsyncGenerator<readonly [string, unknown]> {
  const drafted = turn.rows.within(table, query);
  let page: RowPage | undefined;
  let at = 0;
  let own = 0;
  for (let left = query.limit; left > 0;) {
    if (page === undefined || (at === page.keys.length && page.next !== "")) {
      page = await nextPage(turn, table, query, { after: page === undefined ? "" : page.next, rowsMax: left });
      at = 0;
      continue;
    }
    const row = drafted[own];
    const key = page.keys[at];
    const order = orderOf(row, key, query.direction);
    if (order === undefined) return;
    if (order <= 0) own++;
    if (order >= 0) at++;
    const text = order <= 0 ? row?.text : page.texts[at - 1];
    if (text === undefined) continue; // deleted by this turn
    left--;
    yield [(order <= 0 ? row?.key : key) ?? "", decodeTrusted(text)];
  }
}

/** Which comes next: the draft's row (negative), the page's (positive), both (0), none (undefined). */
function orderOf(row: DraftRow | undefined, key: string | undefined, direction: number): number | undefined {
  if (row === undefined) return key === undefined ? undefined : 1;
  return key === undefined ? -1 : direction * compareRowKeys(row.key, key);
}

async function nextPage(
  turn: TurnRun,
  table: string,
  { from, to, prefix, direction }: RangeQuery,
  { after, rowsMax }: { readonly after: string; readonly rowsMax: number },
): Promise<RowPage> {
  const kind = direction === 1 ? "up" : "down";
  const rows = rowsMax < PAGE_ROWS_MAX ? rowsMax : PAGE_ROWS_MAX;
  return parsePage(await turn.read({ kind, table, key: from, to, after, prefix, rowsMax: rows }));
}

function rangeQuery(given: unknown): RangeQuery {
  if (given === undefined) return { from: "", to: "", prefix: "", limit: Infinity, direction: 1 };
  if (typeof given !== "object" || given === null) throw new NativeTypeError(`range takes { ${RANGE_WORDS} }`);
  const options = given as Readonly<Record<string, unknown>>; // any object can be read by key
  const names = keysOf(options);
  for (let index = 0; index < names.length; index++) {
    const name = names[index] ?? "";
    if (mapHas(RANGE_NAMES, name)) continue;
    throw new NativeTypeError(`range knows ${RANGE_WORDS}, not ${jsonStringify(name)}`);
  }
  const { from, to, prefix, limit, reverse } = options;
  if (to === "") throw keyInvalid(to);
  if (reverse !== undefined && typeof reverse !== "boolean") throw new NativeTypeError("reverse must be true or false");
  const direction = reverse === true ? -1 : 1;
  return { from: bound(from), to: bound(to), prefix: bound(prefix), limit: limitOf(limit), direction };
}

function limitOf(limit: unknown): number {
  if (limit === undefined) return Infinity;
  if (typeof limit === "number" && limit >= 0 && (limit === Infinity || limit % 1 === 0)) return limit;
  throw new NativeTypeError(`the limit of a range is a whole number, not ${toText(limit)}`);
}

function bound(value: unknown): string {
  if (value === undefined) return "";
  if (typeof value === "string" && isRowBound(value)) return value;
  throw keyInvalid(value);
}

function rowKey(value: unknown): string {
  if (typeof value === "string" && isRowKey(value)) return value;
  throw keyInvalid(value);
}

function keyInvalid(value: unknown): SandboxError {
  const given = typeof value === "string" ? jsonStringify(value) : `a ${typeof value}`;
  return new SandboxError("SANDBOX_ROW_KEY_INVALID", `${given} is no key of a row: ${ROW_KEY_RULE}.`);
}

function tableName(value: unknown): string {
  if (typeof value === "string" && isTableName(value)) return value;
  const given = typeof value === "string" ? jsonStringify(value) : `a ${typeof value}`;
  throw new SandboxError("SANDBOX_TABLE_NAME_INVALID", `${given} is no name of a table: ${TABLE_RULE}.`);
}

function encodeRow(value: unknown, root: string, bytesMax: number): string {
  try {
    return encode(value, { bytesMax, root });
  } catch (error) {
    const refusal = error as SandboxError; // `encode` throws nothing else
    if (refusal.code !== "SANDBOX_MESSAGE_TOO_LARGE") throw refusal;
    throw new SandboxError("SANDBOX_ROW_TOO_LARGE", `${root} is longer than ${bytesMax} bytes (limits.rowBytesMax).`, {
      cause: error,
    });
  }
}

function rowName(table: string, key: string): string {
  return `${table}[${jsonStringify(key)}]`;
}
