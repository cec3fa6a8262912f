/**
 * What callers read through: a frozen state, and a branch that always shows its newest one.
 *
 * Invariant: a view that was handed out goes on showing the same, whatever happens to the branch it came from.
 */
import type { BranchState } from "./branch-state.ts";
import type { Damages, Reading } from "./damage.ts";
import { historyOf } from "./history.ts";
import type { Hold, Holds } from "./holds.ts";
import type { StateLayer } from "./layer.ts";
import type { Branch, BranchId, HistoryEntry, Point, RangeOptions, Seq, Snapshot, View } from "./model.ts";
import { stateAt } from "./past.ts";
import type { Past, PastState } from "./past.ts";
import { branchUnknown } from "./state.ts";
import type { Entry, PageSource } from "./tree.ts";

/** What the views of one vault share. */
export interface ViewContext extends Past {
  readonly pages: PageSource;
  readonly holds: Holds;
  /** Knows whom damage hurts; there is none for a backup. */
  readonly damages?: Damages;
}

/** A state as it was. */
export class FrozenView implements View {
  readonly #context: ViewContext;
  readonly #past: PastState;

  constructor(context: ViewContext, past: PastState) {
    this.#context = context;
    this.#past = past;
    context.holds.watch(past.layer);
  }

  /** What a view shows, if it is a frozen one of this vault. */
  static pastOf(view: View, context: ViewContext): PastState | undefined {
    return #past in view && view.#context === context ? view.#past : undefined;
  }

  get(key: string): Uint8Array | undefined {
    const { layer, branch } = this.#past;
    return getNamed(this.#context, { layer, branch, key });
  }

  has(key: string): boolean {
    return this.get(key) !== undefined;
  }

  range(options: RangeOptions = {}): Iterable<readonly [string, Uint8Array]> {
    return held(this.#past, this.#context, (layer, pages) => layer.range(pages, options));
  }

  entries(options: Omit<RangeOptions, "limit"> = {}): Iterable<readonly [string, Uint8Array | null]> {
    return held(this.#past, this.#context, (layer, pages) => layer.entries(pages, options));
  }
}

/** A branch. The same object for the same branch, for as long as the vault is open. */
export class LiveBranch implements Branch {
  readonly #context: ViewContext;
  readonly #state: BranchState;

  constructor(context: ViewContext, state: BranchState) {
    this.#context = context;
    this.#state = state;
  }

  /** The state behind a branch, if it is one of this vault. */
  static stateOf(view: View, context: ViewContext): BranchState | undefined {
    return #state in view && view.#context === context ? view.#state : undefined;
  }

  get id(): BranchId {
    return this.#state.id;
  }

  get name(): string | undefined {
    const [name] = this.#state.names;
    return name;
  }

  get head(): Seq {
    return this.#state.head;
  }

  get parent(): Branch["parent"] {
    return this.#state.parent;
  }

  get epoch(): number {
    return this.#state.epoch;
  }

  fence(): number {
    this.#state.epoch++;
    return this.#state.epoch;
  }

  get(key: string): Uint8Array | undefined {
    const { top, id } = this.#standing;
    return getNamed(this.#context, { layer: top, branch: id, key });
  }

  has(key: string): boolean {
    return this.get(key) !== undefined;
  }

  range(options: RangeOptions = {}): Iterable<readonly [string, Uint8Array]> {
    const { limit, ...bounds } = options;
    return { [Symbol.iterator]: () => visible(new LiveList(this.#context, this.#standing, bounds), limit) };
  }

  entries(options: Omit<RangeOptions, "limit"> = {}): Iterable<readonly [string, Uint8Array | null]> {
    return { [Symbol.iterator]: () => new LiveList(this.#context, this.#standing, options).steps() };
  }

  snapshots(): readonly Snapshot[] {
    const snapshots = this.#state.landmarks.filter(({ kind }) => kind === "snapshot");
    return snapshots.map(({ label, seq, timeMs }) => ({ label, seq, timeMs }));
  }

  async at(point: Point): Promise<View> {
    return new FrozenView(this.#context, await stateAt(this.#context, this.#standing, point));
  }

  async history(options: { readonly limit?: number } = {}): Promise<readonly HistoryEntry[]> {
    return historyOf(this.#context, this.#standing, options.limit ?? Infinity);
  }

  /** Of a dropped branch nothing can be read: its pages may be gone. Throws VAULT_BRANCH_UNKNOWN. */
  get #standing(): BranchState {
    if (this.#state.isDropped) throw branchUnknown(this.#state.id);
    return this.#state;
  }
}

/** What a view shows at this moment, frozen and claimed for as long as somebody has it. Undefined for a view of another vault. */
export function layerOf(view: View, context: ViewContext): StateLayer | undefined {
  const live = LiveBranch.stateOf(view, context);
  if (live?.isDropped === true) throw branchUnknown(live.id);
  const layer = live?.freeze() ?? FrozenView.pastOf(view, context)?.layer;
  if (layer !== undefined) context.holds.watch(layer);
  return layer;
}

/** The value of a key; damage on the way is told with its place. */
function getNamed({ pages, damages }: ViewContext, reading: Reading): Uint8Array | undefined {
  try {
    return reading.layer.get(pages, reading.key);
  } catch (error) {
    throw damages === undefined ? error : damages.named(error, reading);
  }
}

type Owned = Pick<Reading, "layer" | "branch">;

/** Lists part of a live branch, each entry as it is when it is reached: whenever something has changed, it begins anew behind the last. */
class LiveList {
  readonly #context: ViewContext;
  readonly #state: BranchState;
  #bounds: Bounds;
  #top: StateLayer;
  #version: number | undefined;
  #entries: Iterator<Entry>;
  #hold: Hold;

  /** Begins at once: until the first step is asked for the branch may go on, and its old pages be collected. */
  constructor(context: ViewContext, state: BranchState, bounds: Bounds) {
    this.#context = context;
    this.#state = state;
    this.#bounds = bounds;
    this.#top = state.top;
    this.#version = state.top.table?.version;
    this.#hold = context.holds.take([...state.top.allRoots()]);
    this.#entries = state.top.entries(context.pages, bounds)[Symbol.iterator]();
  }

  *steps(): Generator<Entry, void> {
    const { holds, damages } = this.#context;
    let key = "";
    try {
      for (;;) {
        if (this.#isStale()) this.#beginAnew(key);
        const step = this.#entries.next();
        if (step.done === true) return;
        [key] = step.value;
        yield step.value;
      }
    } catch (error) {
      throw damages === undefined ? error : damages.named(error, { layer: this.#top, branch: this.#state.id, key });
    } finally {
      this.#entries.return?.();
      holds.release(this.#hold);
    }
  }

  /** A branch that was dropped meanwhile is listed as it was. */
  #isStale(): boolean {
    const { isDropped, top } = this.#state;
    return !isDropped && (top !== this.#top || top.table?.version !== this.#version);
  }

  #beginAnew(last: string): void {
    const { holds, pages } = this.#context;
    if (last !== "") this.#bounds = behind(this.#bounds, last);
    this.#entries.return?.();
    holds.release(this.#hold);
    this.#top = this.#state.top;
    this.#version = this.#top.table?.version;
    this.#hold = holds.take([...this.#top.allRoots()]);
    this.#entries = this.#top.entries(pages, this.#bounds)[Symbol.iterator]();
  }
}

type Bounds = Omit<RangeOptions, "limit">;

/** What is left of the bounds once `key` was listed. */
function behind(bounds: Bounds, key: string): Bounds {
  return bounds.reverse === true ? { ...bounds, to: key } : { ...bounds, from: `${key}\0` };
}

/** Without deleted keys, at most `limit`. */
function* visible(list: LiveList, limit: number = Infinity): Generator<readonly [string, Uint8Array], void> {
  let left = limit;
  if (left <= 0) return;
  for (const [key, value] of list.steps()) {
    if (value === null) continue;
    yield [key, value];
    if (--left <= 0) return;
  }
}

/** Lists part of a layer. Can be iterated again and again. */
function held<T extends readonly [string, unknown]>(
  owned: Owned,
  context: ViewContext,
  list: (layer: StateLayer, pages: PageSource) => Iterable<T>,
): Iterable<T> {
  return {
    [Symbol.iterator]: () => {
      const { layer, branch } = owned;
      const hold = context.holds.take([...layer.allRoots()]);
      return heldList({ layer, branch, hold, entries: list(layer, context.pages) }, context);
    },
  };
}

interface HeldList<T> extends Owned {
  readonly hold: Hold;
  readonly entries: Iterable<T>;
}

function* heldList<T extends readonly [string, unknown]>(
  { hold, entries, ...owned }: HeldList<T>,
  { holds, damages }: ViewContext,
): Generator<T, void> {
  let key = "";
  try {
    for (const entry of entries) {
      [key] = entry;
      yield entry;
    }
  } catch (error) {
    throw damages === undefined ? error : damages.named(error, { ...owned, key });
  } finally {
    holds.release(hold);
  }
}
