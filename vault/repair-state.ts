/**
 * Leaving damage behind: a state whose page nobody has a copy of is computed again from an older landmark that is sound, and
 * the log since. The same way leads to every point in time, so the state is the same; its pages are new ones.
 *
 *     landmark, sound --commits from the log--> state at a later landmark, whose pages are damaged
 *                                                   '--> new pages; everybody who had the damaged roots gets the new ones
 *
 * Invariants:
 * 1. No way leads across a restore or the start of a fork: what was there before says nothing about afterwards.
 * 2. A state that cannot be computed to the last commit keeps the roots it has.
 */
import type { BranchState } from "./branch-state.ts";
import { EMPTY_LAYER } from "./branch-state.ts";
import { layersOf, treesIn } from "./damage.ts";
import { VaultError } from "./errors.ts";
import type { Landmark } from "./landmark.ts";
import { StateLayer } from "./layer.ts";
import { readFrames } from "./log-scan.ts";
import type { MaintenanceContext } from "./maintenance.ts";
import type { PageId } from "./page.ts";
import { readRecords } from "./record.ts";
import { treesOf } from "./roots.ts";
import type { Roots } from "./roots.ts";
import type { Slices } from "./slices.ts";
import { keyOf } from "./state.ts";
import { ALL_KEYS, locatePage } from "./tree-locate.ts";
import type { PageSource, TreeRoot } from "./tree.ts";

/** Where a computation begins: a sound state, and the first commit that is not in it. */
interface Sound {
  readonly layer: StateLayer;
  readonly fromSeq: number;
}

/** Computes states anew, one after the other. */
export class StateRepair {
  readonly #on: MaintenanceContext;
  readonly #source: PageSource;
  readonly #slices: Slices;
  readonly #bad: readonly PageId[];
  /** By the name of a tree's top page: does it need one of the bad pages? */
  readonly #needs = new Map<string, boolean>();

  constructor(
    on: MaintenanceContext,
    { source, slices, bad }: { source: PageSource; slices: Slices; bad: readonly PageId[] },
  ) {
    this.#on = on;
    this.#source = source;
    this.#slices = slices;
    this.#bad = bad;
  }

  /** Computes what can be computed, and checkpoints it. True when something was. */
  async run(): Promise<boolean> {
    const { parts, checkpoints, context } = this.#on;
    const roots = [...parts.state.branches.values()].flatMap((branch) => [...rootsIn(layersOf(branch))]);
    const hold = context.holds.take(roots);
    try {
      const isHealed = await this.#healAll();
      if (isHealed) await checkpoints.now();
      return isHealed;
    } finally {
      context.holds.release(hold);
    }
  }

  async #healAll(): Promise<boolean> {
    const { parts, checkpoints } = this.#on;
    let isHealed = false;
    for (const branch of parts.state.branches.values()) {
      // The oldest first: what is healed is sound ground for what follows.
      for (const landmark of branch.landmarks) {
        if (landmark.isPartial || !(await this.#isHurt(landmark.layer))) continue;
        const sound = await this.#soundBefore(branch, landmark);
        const layer = sound === undefined ? undefined : await this.#computed(branch, sound, landmark.seq);
        if (layer === undefined) continue;
        await checkpoints.exclusively(() => this.#replace(branch, landmark.layer, layer));
        isHealed = true;
      }
    }
    return isHealed;
  }

  /** Does anything still need this page? */
  async isNeeded(id: PageId): Promise<boolean> {
    for (const branch of this.#on.parts.state.branches.values()) {
      for (const root of treesIn(layersOf(branch))) if (await this.#reaches(root, id)) return true;
    }
    return false;
  }

  async #isHurt(layer: StateLayer): Promise<boolean> {
    for (const root of treesIn([layer])) {
      const name = `${root.id.arena}/${root.id.no}`;
      let needs = this.#needs.get(name);
      if (needs === undefined) {
        needs = false;
        for (const id of this.#bad) needs ||= await this.#reaches(root, id);
        this.#needs.set(name, needs);
      }
      if (needs) return true;
    }
    return false;
  }

  async #reaches(root: TreeRoot, id: PageId): Promise<boolean> {
    return (await this.#slices.drive(locatePage(this.#source, root, id, ALL_KEYS))) !== undefined;
  }

  async #soundBefore(branch: BranchState, { seq, part }: Landmark): Promise<Sound | undefined> {
    const older = branch.landmarks.filter((each) => each.seq < seq || (each.seq === seq && each.part <= part));
    for (const each of older.toReversed()) {
      if (!each.isPartial && !(await this.#isHurt(each.layer)))
        return { layer: each.layer, fromSeq: (each.through ?? each.seq) + 1 };
      if (each.kind === "restore" || (each.kind === "start" && branch.parent !== undefined)) return undefined;
    }
    return branch.parent === undefined ? { layer: EMPTY_LAYER, fromSeq: branch.createdSeq } : undefined;
  }

  /** The state at `untilSeq`; undefined when the log does not hold all of the way. */
  async #computed(
    branch: BranchState,
    { layer: below, fromSeq }: Sound,
    untilSeq: number,
  ): Promise<StateLayer | undefined> {
    const { segments, log } = this.#on.parts;
    if (segments.firstSeq === undefined || segments.firstSeq > fromSeq) return undefined;
    const layer = StateLayer.over(below);
    let isStraight = true;
    try {
      await segments.reading(() =>
        readFrames(segments, { fromSeq, untilSeq, writtenSeq: log.writtenSeq }, ({ body }) => {
          for (const record of readRecords(body)) {
            if (record.branch !== branch.id) continue;
            if (record.type === "restore") isStraight = false;
            if (record.type !== "write") continue;
            for (const op of record.ops) layer.table?.put(keyOf(op), "put" in op ? op.value : null);
          }
        }),
      );
    } catch (error) {
      if (error instanceof VaultError && error.code === "VAULT_LOG_DAMAGED") return undefined;
      throw error;
    }
    layer.table?.freeze();
    return isStraight ? layer : undefined;
  }

  /** Gives the pages of `sound` to everybody who has those of `hurt`. No checkpoint runs meanwhile. */
  async #replace(branch: BranchState, hurt: StateLayer, sound: StateLayer): Promise<void> {
    const { folder } = this.#on.parts.checkpoint;
    const old = hurt.roots;
    if (old === undefined) return;
    const roots = await folder.fold(sound, new Set(), { arena: branch.id, isYoung: false });
    await folder.flush();
    const { state } = this.#on.parts;
    for (const each of state.branches.values()) {
      const layers = layersOf(each).flatMap((layer) => layer.chain());
      const theirs = layers.filter((layer) => layer.roots !== undefined && areSame(layer.roots, old));
      for (const layer of theirs) layer.replaceRoots(roots);
      if (theirs.length === 0) continue;
      state.dirtyBranches.add(each.id);
      for (const landmark of each.landmarks) landmark.isStored = false;
    }
  }
}

function* rootsIn(layers: readonly StateLayer[]): Generator<Roots, void> {
  for (const layer of layers) yield* layer.allRoots();
}

function areSame(a: Roots, b: Roots): boolean {
  const [left, right] = [treesOf(a), treesOf(b)];
  return (
    left.length === right.length &&
    left.every(({ id }, i) => id.arena === right[i]!.id.arena && id.no === right[i]!.id.no)
  );
}
