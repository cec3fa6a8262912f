/**
 * What a turn wrote to its tables so far: the newest text of each row, nothing of what lies in the vault.
 *
 * Invariant: bytes and rows never exceed the turn's limits, so the Guardian never has to refuse what an honest guest sends.
 */
import { SandboxError } from "../errors.ts";
import type { IsolateLimits } from "../protocol.ts";
import { compareRowKeys, ROWS_PER_TURN_MAX, type RowOp } from "../rows.ts";
import { Chain, NONE, type Linked } from "./chain.ts";
import { append, indexOf, mapForEach, mapGet, mapSet, NativeMap, sortBy } from "./primordials.ts";
import { utf8Length } from "./utf8.ts";

/** A row that a turn wrote; `text` is undefined where it deleted it. */
export interface DraftRow {
  readonly key: string;
  readonly text: string | undefined;
}

/** Part of a table. "" is no bound. */
export interface KeyRange {
  readonly from: string;
  /** Excluded. */
  readonly to: string;
  readonly prefix: string;
  /** 1: from the first key up; -1: from the last key down. */
  readonly direction: 1 | -1;
}

/** Rows written by one turn. */
export class RowDraft {
  readonly #limits: IsolateLimits;
  #tables: Map<string, Map<string, DraftRow>> | undefined;
  #bytes = 0;
  #rows = 0;

  constructor(limits: IsolateLimits) {
    this.#limits = limits;
  }

  /** What this turn wrote under the key; undefined where it wrote nothing. */
  find(table: string, key: string): DraftRow | undefined {
    const rows = this.#tables === undefined ? undefined : mapGet(this.#tables, table);
    return rows === undefined ? undefined : mapGet(rows, key);
  }

  /** Puts or deletes (no text) a row. @throws {SandboxError} SANDBOX_WRITES_EXCEEDED; nothing has changed then. */
  write(table: string, key: string, text: string | undefined): void {
    const before = this.find(table, key);
    const bytes =
      this.#bytes + bytesOf(table, key, text) - (before === undefined ? 0 : bytesOf(table, key, before.text));
    const rows = this.#rows + (before === undefined ? 1 : 0);
    const { tableBytesPerTurnMax } = this.#limits;
    if (bytes > tableBytesPerTurnMax) throw exceeded(`${tableBytesPerTurnMax} bytes (limits.tableBytesPerTurnMax)`);
    if (rows > ROWS_PER_TURN_MAX) throw exceeded(`${ROWS_PER_TURN_MAX} rows`);
    mapSet(this.#table(table), key, { key, text });
    this.#bytes = bytes;
    this.#rows = rows;
  }

  /** What was written within the range, in the order of keys (or in reverse), as it is now. */
  within(table: string, range: KeyRange): readonly DraftRow[] {
    const rows: DraftRow[] = [];
    const drafted = this.#tables === undefined ? undefined : mapGet(this.#tables, table);
    if (drafted === undefined) return rows;
    mapForEach(drafted, (row) => {
      if (isWithin(row.key, range)) append(rows, row);
    });
    const { direction } = range;
    return sortBy(rows, (a, b) => direction * compareRowKeys(a.key, b.key));
  }

  /** Everything, for the turn's last word. */
  ops(): Linked<RowOp> {
    const ops = new Chain<RowOp>();
    if (this.#tables === undefined) return NONE;
    mapForEach(this.#tables, (rows, table) =>
      mapForEach(rows, ({ key, text }) => {
        ops.add([table, key, text]);
      }),
    );
    return ops;
  }

  #table(name: string): Map<string, DraftRow> {
    this.#tables ??= new NativeMap<string, Map<string, DraftRow>>();
    const known = mapGet(this.#tables, name);
    if (known !== undefined) return known;
    const table = new NativeMap<string, DraftRow>();
    mapSet(this.#tables, name, table);
    return table;
  }
}

function isWithin(key: string, { from, to, prefix }: KeyRange): boolean {
  if (from !== "" && compareRowKeys(key, from) < 0) return false;
  if (to !== "" && compareRowKeys(key, to) >= 0) return false;
  return prefix === "" || indexOf(key, prefix) === 0;
}

/** What a write takes of its turn's allowance: a delete weighs as much as its key. */
function bytesOf(table: string, key: string, text: string | undefined): number {
  return table.length + utf8Length(key) + (text === undefined ? 0 : utf8Length(text));
}

function exceeded(what: string): SandboxError {
  return new SandboxError(
    "SANDBOX_WRITES_EXCEEDED",
    `This turn writes more than ${what} to its tables; that is its limit.`,
  );
}
