/**
 * Rows of an agent's tables in the language between Guardian and guest: what they are called, how they are written in a
 * turn's last word, how they are asked for, and the texts of the answers.
 *
 *     guest                                       Guardian
 *     ctx.table("notes").get("k")    --read-->    looks into the agent's own branch
 *     value, decoded here            <--text--    the row's encoded text, unread
 *
 * Invariants
 * 1. A table and a key name a row of the asking agent, whatever they say: there are no words for anything else.
 * 2. An answer is bounded: one row, or a page of at most `PAGE_ROWS_MAX` rows and `PAGE_BYTES_MAX` bytes (a first row that
 *    is larger goes alone), for which at most `PAGE_LOOKS_MAX` keys were looked at.
 */
import { pack, Unpacker } from "./envelope.ts";
import { bare, charCodeAt, filled, isWellFormed } from "./guest/primordials.ts";
import { isLongerThan } from "./guest/utf8.ts";

/** A row and its new text; undefined deletes it. */
export type RowOp = readonly [table: string, key: string, text: string | undefined];

/**
 * Which rows are wanted: one (`get`, `has`), or a page of those at and after `key` and before `to`: `up` from the first, or
 * `down` from the last.
 */
export interface RowQuery {
  readonly kind: "get" | "has" | "up" | "down";
  readonly table: string;
  /** Where the range begins: "" is the table's first row. */
  readonly key: string;
  /** Excluded end; "" is the table's end. */
  readonly to: string;
  /** Where the page before this one ended: rows up to there are left out. "" for the first page. */
  readonly after: string;
  /** Only keys that begin with it. */
  readonly prefix: string;
  /** Rows wanted, 1 to `PAGE_ROWS_MAX`. */
  readonly rowsMax: number;
}

/** A query of a waiting turn; `ask` names it in the answer. */
export interface RowRead extends RowQuery {
  readonly ask: number;
}

/** Some rows in the order of their keys; none where many were deleted. */
export interface RowPage {
  readonly keys: readonly string[];
  readonly texts: readonly string[];
  /** The key behind which the range goes on; "" where it holds no more. */
  readonly next: string;
}

/** Rows that one turn may write. Bounds the lists that a turn can produce, as `STATE_KEYS_MAX` does for the state. */
export const ROWS_PER_TURN_MAX = 65_536;
/** Length of a table's name. */
const TABLE_UNITS_MAX = 63;
/** Length of a row's key in bytes of UTF-8: the vault takes 512; two, the table's name and a separator stand in front. */
const ROW_KEY_BYTES_MAX = 512 - 3 - TABLE_UNITS_MAX;
/** Rows of one page: enough that crossing costs little beside decoding them. */
export const PAGE_ROWS_MAX = 512;
/** Keys and texts of one page, in bytes: about a millisecond of reading, and small beside any heap. */
export const PAGE_BYTES_MAX: number = 256 * 1024;
/** Keys looked at for one page, deleted ones included: about two milliseconds where all of them are. */
export const PAGE_LOOKS_MAX: number = 8 * PAGE_ROWS_MAX;
/** What a query takes at most on its way, in bytes: four texts that may be keys, and the words around them. */
export const QUERY_BYTES_MAX: number = 5 * 512;

/** What a table may be called, in words. */
export const TABLE_RULE = `1 to ${TABLE_UNITS_MAX} letters, digits and "_", no digit first`;
/** What a row's key may be, in words. */
export const ROW_KEY_RULE = `1 to ${ROW_KEY_BYTES_MAX} bytes of well-formed text`;

/** Whether a text may name a table: an identifier of plain letters. */
export function isTableName(name: string): boolean {
  if (name.length === 0 || name.length > TABLE_UNITS_MAX) return false;
  for (let index = 0; index < name.length; index++) {
    const unit = charCodeAt(name, index);
    const isDigit = unit >= 0x30 && unit <= 0x39;
    const isLetter = (unit >= 0x41 && unit <= 0x5a) || (unit >= 0x61 && unit <= 0x7a) || unit === 0x5f;
    if (!isLetter && (!isDigit || index === 0)) return false;
  }
  return true;
}

/** Whether a text may be the key of a row. */
export function isRowKey(key: string): boolean {
  return key !== "" && isRowBound(key);
}

/** Whether a text may be an end of a range of keys: a key, or "". */
export function isRowBound(key: string): boolean {
  return isWellFormed(key) && !isLongerThan(key, ROW_KEY_BYTES_MAX);
}

/** The order of rows: by the bytes of their keys in UTF-8, as in the vault. Negative, zero or positive. */
export function compareRowKeys(a: string, b: string): number {
  if (a === b) return 0;
  const common = a.length < b.length ? a.length : b.length;
  for (let index = 0; index < common; index++) {
    const left = charCodeAt(a, index);
    const right = charCodeAt(b, index);
    if (left !== right) return rank(left) - rank(right);
  }
  return a.length - b.length;
}

/** UTF-8 has the surrogates (D800-DFFF) behind the rest of the plane (E000-FFFF). */
function rank(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit >= 0xe000 ? unit - 0x800 : unit + 0x2000;
}

/** The answer to `get`. */
export function rowText(text: string | undefined): string {
  return text === undefined ? "-" : `=${text}`;
}

/** The answer to `has`. */
export function presenceText(isPresent: boolean): string {
  return isPresent ? "1" : "0";
}

/** The answer to `up` and `down`. */
export function pageText(page: RowPage): string {
  const segments: string[] = [page.next];
  for (let index = 0; index < page.keys.length; index++) {
    segments[segments.length] = page.keys[index] ?? "";
    segments[segments.length] = page.texts[index] ?? "";
  }
  return pack(segments);
}

/** The page of a `pageText`, in the guest. @throws {SandboxError} SANDBOX_MESSAGE_MALFORMED */
export function parsePage(text: string): RowPage {
  const segments = new Unpacker(text, { segmentsMax: 1 + 2 * PAGE_ROWS_MAX });
  const next = segments.take();
  const keys: string[] = bare([]);
  const texts: string[] = bare([]);
  for (let key = segments.next(); key !== undefined; key = segments.next()) {
    keys[keys.length] = key;
    texts[texts.length] = segments.take();
  }
  return { keys: filled(keys), texts: filled(texts), next };
}
