/**
 * Building the roots of a layer: which tree takes the changes, and what is merged into what. Damage in one tree stops
 * nothing but the merging of that tree.
 *
 *     changes --> over (or delta) --apply--> over' --collapse--> delta' --merge when it has grown--> base'
 *        |            damaged                    damaged            damaged
 *        '----> a new tree over all         stays as it is     stays as it is
 *
 * Invariants:
 * 1. The result reads as the changes over what was there, wherever both can be read; a key that cannot be read because its
 *    page is damaged goes on failing until the page is mended, or the key is written again in a tree above it.
 * 2. A tree in which damage was met is not read as a whole again, until somebody says that it was mended.
 */
import { VaultError } from "./errors.ts";
import { Page } from "./page.ts";
import type { PageId } from "./page.ts";
import { OVER_COUNT_MAX, treesOf } from "./roots.ts";
import type { Roots } from "./roots.ts";
import { applyOps, mergeTrees } from "./tree-apply.ts";
import type { ApplyOptions, BuiltTree } from "./tree-apply.ts";
import type { BuiltPage } from "./tree-blob.ts";
import type { Entry, PageSource, TreeRoot } from "./tree.ts";

/** What building needs. */
export interface RootsOptions {
  readonly source: PageSource;
  /** As `source`, for pages that are read once: what a merge reads would wash the others out of the cache. */
  readonly passing: PageSource;
  /** Runs a build in slices. Pages that come to lie in `built` may be written before the end. */
  readonly drive: (build: Generator<void, BuiltTree>, built?: Map<number, BuiltPage>) => Promise<BuiltTree>;
  /** `baseBytes`: how large the base becomes that is built, if it is one. */
  readonly applyOptions: (baseBytes: number) => ApplyOptions;
  /** What the entries come to, roughly. */
  readonly entriesBytes: number;
  readonly isMergeDue: (base: TreeRoot, delta: TreeRoot) => boolean;
  /** Trees in which damage was met, by the name of their top page. */
  readonly damagedTrees: Set<string>;
  readonly onDamage: (error: VaultError) => void;
}

/** New roots, and the pages that they need beside the old ones. */
export interface BuiltRoots {
  readonly roots: Roots;
  readonly pages: readonly BuiltPage[];
}

/** Puts `entries` over `roots`. Rejects with VAULT_PAGE_DAMAGED only when there is no place left to put them. */
export async function buildRoots(
  roots: Roots,
  entries: () => Iterable<Entry>,
  options: RootsOptions,
): Promise<BuiltRoots> {
  const { source, drive, applyOptions } = options;
  if (treesOf(roots).length === 0) {
    const built = new Map<number, BuiltPage>();
    const fresh = { ...applyOptions(options.entriesBytes), built };
    const { root, pages } = await drive(applyOps(source, undefined, entries(), fresh), built);
    return { roots: { base: root, delta: undefined }, pages };
  }
  const changed = await applyOnTop(roots, entries, options);
  const collapsed = await collapse(changed, options);
  return mergeIfDue(collapsed, options);
}

async function applyOnTop(roots: Roots, entries: () => Iterable<Entry>, options: RootsOptions): Promise<BuiltRoots> {
  const { source, drive, applyOptions } = options;
  const { over = [] } = roots;
  const keep = { ...applyOptions(0), keepTombstones: true };
  const [top = roots.delta] = over;
  const applied = await unlessDamaged(top, options, () => drive(applyOps(source, top, entries(), keep)));
  if (applied !== undefined) return { roots: withTop(roots, applied.root), pages: applied.pages };
  if (over.length >= OVER_COUNT_MAX)
    throw new VaultError("VAULT_PAGE_DAMAGED", "a state lies in too many damaged trees");
  const fresh = await drive(applyOps(source, undefined, entries(), keep));
  return fresh.root === undefined
    ? { roots, pages: [] }
    : { roots: { ...roots, over: [fresh.root, ...over] }, pages: fresh.pages };
}

function withTop(roots: Roots, root: TreeRoot | undefined): Roots {
  const { base, delta, over = [] } = roots;
  if (over.length === 0) return { base, delta: root };
  return rootsOf({ base, delta, over: root === undefined ? over.slice(1) : [root, ...over.slice(1)] });
}

/** Folds trees above the delta into the one below them, as far as none of them is damaged. */
async function collapse(built: BuiltRoots, options: RootsOptions): Promise<BuiltRoots> {
  let { roots, pages } = built;
  for (;;) {
    const { base, delta, over = [] } = roots;
    const [top, ...rest] = over;
    if (top === undefined) return { roots, pages };
    const [below = delta] = rest;
    const source = overlay(options.source, byName(pages));
    const keep = { ...options.applyOptions(0), keepTombstones: true };
    const merged = await unlessDamaged(below, options, () => options.drive(mergeTrees(source, below, top, keep)));
    if (merged === undefined) return { roots, pages };
    pages = [...pages.filter(isBlob), ...merged.pages];
    roots =
      rest.length === 0
        ? { base, delta: merged.root }
        : rootsOf({ base, delta, over: merged.root === undefined ? rest.slice(1) : [merged.root, ...rest.slice(1)] });
  }
}

async function mergeIfDue({ roots, pages }: BuiltRoots, options: RootsOptions): Promise<BuiltRoots> {
  const { base, delta, over } = roots;
  if (base === undefined || delta === undefined || over !== undefined) return { roots, pages };
  if (!options.isMergeDue(base, delta)) return { roots, pages };
  // The delta's own pages are read from memory and never written, but for the long values, which the base shares.
  const source = overlay(options.passing, byName(pages));
  const built = new Map<number, BuiltPage>();
  const fresh = { ...options.applyOptions(base.bytes), built };
  const build = () => options.drive(mergeTrees(source, base, delta, fresh), built);
  const merged = await unlessDamaged(base, options, build);
  if (merged === undefined) return { roots, pages };
  return { roots: { base: merged.root, delta: undefined }, pages: [...pages.filter(isBlob), ...merged.pages] };
}

/** What `build` gives; undefined when it meets damage, or `tree` is known for it. */
async function unlessDamaged(
  tree: TreeRoot | undefined,
  { damagedTrees, onDamage }: RootsOptions,
  build: () => Promise<BuiltTree>,
): Promise<BuiltTree | undefined> {
  const name = tree === undefined ? "" : nameOf(tree.id);
  if (damagedTrees.has(name)) return undefined;
  try {
    return await build();
  } catch (error) {
    if (!(error instanceof VaultError) || error.code !== "VAULT_PAGE_DAMAGED" || tree === undefined) throw error;
    damagedTrees.add(name);
    onDamage(error);
    return undefined;
  }
}

function rootsOf({ base, delta, over }: { base: Roots["base"]; delta: Roots["delta"]; over: TreeRoot[] }): Roots {
  return over.length === 0 ? { base, delta } : { base, delta, over };
}

function isBlob([id, bytes]: BuiltPage): boolean {
  return new Page(id, bytes).kind === "blob";
}

/** A source that also knows pages which are not written yet. */
export function overlay(store: PageSource, fresh: ReadonlyMap<string, BuiltPage>): PageSource {
  return {
    page(id) {
      const built = fresh.get(nameOf(id));
      return built === undefined ? store.page(id) : new Page(...built);
    },
  };
}

function byName(pages: readonly BuiltPage[]): ReadonlyMap<string, BuiltPage> {
  return new Map(pages.map((page) => [nameOf(page[0]), page]));
}

/** A page's id as text. */
export function nameOf({ arena, no }: PageId): string {
  return `${arena}/${no}`;
}
