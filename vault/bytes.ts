/**
 * Writing and reading small fixed layouts: numbers little endian, text in UTF-8 behind its length.
 *
 * Invariants:
 * 1. A reader never looks past its bytes: a layout that claims more is a RangeError.
 * 2. A writer grows by itself; what it hands out has exactly the bytes that were written.
 */

const CAPACITY_MIN_BYTES = 256;
/** Short ASCII text is written unit by unit: a call into Node's encoder costs more than the text. */
const SHORT_TEXT_UNITS = 64;

/** Collects bytes from the front. */
export class ByteWriter {
  #bytes: Buffer;
  #start: number;
  /** Behind the last byte, counted from the front of the buffer. */
  #end: number;

  /** `capacityBytes`: how much is expected; a good guess saves copies. */
  constructor(capacityBytes: number) {
    this.#bytes = Buffer.allocUnsafe(Math.max(capacityBytes, CAPACITY_MIN_BYTES));
    this.#start = 0;
    this.#end = 0;
  }

  /** Begins anew, at a place in a larger buffer, which it leaves when it needs more room than there is. */
  begin(bytes: Buffer, at: number): void {
    this.#bytes = bytes;
    this.#start = at;
    this.#end = at;
  }

  get length(): number {
    return this.#end - this.#start;
  }

  /** The last `count` bytes that were written, as a window. Later ones may be written elsewhere, these stay. */
  last(count: number): Uint8Array {
    return new Uint8Array(this.#bytes.buffer, this.#bytes.byteOffset + this.#end - count, count);
  }

  u8(value: number): void {
    const at = this.#room(1);
    this.#bytes.writeUInt8(value, at);
  }

  u16(value: number): void {
    const at = this.#room(2);
    this.#bytes.writeUInt16LE(value, at);
  }

  u32(value: number): void {
    const at = this.#room(4);
    this.#bytes.writeUInt32LE(value, at);
  }

  f64(value: number): void {
    const at = this.#room(8);
    this.#bytes.writeDoubleLE(value, at);
  }

  raw(bytes: Uint8Array): void {
    const at = this.#room(bytes.length);
    this.#bytes.set(bytes, at);
  }

  /** `count` zero bytes. */
  zeros(count: number): void {
    const at = this.#room(count);
    this.#bytes.fill(0, at, at + count);
  }

  /** Text behind its length as u16. */
  text(value: string): void {
    const offset = this.#room(2) - this.#start;
    const bytes = this.#utf8(value);
    this.#bytes.writeUInt16LE(bytes, this.#start + offset);
  }

  /** A key behind its length as u16 and the length of its value as u32. */
  keyed(key: string, valueLength: number): void {
    const at = this.#room(6);
    this.#bytes.writeUInt32LE(valueLength, at + 2);
    // The text may move the writer to a larger buffer, but not to another place counted from its start.
    const offset = at - this.#start;
    const bytes = this.#utf8(key);
    this.#bytes.writeUInt16LE(bytes, this.#start + offset);
  }

  /** Everything written so far; the writer is used up, or begins anew. */
  done(): Buffer {
    return this.#bytes.subarray(this.#start, this.#end);
  }

  /** Writes text and returns its bytes. */
  #utf8(value: string): number {
    // Three bytes per UTF-16 unit is the most that UTF-8 takes.
    this.#grow(value.length * 3);
    const count = this.#ascii(value) ? value.length : this.#bytes.write(value, this.#end, "utf8");
    this.#end += count;
    return count;
  }

  /** Writes short text without moving on; false when it is not ASCII or not short. */
  #ascii(value: string): boolean {
    const { length } = value;
    if (length > SHORT_TEXT_UNITS) return false;
    const bytes = this.#bytes;
    const at = this.#end;
    for (let i = 0; i < length; i++) {
      const unit = value.charCodeAt(i);
      if (unit > 0x7f) return false;
      bytes[at + i] = unit;
    }
    return true;
  }

  /** Makes room and says where. To be asked first: growing replaces `#bytes`. */
  #room(count: number): number {
    this.#grow(count);
    const at = this.#end;
    this.#end += count;
    return at;
  }

  #grow(count: number): void {
    if (this.#end + count <= this.#bytes.length) return;
    const used = this.length;
    const grown = Buffer.allocUnsafe(Math.max(used + count, used * 2, CAPACITY_MIN_BYTES));
    this.#bytes.copy(grown, 0, this.#start, this.#end);
    this.#bytes = grown;
    this.#start = 0;
    this.#end = used;
  }
}

/** Takes bytes from the front. Every method throws a RangeError when too few are left. */
export class ByteReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get isDone(): boolean {
    return this.#at === this.#bytes.length;
  }

  u8(): number {
    return this.#bytes.readUInt8(this.#take(1));
  }

  u16(): number {
    return this.#bytes.readUInt16LE(this.#take(2));
  }

  u32(): number {
    return this.#bytes.readUInt32LE(this.#take(4));
  }

  f64(): number {
    return this.#bytes.readDoubleLE(this.#take(8));
  }

  /** A window into the bytes, not a copy. */
  raw(count: number): Uint8Array {
    const at = this.#take(count);
    return new Uint8Array(this.#bytes.buffer, this.#bytes.byteOffset + at, count);
  }

  text(): string {
    return this.textOf(this.u16());
  }

  /** Text of `count` bytes. */
  textOf(count: number): string {
    const at = this.#take(count);
    return this.#bytes.toString("utf8", at, at + count);
  }

  #take(count: number): number {
    const at = this.#at;
    if (at + count > this.#bytes.length)
      throw new RangeError(`${count} bytes asked for, ${this.#bytes.length - at} left`);
    this.#at = at + count;
    return at;
  }
}
