/**
 * The turns of one agent that are kept beyond this process: a branch `~traffic:<agent>` of the vault, written in blocks.
 *
 *   append --> open block (memory) --(full, or 10 s)--> one commit: the block, the list, the oldest blocks' deletes
 *                                                        |  durability "os"
 *   before <---------------- blocks ---------------------'
 *
 * Invariants
 * 1. A block follows the turns it holds in the log: whatever end of the process or of the disk undoes a turn undoes its block.
 * 2. Turns have numbers that rise by one; a number that is missing is a gap. A turn too large to be kept leaves one.
 * 3. At most `turnsMax` turns and `bytesMax` bytes lie in the vault, at most one block of them in memory.
 * 4. What cannot be read is let go as a whole, with an event, and the ring begins anew. No call, no turn and no other
 *    branch suffers from it: nothing here throws.
 */
import type { Action, Branch, Clock, Commit, Op, Timer, Vault } from "../vault/index.ts";
import { readCurrent, textOf } from "./agent-record.ts";
import type { EventStream } from "./events.ts";
import { isRefusal } from "./feed.ts";
import type { RecordedTurn } from "./traffic.ts";
import { LIST_KEY, afterGap, blockKey, listIn, listText, turnLine, turnSize, turnsIn } from "./traffic-block.ts";
import type { TrafficBlock, TrafficList, TrafficOwner } from "./traffic-block.ts";

/** Names of rings begin like this; `~` keeps them apart from agents. */
export const RING_PREFIX = "~traffic:";

/** Turns in memory are written after this long at the latest: what a crash may cost, in ms. */
export const BLOCK_MS = 10_000;
/** Turns of a block: what a crash may cost, in turns. */
export const BLOCK_TURNS_MAX = 32;

/** How much is kept of an agent. */
export interface TrafficBounds {
  readonly turnsMax: number;
  readonly bytesMax: number;
}

/** What a ring needs. */
export interface RingParts {
  readonly vault: Vault;
  readonly clock: Clock;
  readonly events: EventStream;
  readonly agent: string;
  readonly bounds: TrafficBounds;
}

/** The kept turns of one agent. */
export class TrafficRing {
  readonly #parts: RingParts;
  readonly #name: string;
  #bounds: TrafficBounds;
  #next = 0;
  /** What the vault holds; undefined until it was read, and after it may have changed without us. */
  #blocks: TrafficBlock[] | undefined;
  /** The open block. Its first `#written` lines are in the vault. */
  #first = 0;
  #lines: string[] = [];
  #lineBytes = 0;
  #written = 0;
  #timer: Timer | undefined;
  #isOver = false;

  constructor(parts: RingParts) {
    this.#parts = parts;
    this.#name = RING_PREFIX + parts.agent;
    this.#bounds = parts.bounds;
  }

  /** Most turns that it holds. */
  get turnsMax(): number {
    return this.#bounds.turnsMax;
  }

  /** The number that the next turn gets. */
  get next(): number {
    this.#known();
    return this.#next;
  }

  /** The numbers up to this one belong to turns that are not kept. */
  skipTo(next: number): void {
    this.#next = next;
    this.#seal();
  }

  /** From here on this much is kept. */
  resize(bounds: TrafficBounds): void {
    this.#bounds = bounds;
  }

  /** Adds a turn whose commit, if it made one, is in the log already. */
  append(turn: RecordedTurn): void {
    if (this.#isOver) return;
    this.#known();
    const bytesMax = this.#bounds.bytesMax / 4;
    if (turnSize(turn) > bytesMax) return this.#skip(); // seen before it is written out at great length
    const line = turnLine(turn);
    const bytes = Buffer.byteLength(line) + 1;
    if (bytes > bytesMax) return this.#skip();
    this.#lines.push(line);
    this.#lineBytes += bytes;
    this.#next += 1;
    const { turns, size } = blockBounds(this.#bounds);
    if (this.#lines.length >= turns || this.#lineBytes >= size) return this.#seal();
    this.#timer ??= this.#parts.clock.after(BLOCK_MS, () => this.flush());
  }

  /** The newest `count` turns with numbers below `limit`, oldest first; `end` is the number behind the last of them. */
  before(limit: number, count: number): { readonly turns: readonly RecordedTurn[]; readonly end: number } {
    if (limit > this.#first) this.flush();
    const found: { readonly first: number; readonly turns: readonly RecordedTurn[] }[] = [];
    let room = count;
    this.#guarded(() => {
      const branch = this.#parts.vault.head(this.#name);
      for (const { first, count } of this.#known().toReversed()) {
        if (room <= 0) return;
        const value = first < limit ? branch?.get(blockKey(first)) : undefined;
        if (value === undefined) continue; // behind the limit, or undone with the commit that brought it
        const turns = turnsIn(textOf(value))?.slice(0, Math.min(count, limit - first));
        if (turns === undefined) return this.#beginAnew("a block of them cannot be read");
        found.unshift({ first: first + Math.max(0, turns.length - room), turns: turns.slice(-room) });
        room -= turns.length;
      }
    });
    return joined(found);
  }

  /** Writes what is not written yet. */
  flush(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#isOver || this.#written === this.#lines.length) return;
    this.#written = this.#lines.length;
    this.#guarded(() => this.#write(Buffer.from(this.#lines.join("\n"))));
  }

  /** Commits were undone, and perhaps blocks with them: the vault says which. */
  undone(): void {
    this.#blocks = undefined;
    this.#open();
  }

  /** Lets everything go. */
  clear(): void {
    this.#open();
    this.#blocks = [];
    const actions = this.departure();
    this.#guarded(() => {
      if (actions.length > 0) this.#settle(this.#parts.vault.commit(actions, { durability: "os" }));
    });
  }

  /** What removes it from the vault. */
  departure(): readonly Action[] {
    const branch = this.#parts.vault.head(this.#name);
    return branch === undefined ? [] : ringDeparture(this.#name, branch);
  }

  /** Takes no more turns; what was not written is forgotten. */
  end(): void {
    this.#isOver = true;
    this.#open();
  }

  #skip(): void {
    this.#next += 1;
    this.#seal();
  }

  /** The open block is full. */
  #seal(): void {
    this.flush();
    this.#open();
  }

  /** Begins a block; what the open one holds beyond the vault is forgotten. */
  #open(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#first = this.#next;
    this.#lines = [];
    this.#lineBytes = 0;
    this.#written = 0;
  }

  /** One commit: the block, the list, and the deletes of what is too much then. */
  #write(value: Uint8Array): void {
    const { vault } = this.#parts;
    const own: TrafficBlock = { first: this.#first, count: this.#lines.length, bytes: value.length };
    const { kept, gone } = evicted([...this.#known().filter(({ first }) => first !== own.first), own], this.#bounds);
    const owner = this.#owner();
    if (owner === undefined) return; // its agent has no branch any more
    const list = { owner, next: this.#next, blocks: kept };
    const ops: Op[] = [
      { put: blockKey(own.first), value },
      ...gone.map(({ first }) => ({ delete: blockKey(first) })),
      { put: LIST_KEY, value: Buffer.from(listText(list)) },
    ];
    this.#blocks = kept;
    const branch = vault.head(this.#name);
    if (branch === undefined) this.#settle(vault.create({ name: this.#name, ops, durability: "os" }).commit);
    else this.#settle(vault.commit([{ type: "write", branch: branch.id, ops }], { durability: "os" }));
  }

  /** Where a commit is undone, what is known must not be more than the vault holds; its agent is told by its own commits. */
  #settle(commit: Commit): void {
    if (!commit.isDurable) void commit.durable.catch((error: unknown) => this.#refused(error));
  }

  #refused(error: unknown): void {
    if (!isRefusal(error)) throw error;
    this.undone();
    this.#tell(`they could not be written: ${error.message}`);
  }

  /** The blocks in the vault, oldest first, read where that was not done yet. */
  #known(): TrafficBlock[] {
    if (this.#blocks !== undefined) return this.#blocks;
    this.#blocks = [];
    this.#guarded(() => {
      const list = this.#read();
      if (list === undefined) return;
      this.#blocks = [...list.blocks];
      this.#next = Math.max(this.#next, list.next);
    });
    if (this.#lines.length === 0) this.#first = this.#next;
    return this.#blocks;
  }

  #read(): TrafficList | undefined {
    const branch = this.#parts.vault.head(this.#name);
    const value = branch?.get(LIST_KEY);
    if (branch === undefined || value === undefined) return undefined;
    const list = listIn(textOf(value));
    const owner = this.#owner();
    if (list !== undefined && owner !== undefined && isSame(list.owner, owner)) return list;
    if (list === undefined) this.#tell("another version of this program wrote them");
    this.#settle(this.#parts.vault.commit(ringDeparture(this.#name, branch), { durability: "os" }));
    return undefined;
  }

  #owner(): TrafficOwner | undefined {
    const branch = this.#parts.vault.head(this.#parts.agent);
    const current = branch === undefined ? undefined : readCurrent(branch);
    if (branch === undefined || current === undefined) return undefined;
    return { branch: branch.id, version: current.version, origin: current.originHash };
  }

  /** Does what damage, or a vault that takes nothing more, may refuse. */
  #guarded(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!isRefusal(error)) throw error;
      if (error.code === "VAULT_PAGE_DAMAGED") this.#beginAnew(error.message);
      else this.#refused(error);
    }
  }

  #beginAnew(reason: string): void {
    this.clear();
    this.#tell(reason);
  }

  #tell(reason: string): void {
    const { events, agent } = this.#parts;
    events.emit({ type: "traffic.discarded", agent, reason });
  }
}

/** What removes a ring from the vault. */
export function ringDeparture(name: string, branch: Pick<Branch, "id">): readonly Action[] {
  const free = { type: "name", name, branch: undefined, expect: branch.id } as const;
  return [free, { type: "drop", branch: branch.id }];
}

/** When a block is full. Some 30 to 300 of them make a ring, so that what goes for one that comes is small. */
function blockBounds({ turnsMax, bytesMax }: TrafficBounds): { readonly turns: number; readonly size: number } {
  return { turns: Math.min(BLOCK_TURNS_MAX, Math.max(1, turnsMax >> 5)), size: bytesMax >> 6 };
}

/** What stays within the bounds, and the oldest blocks, which go. The newest stays. */
function evicted(
  blocks: readonly TrafficBlock[],
  { turnsMax, bytesMax }: TrafficBounds,
): { readonly kept: TrafficBlock[]; readonly gone: readonly TrafficBlock[] } {
  let turns = blocks.reduce((sum, { count }) => sum + count, 0);
  let size = blocks.reduce((sum, { bytes }) => sum + bytes, 0);
  let first = 0;
  for (const { count, bytes } of blocks.slice(0, -1)) {
    if (turns <= turnsMax && size <= bytesMax) break;
    turns -= count;
    size -= bytes;
    first += 1;
  }
  return { kept: blocks.slice(first), gone: blocks.slice(0, first) };
}

/** Blocks that do not follow each other begin runs. */
function joined(blocks: readonly { readonly first: number; readonly turns: readonly RecordedTurn[] }[]): {
  readonly turns: readonly RecordedTurn[];
  readonly end: number;
} {
  const turns: RecordedTurn[] = [];
  let end = -1;
  for (const block of blocks) {
    const [oldest, ...others] = block.turns;
    if (oldest === undefined) continue;
    turns.push(end < 0 || end === block.first ? oldest : afterGap(oldest), ...others);
    end = block.first + block.turns.length;
  }
  return { turns, end };
}

function isSame(one: TrafficOwner, other: TrafficOwner): boolean {
  return one.branch === other.branch && one.version === other.version && one.origin === other.origin;
}
