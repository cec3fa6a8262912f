/**
 * What one turn's commit will write to branches of the runtime's own, read back before it is committed: a turn that sets a
 * timer and cancels it, or publishes twice to one topic, sees its own writes.
 *
 *   prepare, prepare, claims --> TurnWrites (of the same turn) --> actions --> one commit
 *      `--refused--> what it wrote is taken back
 */
import type { Action, Branch, Op, View } from "../vault/index.ts";

/** By the object that stands for the turn, for as long as that lives. */
const known = new WeakMap<object, TurnWrites>();

/** The writes of one commit that is being put together. */
export class TurnWrites {
  readonly #values = new Map<string, Uint8Array | undefined>();
  /** What each write covered, in order. */
  readonly #covered: { readonly at: string; readonly isKnown: boolean; readonly value: Uint8Array | undefined }[] = [];

  /** Those of this turn; of a commit without a turn, new ones. */
  static of(turn: object | undefined): TurnWrites {
    const before = turn === undefined ? undefined : known.get(turn);
    if (before !== undefined) return before;
    const writes = new TurnWrites();
    if (turn !== undefined) known.set(turn, writes);
    return writes;
  }

  /** The value as it will be after the writes so far. */
  get(branch: Branch, key: string): Uint8Array | undefined {
    const at = placeOf(branch, key);
    return this.#values.has(at) ? this.#values.get(at) : branch.get(key);
  }

  /** The branch as it will be; for reading single keys. */
  over(branch: Branch): Pick<View, "get"> {
    return { get: (key) => this.get(branch, key) };
  }

  /** The keys that begin with `prefix`, as they will be. */
  keys(branch: Branch, prefix: string): ReadonlySet<string> {
    const keys = new Set<string>();
    for (const [key] of branch.range({ prefix })) keys.add(key);
    const at = placeOf(branch, prefix);
    for (const [place, value] of this.#values) {
      if (!place.startsWith(at)) continue;
      const key = place.slice(at.length - prefix.length);
      if (value === undefined) keys.delete(key);
      else keys.add(key);
    }
    return keys;
  }

  /** The way back to the writes so far. */
  savepoint(): () => void {
    const kept = this.#covered.length;
    return () => {
      for (const { at, isKnown, value } of this.#covered.splice(kept).toReversed()) {
        if (isKnown) this.#values.set(at, value);
        else this.#values.delete(at);
      }
    };
  }

  /** Remembers the writes, and returns the action that makes them. `epoch`: of a life that writes to its own branch. */
  write(branch: Branch, ops: readonly Op[], epoch?: number): Action {
    for (const op of ops) {
      if ("put" in op) this.#set(placeOf(branch, op.put), op.value);
      else this.#set(placeOf(branch, op.delete), undefined);
    }
    const write = { type: "write", branch: branch.id, ops } as const;
    return epoch === undefined ? write : { ...write, epoch };
  }

  #set(at: string, value: Uint8Array | undefined): void {
    this.#covered.push({ at, isKnown: this.#values.has(at), value: this.#values.get(at) });
    this.#values.set(at, value);
  }
}

function placeOf({ id }: Branch, key: string): string {
  return `${id}/${key}`;
}
