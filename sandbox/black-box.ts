/**
 * The black box: a few kilobytes of an unlinked file that the Guardian opens and the cell inherits. Before it enters an
 * isolate the cell writes which turn of which slot it enters; after the cell's death the Guardian reads what it was doing.
 *
 *   entry of a slot, at slot * 16 = ticket f64 | order f64
 *
 * Invariants:
 * 1. `ticket` of a slot only grows: a turn with a higher ticket was never inside the guest.
 * 2. `order` grows with every entry of the cell and is 0 while nobody is inside (the sync lane does not clear it: there
 *    the highest order of all names the last entry, and the Guardian knows whether that one had already answered).
 * 3. The bytes are the cell's word and nothing more: they choose whom to suspect, never whom to believe.
 */
import { closeSync, existsSync, mkdtempSync, openSync, readSync, rmdirSync, unlinkSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SandboxError } from "./errors.ts";

/** Bytes of one slot's entry. */
export const BLACK_BOX_ENTRY_BYTES = 16;

/** What the box says about one slot. */
export interface BlackBoxEntry {
  /** Highest turn ticket that ever entered the guest; -1 when none did. */
  readonly ticket: number;
  /** Position of the last entry among all entries of the cell; 0 when it was left or never happened. */
  readonly order: number;
}

/** Guardian side: opens a box of its own for one cell and reads it after the cell's death. */
export class BlackBox {
  readonly fd: number;
  readonly #slotMax: number;

  /** The file is gone from its folder when this returns; only the descriptor is left. Throws SANDBOX_CELL_START_FAILED. */
  constructor(options: { readonly slotMax: number }) {
    this.fd = openUnnamed();
    this.#slotMax = options.slotMax;
  }

  /** Everything the cell wrote, by slot. Unreadable or missing bytes read as "never entered". */
  read(): readonly BlackBoxEntry[] {
    const bytes = Buffer.alloc((this.#slotMax + 1) * BLACK_BOX_ENTRY_BYTES);
    readSync(this.fd, bytes, 0, bytes.length, 0);
    return Array.from({ length: this.#slotMax + 1 }, (_, slot) => {
      const at = slot * BLACK_BOX_ENTRY_BYTES;
      const order = bytes.readDoubleLE(at + 8);
      if (!Number.isSafeInteger(order) || order < 0) return { ticket: -1, order: 0 };
      const ticket = bytes.readDoubleLE(at);
      const isWritten = Number.isSafeInteger(ticket) && ticket > 0;
      return { ticket: isWritten ? ticket - 1 : -1, order };
    });
  }

  /** Forgets a slot whose resident is gone, before somebody else gets it. */
  clear(slot: number): void {
    writeSync(this.fd, Buffer.alloc(BLACK_BOX_ENTRY_BYTES), 0, BLACK_BOX_ENTRY_BYTES, slot * BLACK_BOX_ENTRY_BYTES);
  }

  /** Gives the file back. */
  close(): void {
    closeSync(this.fd);
  }
}

/** Cell side: writes who is about to enter, through the inherited descriptor. */
export class BlackBoxPen {
  readonly #fd: number;
  readonly #entry: Buffer = Buffer.alloc(BLACK_BOX_ENTRY_BYTES);
  #order = 0;

  constructor(fd: number) {
    this.#fd = fd;
  }

  /** The cell is about to run guest code of this turn. Tickets are stored plus one, so that 0 means "never". */
  enter(slot: number, ticket: number): void {
    this.#order += 1;
    this.#write(slot, ticket, this.#order);
  }

  /** The cell left the guest. Only needed where several may be inside. */
  leave(slot: number, ticket: number): void {
    this.#write(slot, ticket, 0);
  }

  #write(slot: number, ticket: number, order: number): void {
    this.#entry.writeDoubleLE(ticket + 1, 0);
    this.#entry.writeDoubleLE(order, 8);
    writeSync(this.#fd, this.#entry, 0, BLACK_BOX_ENTRY_BYTES, slot * BLACK_BOX_ENTRY_BYTES);
  }
}

/** A folder in memory, where it exists: the pen writes once per turn and should not meet a disk. */
const MEMORY_FOLDER = "/dev/shm";

function openUnnamed(): number {
  try {
    const folder = mkdtempSync(join(existsSync(MEMORY_FOLDER) ? MEMORY_FOLDER : tmpdir(), "planaria-"));
    const file = join(folder, "box");
    try {
      const fd = openSync(file, "wx+", 0o600);
      unlinkSync(file);
      return fd;
    } finally {
      rmdirSync(folder);
    }
  } catch (cause) {
    const text = `A cell could not be started: no file for its black box (${cause instanceof Error ? cause.message : String(cause)})`;
    throw new SandboxError("SANDBOX_CELL_START_FAILED", text, { cause });
  }
}
