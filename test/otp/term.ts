/**
 * Plain data as a term of Erlang, in the external term format (https://www.erlang.org/doc/apps/erts/erl_ext_dist.html):
 * strings are binaries, objects are maps with binary keys, true, false and null are atoms.
 */

const VERSION = 131;
const NEW_FLOAT = 70;
const INTEGER = 98;
const NIL = 106;
const LIST = 108;
const BINARY = 109;
const MAP = 116;
const SMALL_ATOM_UTF8 = 119;

/** The bytes that `binary_to_term` reads; a value that JSON cannot hold is refused with a TypeError. */
export function toTerm(value: unknown): Buffer {
  const parts: Buffer[] = [Buffer.from([VERSION])];
  write(value, parts);
  return Buffer.concat(parts);
}

function write(value: unknown, parts: Buffer[]): void {
  if (typeof value === "string") return writeSized(BINARY, Buffer.from(value), parts);
  if (typeof value === "number") return void parts.push(numberTerm(value));
  if (value === true || value === false || value === null) return void parts.push(atomTerm(String(value)));
  if (Array.isArray(value)) return writeList(value, parts);
  if (typeof value === "object") return writeMap(value, parts);
  throw new TypeError(`no term for a ${typeof value}`);
}

function writeList(items: readonly unknown[], parts: Buffer[]): void {
  if (items.length > 0) parts.push(sized(LIST, items.length));
  for (const item of items) write(item, parts);
  parts.push(Buffer.from([NIL]));
}

function writeMap(map: object, parts: Buffer[]): void {
  const entries = Object.entries(map).filter(([, value]) => value !== undefined);
  parts.push(sized(MAP, entries.length));
  for (const [key, value] of entries) {
    write(key, parts);
    write(value, parts);
  }
}

function writeSized(tag: number, bytes: Buffer, parts: Buffer[]): void {
  parts.push(sized(tag, bytes.length), bytes);
}

function sized(tag: number, size: number): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt8(tag, 0);
  head.writeUInt32BE(size, 1);
  return head;
}

function numberTerm(value: number): Buffer {
  const isInteger = Number.isInteger(value) && Math.abs(value) < 2 ** 31;
  const term = Buffer.alloc(isInteger ? 5 : 9);
  term.writeUInt8(isInteger ? INTEGER : NEW_FLOAT, 0);
  if (isInteger) term.writeInt32BE(value, 1);
  else term.writeDoubleBE(value, 1);
  return term;
}

function atomTerm(name: string): Buffer {
  return Buffer.concat([Buffer.from([SMALL_ATOM_UTF8, name.length]), Buffer.from(name)]);
}
