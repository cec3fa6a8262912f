/** `console.table` as text: a column per property, a row per item, drawn with plain lines. */

import { inspect } from "./inspect.ts";
import {
  append,
  getOwnPropertyDescriptor,
  hasOwn,
  isArray,
  keysOf,
  mapForEach,
  mapGet,
  mapSet,
  NativeMap,
  slice,
} from "./primordials.ts";

const ROWS_MAX = 100;
const COLUMNS_MAX = 20;
/** Text of one cell, in UTF-16 units. */
const CELL_UNITS_MAX = 60;
/** The column of items that are no objects. */
const VALUES = "Values";

type Row = Map<string, string>;

/** The table, or undefined for what has no rows. `only`: the columns that are shown. Throws what a proxy's traps throw. */
export function tableText(data: unknown, only: unknown): string | undefined {
  if (typeof data !== "object" || data === null) return undefined;
  const names = keysOf(data);
  const columns: string[] = ["(index)"];
  const known = new NativeMap<string, true>();
  const rows: Row[] = [];
  const count = names.length < ROWS_MAX ? names.length : ROWS_MAX;
  for (let index = 0; index < count; index++) {
    const name = names[index] ?? "";
    const row = rowOf(name, valueAt(data, name), only);
    append(rows, row);
    addColumns(columns, known, row);
  }
  const text = draw(columns, rows);
  return names.length > count ? `${text}\n… ${names.length - count} more rows` : text;
}

function rowOf(name: string, value: unknown, only: unknown): Row {
  const row: Row = new NativeMap();
  mapSet(row, "(index)", slice(name, 0, CELL_UNITS_MAX));
  if (typeof value !== "object" || value === null) {
    mapSet(row, VALUES, inspect(value, CELL_UNITS_MAX));
    return row;
  }
  const keys = isArray(only) ? only : keysOf(value);
  for (let index = 0; index < keys.length && index < COLUMNS_MAX; index++) {
    const key: unknown = keys[index];
    if (typeof key === "string" && hasOwn(value, key)) mapSet(row, key, inspect(valueAt(value, key), CELL_UNITS_MAX));
  }
  return row;
}

function addColumns(columns: string[], known: Map<string, true>, row: Row): void {
  mapForEach(row, (_text, key) => {
    if (key === "(index)" || mapGet(known, key) !== undefined || columns.length > COLUMNS_MAX) return;
    mapSet(known, key, true);
    append(columns, key);
  });
}

function draw(columns: readonly string[], rows: readonly Row[]): string {
  const widths: number[] = [];
  for (let column = 0; column < columns.length; column++) {
    const name = columns[column] ?? "";
    let width = name.length < CELL_UNITS_MAX ? name.length : CELL_UNITS_MAX;
    for (let index = 0; index < rows.length; index++) {
      const { length } = cellOf(rows[index], name);
      if (length > width) width = length;
    }
    append(widths, width);
  }
  let text = lineOf(widths, (column) => slice(columns[column] ?? "", 0, CELL_UNITS_MAX), " ", "|");
  text += `\n${lineOf(widths, () => "", "-", "+")}`;
  for (let index = 0; index < rows.length; index++) {
    text += `\n${lineOf(widths, (column) => cellOf(rows[index], columns[column] ?? ""), " ", "|")}`;
  }
  return text;
}

function lineOf(widths: readonly number[], cell: (column: number) => string, fill: string, between: string): string {
  let line = "";
  for (let column = 0; column < widths.length; column++) {
    if (column > 0) line += fill + between + fill;
    const text = cell(column);
    line += text;
    for (let width = text.length; width < (widths[column] ?? 0); width++) line += fill;
  }
  return line;
}

function cellOf(row: Row | undefined, column: string): string {
  return (row === undefined ? undefined : mapGet(row, column)) ?? "";
}

/** A getter is not called. */
function valueAt(holder: object, key: string): unknown {
  const property = getOwnPropertyDescriptor(holder, key);
  return property !== undefined && hasOwn(property, "value") ? property.value : undefined;
}
