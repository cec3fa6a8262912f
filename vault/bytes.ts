/**
 * Writing and reading small fixed layouts: numbers little endian, text in UTF-8 behind its length.
 *
 * Invariants:
 * 1. A reader never looks past its bytes: a layout that claims more is a RangeError.
 * 2. A writer grows by itself; what it hands out has exactly the bytes that were written.
 */

const CAPACITY_MIN_BYTES = 256;

/** Collects bytes from the front. */
export class ByteWriter {
  #bytes: Buffer;
  #length = 0;

  /** `capacityBytes`: how much is expected; a good guess saves copies. */
  constructor(capacityBytes: number) {
    this.#bytes = Buffer.allocUnsafe(Math.max(capacityBytes, CAPACITY_MIN_BYTES));
  }

  get length(): number {
    return this.#length;
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
    this.u16(Buffer.byteLength(value));
    this.#utf8(value);
  }

  /** A key behind its length as u16 and the length of its value as u32. */
  keyed(key: string, valueLength: number): void {
    this.u16(Buffer.byteLength(key));
    this.u32(valueLength);
    this.#utf8(key);
  }

  /** Everything written so far; the writer is used up. */
  done(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  #utf8(value: string): void {
    const at = this.#room(0);
    // Three bytes per UTF-16 unit is the most that UTF-8 takes.
    this.#grow(at + value.length * 3);
    this.#length += this.#bytes.write(value, at, "utf8");
  }

  /** Makes room and says where. To be asked first: growing replaces `#bytes`. */
  #room(count: number): number {
    const at = this.#length;
    this.#grow(at + count);
    this.#length += count;
    return at;
  }

  #grow(capacityBytes: number): void {
    if (capacityBytes <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(capacityBytes, this.#bytes.length * 2));
    this.#bytes.copy(grown, 0, 0, this.#length);
    this.#bytes = grown;
  }
}

/** Takes bytes from the front. Every method throws a RangeError when too few are left. */
export class ByteReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
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
