/**
 * The least that a durable write can cost on this machine: one pwrite of 512 bytes into a file that has its blocks
 * already, and one fdatasync, without a turn of the event loop in between. What the vault costs is told in this unit.
 */
import { closeSync, fdatasyncSync, fsyncSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";

const BLOCK_BYTES = 512;
const FILE_BYTES: number = 1 << 20;

/** A file to write to and sync, again and again. */
export class BareDisk implements Disposable {
  readonly #file: number;
  readonly #block = Buffer.alloc(BLOCK_BYTES);
  #at = 0;

  /** Makes the file in `folder`, which is to lie on the disk of what is compared. */
  constructor(folder: string) {
    this.#file = openSync(join(folder, "bare"), "w");
    writeSync(this.#file, Buffer.alloc(FILE_BYTES));
    fsyncSync(this.#file);
  }

  /** Writes the next block and syncs it. Returns how long that took, in ms. */
  write(): number {
    this.#block.writeDoubleLE(this.#at);
    const started = performance.now();
    writeSync(this.#file, this.#block, 0, BLOCK_BYTES, this.#at);
    fdatasyncSync(this.#file);
    const ms = performance.now() - started;
    this.#at = (this.#at + BLOCK_BYTES) % FILE_BYTES;
    return ms;
  }

  /** The durations of `count` writes, one after the other. */
  writes(count: number): number[] {
    return Array.from({ length: count }, () => this.write());
  }

  [Symbol.dispose](): void {
    closeSync(this.#file);
  }
}
