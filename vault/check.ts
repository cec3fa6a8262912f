/**
 * The check: walks everything the vault has on the disk, tells what is damaged and whom it hurts, and mends what it can when
 * it is asked to.
 *
 *     identity, log, structure of the page file, rows --> problems
 *     roots of all rows, branches, readers --> every page --> bad ones --copy or reconstruction--> sound ones
 *                                                                 |----state computed again------> new pages
 *                                                                 '--> named
 *
 * Invariants:
 * 1. Pages are compared with what their parents say, and read from the file: a copy in memory proves nothing about it.
 * 2. What is walked is held: the collector does not take it away meanwhile.
 * 3. A repair writes only what was verified, under the same id, so everybody who shares the page is healed; or it leads
 *    states, computed from the log, past the page. What nobody has stays as it is.
 */
import { checkLog } from "./check-log.ts";
import type { CheckProblem, LogCheck } from "./check-log.ts";
import { PageCheck } from "./check-pages.ts";
import type { BadPage } from "./check-pages.ts";
import { checkRows } from "./check-rows.ts";
import type { RowCheck } from "./check-rows.ts";
import { GLOBAL_KEY, decodeGlobal } from "./rows.ts";
import type { Damage } from "./damage.ts";
import { layersOf } from "./damage.ts";
import { VaultError } from "./errors.ts";
import type { Hold } from "./holds.ts";
import { identify } from "./identity.ts";
import type { MaintenanceContext } from "./maintenance.ts";
import { blobFromLog } from "./repair-blob.ts";
import { rebuildLeaf } from "./repair-leaf.ts";
import { soundCopy } from "./repair-page.ts";
import type { RepairSource, SoundPage } from "./repair-page.ts";
import { StateRepair } from "./repair-state.ts";
import { pageDamaged } from "./page.ts";
import { treesOf } from "./roots.ts";
import type { Roots } from "./roots.ts";
import { Slices } from "./slices.ts";
import type { VaultState } from "./state.ts";
import type { PageSource, TreeRoot } from "./tree.ts";

/** How a check is done. */
export interface CheckOptions {
  /** Mend what can be mended. */
  readonly repair?: boolean;
  /** Where sound copies of pages may be: a backup of this vault. */
  readonly backup?: PageSource;
  readonly onProgress?: (progress: { readonly done: number; readonly total: number }) => void;
  readonly signal?: AbortSignal;
}

/** What a check found. */
export interface CheckReport {
  /** Nothing is damaged any more. */
  readonly isSound: boolean;
  /** Pages that something needs, and their bytes. */
  readonly pages: number;
  readonly bytes: number;
  /** Pages that nothing needs: what a collection would take away, give or take what is written meanwhile. */
  readonly unreachablePages: number;
  readonly rows: number;
  /** Frames of the retained log. */
  readonly entries: number;
  /** Pages that are damaged, and whom that hurts. */
  readonly damaged: readonly Damage[];
  readonly repaired: readonly { readonly arena: number; readonly no: number; readonly from: RepairSource }[];
  /** What is wrong beside pages. */
  readonly problems: readonly CheckProblem[];
  readonly durationMs: number;
}

const IDS_PER_STEP = 500;
const ROOTS_PER_HOLD = 500;

/** Checks a vault while it is in use. Rejects with VAULT_CLOSED, or the reason of the signal. */
export async function checkVault(on: MaintenanceContext, options: CheckOptions): Promise<CheckReport> {
  return new Check(on, options).run();
}

class Check {
  readonly #on: MaintenanceContext;
  readonly #options: CheckOptions;
  readonly #slices: Slices;
  readonly #source: PageSource;
  readonly #pages: PageCheck;
  readonly #repaired: { readonly arena: number; readonly no: number; readonly from: RepairSource }[] = [];
  readonly #damaged: Damage[] = [];
  /** Numbers that were given out before the check began. */
  readonly #nextPages: ReadonlyMap<number, number>;

  constructor(on: MaintenanceContext, options: CheckOptions) {
    const { store } = on.parts;
    const signals = options.signal === undefined ? [on.closing] : [on.closing, options.signal];
    this.#on = on;
    this.#options = options;
    this.#nextPages = new Map(on.parts.checkpoint.folder.nextPages);
    this.#slices = new Slices({ signal: AbortSignal.any(signals) });
    this.#source = { page: (id) => store.freshPage(id) };
    this.#pages = new PageCheck({
      source: this.#source,
      slices: this.#slices,
      onPages: (done) => options.onProgress?.({ done, total: Math.max(done, store.stats().pages) }),
    });
  }

  async run(): Promise<CheckReport> {
    const { parts, context, checkpoints } = this.#on;
    const { clock } = this.#on.options;
    const startMs = clock.monotonicMs();
    const log = await checkLog(
      { log: parts.log, folder: parts.segments, checkpointSeq: checkpoints.seq },
      this.#slices,
    );
    const problems = [...(await this.#identity()), ...(await this.#leaveLog(log)), ...(await this.#structure())];
    const { rows, holds } = await this.#capture();
    try {
      await this.#checkPages(holds.flatMap((hold) => hold.roots));
    } finally {
      for (const hold of holds) context.holds.release(hold);
    }
    await this.#leaveBehind();
    const left = await this.#rowsMended(rows);
    const strays = await this.#strays();
    problems.push(...left, ...strays.problems);
    const done = this.#pages.visited.count;
    this.#options.onProgress?.({ done, total: done });
    return this.#report({
      log,
      rows,
      problems,
      unreachablePages: strays.unreachable,
      durationMs: clock.monotonicMs() - startMs,
    });
  }

  /** Damaged log whose entries are all in pages is put aside: what it would have told of the past is gone either way. */
  async #leaveLog({ problems }: LogCheck): Promise<readonly CheckProblem[]> {
    const { segments, store } = this.#on.parts;
    if (this.#options.repair !== true || problems.length === 0) return problems;
    return this.#on.checkpoints.exclusively(async () => {
      const global = store.readMeta(GLOBAL_KEY);
      // The log is read from the place of the last checkpoint on: its segment stays.
      const needed = global === undefined ? 0 : decodeGlobal([GLOBAL_KEY, global]).place.segmentNo;
      const behind = problems.flatMap(({ segmentNo }) => segmentNo ?? []).filter((no) => no < needed);
      if (behind.length === 0) return problems;
      const last = Math.max(...behind);
      const names = await segments.setAsideThrough(last);
      this.#on.options.onEvent({ type: "segments.stranded", segments: names });
      return problems.filter(({ segmentNo }) => segmentNo === undefined || segmentNo > last);
    });
  }

  #report(found: {
    readonly log: LogCheck;
    readonly rows: RowCheck;
    readonly problems: readonly CheckProblem[];
    readonly unreachablePages: number;
    readonly durationMs: number;
  }): CheckReport {
    const { log, rows, problems, unreachablePages, durationMs } = found;
    return {
      isSound: this.#damaged.length === 0 && problems.length === 0,
      pages: this.#pages.visited.count,
      bytes: this.#pages.bytes,
      unreachablePages,
      rows: rows.rows,
      entries: log.entries,
      damaged: this.#damaged,
      repaired: this.#repaired,
      problems,
      durationMs,
    };
  }

  async #identity(): Promise<readonly CheckProblem[]> {
    const { options, parts } = this.#on;
    return problemsOf("identity", async () => {
      const uuid = await identify(options.path);
      if (uuid !== parts.uuid) throw new VaultError("VAULT_FORMAT_UNKNOWN", `vault.json names another vault, ${uuid}`);
    });
  }

  async #structure(): Promise<readonly CheckProblem[]> {
    return problemsOf("structure", () => this.#on.parts.store.checkStructure(this.#slices));
  }

  /** The rows, and holds on all pages that anything needs. */
  async #capture(): Promise<{ readonly rows: RowCheck; readonly holds: readonly Hold[] }> {
    const { checkpoints, parts, context } = this.#on;
    return checkpoints.exclusively(async () => {
      const rows = await checkRows(parts.store, this.#slices);
      const holds = [context.holds.take([...rows.roots, ...context.holds.roots()])];
      let roots: Roots[] = [];
      // In portions: a branch that is dropped in a pause was either held before it, or is not asked for.
      for (const branch of parts.state.branches.values()) {
        for (const layer of layersOf(branch)) roots.push(...layer.allRoots());
        if (roots.length < ROOTS_PER_HOLD) continue;
        holds.push(context.holds.take(roots));
        roots = [];
        await this.#slices.pause();
      }
      holds.push(context.holds.take(roots));
      return { rows, holds };
    });
  }

  async #checkPages(roots: readonly Roots[]): Promise<void> {
    const trees = new Map<string, TreeRoot>();
    for (const each of roots) {
      for (const root of treesOf(each)) trees.set(`${root.id.arena}/${root.id.no}`, root);
      await this.#slices.pause();
    }
    await this.#pages.walk(trees.values());
    for (let bad = this.#pages.takeBad(); bad.length > 0; bad = this.#pages.takeBad()) {
      for (const each of bad) await this.#treat(each);
    }
  }

  async #treat(bad: BadPage): Promise<void> {
    const mended = this.#options.repair === true && (await this.#mend(bad));
    if (mended) {
      if (bad.blob === undefined) await this.#pages.resume(bad);
      return;
    }
    const damage = await this.#on.parts.damages.note(bad.error);
    if (damage !== undefined) this.#damaged.push(damage);
  }

  /** What no copy could mend is left behind where the state can be computed again. */
  async #leaveBehind(): Promise<void> {
    if (this.#damaged.length === 0 || this.#options.repair !== true) return;
    const { damages } = this.#on.parts;
    const repair = new StateRepair(this.#on, { source: this.#source, slices: this.#slices, bad: this.#damaged });
    if (!(await repair.run())) return;
    for (const { arena, no } of this.#damaged.splice(0)) {
      if (await repair.isNeeded({ arena, no })) {
        const damage = await damages.note(pageDamaged({ arena, no }, "nobody has a copy of it"));
        if (damage !== undefined) this.#damaged.push(damage);
        continue;
      }
      this.#repaired.push({ arena, no, from: "log" });
      damages.mended({ arena, no }, "log");
    }
  }

  async #mend(bad: BadPage): Promise<boolean> {
    const { parts, step } = this.#on;
    const { store, damages } = parts;
    const found = await soundCopy(bad, {
      disk: this.#source,
      cached: (id) => store.cachedPage(id),
      backup: this.#options.backup,
      rebuild: (page) => this.#rebuild(page),
    });
    if (found === undefined) return false;
    // Told before it is mended, so that every repair has its damage.
    await damages.note(bad.error);
    step("repair.page");
    await store.transaction((draft) => {
      draft.replacePage(bad.id, found.bytes);
    });
    step("repair.page.done");
    this.#repaired.push({ ...bad.id, from: found.from });
    parts.checkpoint.folder.mended();
    damages.mended(bad.id, found.from);
    return true;
  }

  async #rebuild(bad: BadPage): Promise<SoundPage | undefined> {
    const { context } = this.#on;
    if (bad.blob === undefined) return rebuildLeaf(context, this.#source, bad, this.#slices);
    const bytes = await blobFromLog(context, bad);
    return bytes === undefined ? undefined : { bytes, from: "log" };
  }

  /** Rows say nothing that the state in memory does not know: a checkpoint writes them anew. Returns what is left. */
  async #rowsMended({ problems }: RowCheck): Promise<readonly CheckProblem[]> {
    if (problems.length === 0 || this.#options.repair !== true) return problems;
    const { parts, checkpoints } = this.#on;
    parts.checkpoint.folder.rewriteArenas();
    rewriteRows(parts.state);
    await checkpoints.now();
    const again = await checkpoints.exclusively(() => checkRows(parts.store, this.#slices));
    return again.problems;
  }

  /**
   * Stored pages that were not visited are garbage; a crash in a checkpoint leaves some whose numbers it had not come to
   * write down. A page that is needed with such a number is about to be written over.
   */
  async #strays(): Promise<{ readonly unreachable: number; readonly problems: readonly CheckProblem[] }> {
    const { store, checkpoint } = this.#on.parts;
    const atStart = this.#nextPages;
    const told = new Set<number>();
    const problems: CheckProblem[] = [];
    let unreachable = 0;
    for (let from = { arena: 0, no: 0 }; ;) {
      const ids = store.pageIds({ from, limit: IDS_PER_STEP });
      for (const id of ids) {
        const nextPage = checkpoint.folder.nextPages.get(id.arena) ?? 1;
        if (!this.#pages.visited.has(id)) {
          // Not those that a checkpoint has written since.
          if (id.no < (atStart.get(id.arena) ?? 1) || id.no >= nextPage) unreachable++;
        } else if (id.no >= nextPage && !told.has(id.arena)) {
          told.add(id.arena);
          const message = `page ${id.arena}/${id.no} is needed and has a number that counts as free`;
          problems.push({ where: "rows", message, details: { ...id } });
        }
      }
      const last = ids.at(-1);
      if (last === undefined || ids.length < IDS_PER_STEP) return { unreachable, problems };
      from = { arena: last.arena, no: last.no + 1 };
      await this.#slices.pause();
    }
  }
}

/** Makes the next checkpoint write every row. */
function rewriteRows(state: VaultState): void {
  for (const [id, { landmarks }] of state.branches) {
    state.dirtyBranches.add(id);
    for (const landmark of landmarks) landmark.isStored = false;
  }
  for (const name of state.names.keys()) state.dirtyNames.add(name);
}

async function problemsOf(
  where: CheckProblem["where"],
  look: () => Promise<unknown>,
): Promise<readonly CheckProblem[]> {
  try {
    await look();
    return [];
  } catch (error) {
    if (!(error instanceof VaultError) || error.code === "VAULT_CLOSED") throw error;
    return [{ where, message: error.message, details: error.details }];
  }
}
