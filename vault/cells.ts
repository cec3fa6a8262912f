/**
 * Cells on their way from old pages into new ones: where each lies, not the cell itself. Most cells of a page that changes
 * stay as they are; a view of each would cost more than copying its bytes, and keep the collector of garbage busy.
 *
 *     old page [ c0 c1 c2 c3 ]    fresh [ c ]    --> list: (page, c0) (page, c1) (fresh, c) (page, c3)
 *                                                --> new page: c0 c1 copied at once, c, c3
 */
import { CELL_OFFSET_BYTES, PAGE_HEADER_BYTES } from "./page.ts";
import type { Page } from "./page.ts";

/** Part of a list: `from` included, `to` excluded. */
export interface CellRange {
  readonly from: number;
  readonly to: number;
}

/** Encoded cells in order, to be laid out in pages. */
export class CellList {
  readonly #buffers: Buffer[] = [];
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];
  #bytes = 0;

  get count(): number {
    return this.#buffers.length;
  }

  /** What the cells take in a page, with their places in its table. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Adds an encoded cell. */
  push(cell: Buffer): void {
    this.#add(cell, 0, cell.length);
  }

  /** Adds cell `index` of a page. */
  pushFrom(page: Page, index: number): void {
    this.#add(page.bytes, page.cellStart(index), page.cellEnd(index));
  }

  /** Adds all cells of `other`. */
  append(other: CellList): void {
    for (let i = 0; i < other.count; i++) this.#add(other.#buffers[i]!, other.#starts[i]!, other.#ends[i]!);
  }

  /** What some of them take. */
  bytesOf({ from, to }: CellRange): number {
    let bytes = (to - from) * CELL_OFFSET_BYTES;
    for (let i = from; i < to; i++) bytes += this.#ends[i]! - this.#starts[i]!;
    return bytes;
  }

  /** What each cell takes in a page. */
  sizes(): number[] {
    return this.#starts.map((start, index) => this.#ends[index]! - start + CELL_OFFSET_BYTES);
  }

  /** Cell `index`, as a view. */
  cell(index: number): Buffer {
    return this.#buffers[index]!.subarray(this.#starts[index], this.#ends[index]);
  }

  /** Lays the cells `from` to `to` (excluded) out behind a page's header: the table of their places, then their bytes. */
  layOut(page: Buffer, { from, to }: CellRange): void {
    let at = PAGE_HEADER_BYTES + (to - from) * CELL_OFFSET_BYTES;
    let runStart = from;
    let runAt = at;
    for (let i = from; i < to; i++) {
      page.writeUInt32LE(at, PAGE_HEADER_BYTES + (i - from) * CELL_OFFSET_BYTES);
      at += this.#ends[i]! - this.#starts[i]!;
      const goesOn = i + 1 < to && this.#buffers[i + 1] === this.#buffers[i] && this.#starts[i + 1] === this.#ends[i];
      if (goesOn) continue;
      this.#buffers[runStart]!.copy(page, runAt, this.#starts[runStart], this.#ends[i]);
      runStart = i + 1;
      runAt = at;
    }
  }

  #add(buffer: Buffer, start: number, end: number): void {
    this.#buffers.push(buffer);
    this.#starts.push(start);
    this.#ends.push(end);
    this.#bytes += end - start + CELL_OFFSET_BYTES;
  }
}
