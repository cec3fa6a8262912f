/**
 * Damage: which pages are known to be bad, and whom that hurts. A bad page is met by a reader, a checkpoint, the scrubber
 * or a check; the first to meet it starts a search for all branches that need it, and one event tells.
 *
 *     VAULT_PAGE_DAMAGED --note--> search, in slices, over the roots of all branches --> page.damaged { agents, ... }
 *             |
 *             '--named--> the same error with the branch, its names, the keys and the tree that were asked for
 *
 * Invariants:
 * 1. One event per page, until it is mended.
 * 2. Nothing here is paid for unless there is damage.
 */
import type { BranchState } from "./branch-state.ts";
import { VaultError } from "./errors.ts";
import type { VaultEvent } from "./events.ts";
import type { StateLayer } from "./layer.ts";
import type { BranchId } from "./model.ts";
import type { PageId } from "./page.ts";
import type { RepairSource } from "./repair-page.ts";
import { treesOf } from "./roots.ts";
import { Slices } from "./slices.ts";
import type { VaultState } from "./state.ts";
import { keyBytes } from "./tree-key.ts";
import { ALL_KEYS, locatePage } from "./tree-locate.ts";
import type { KeySpan } from "./tree-locate.ts";
import type { PageSource, TreeRoot } from "./tree.ts";

/** One damaged page and whom it hurts. */
export interface Damage {
  readonly arena: number;
  readonly no: number;
  readonly reason: string;
  /** Names of the branches that need the page, now or in their kept past. */
  readonly agents: readonly string[];
  readonly branches: readonly BranchId[];
  /** The keys that cannot be read: `from` included, `to` excluded and absent for the end. */
  readonly keys: { readonly from: string; readonly to?: string } | undefined;
  /** The content hash of a tree that needs it. */
  readonly root: string | undefined;
}

/** What the search goes through. */
export interface DamagesOptions {
  readonly state: VaultState;
  readonly pages: PageSource;
  readonly onEvent: (event: VaultEvent) => void;
}

/** What a reader was about to read. */
export interface Reading {
  readonly layer: StateLayer;
  readonly branch: BranchId;
  /** The key that was asked for, or the last one that a range came to. */
  readonly key: string;
}

/** See the header. */
export class Damages {
  readonly #options: DamagesOptions;
  readonly #known = new Map<string, Promise<Damage>>();

  constructor(options: DamagesOptions) {
    this.#options = options;
  }

  /** For a catch: the error with its place, if it is damage, or as it is. */
  named(error: unknown, reading: Reading): unknown {
    const id = damagedPage(error);
    if (id === undefined || !(error instanceof VaultError) || "branch" in error.details) return error;
    const { layer, branch, key } = reading;
    const names = [...(this.#options.state.branches.get(branch)?.names ?? [])];
    const place = runAll(this.#place(treesIn([layer]), id, { low: keyBytes(key), high: undefined }));
    void this.#search(id, reasonOf(error), place?.span ?? ALL_KEYS); // ends in an event and never rejects
    const whose = names.length > 0 ? names.map((name) => JSON.stringify(name)).join(", ") : `branch ${branch}`;
    const keys = place === undefined ? undefined : textOf(place.span);
    const message = `${error.message}; ${whose} cannot read keys from ${JSON.stringify(keys?.from ?? "")} on until it is repaired`;
    const root = place === undefined ? undefined : hex(place.root);
    const details = { ...error.details, branch, agents: names, branches: [branch], keys, root };
    return new VaultError("VAULT_PAGE_DAMAGED", message, { details, cause: error });
  }

  /** Damage that was met by other than a reader. Resolves with whom it hurts. */
  note(error: VaultError): Promise<Damage> | undefined {
    const id = damagedPage(error);
    return id === undefined ? undefined : this.#search(id, reasonOf(error), ALL_KEYS);
  }

  /** Resolves when no search runs. */
  async settled(): Promise<void> {
    await Promise.all(this.#known.values());
  }

  /** The page is as it should be again. */
  mended(id: PageId, from: RepairSource): void {
    this.#known.delete(nameOf(id));
    this.#options.onEvent({ type: "page.repaired", arena: id.arena, no: id.no, from });
  }

  #search(id: PageId, reason: string, span: KeySpan): Promise<Damage> {
    const known = this.#known.get(nameOf(id));
    if (known !== undefined) return known;
    const search = this.#find(id, reason, span);
    this.#known.set(nameOf(id), search);
    return search;
  }

  /** Never rejects: what cannot be found out is left out. */
  async #find({ arena, no }: PageId, reason: string, span: KeySpan): Promise<Damage> {
    const slices = new Slices();
    const branches: BranchState[] = [];
    const trees = new Map<string, Place | undefined>();
    let first: Place | undefined;
    for (const branch of this.#options.state.branches.values()) {
      let isHurt = false;
      for (const root of treesIn(layersOf(branch))) {
        const name = nameOf(root.id);
        if (!trees.has(name)) {
          trees.set(name, await slices.drive(this.#place([root], { arena, no }, span)).catch(nothing));
        }
        const place = trees.get(name);
        first ??= place;
        isHurt ||= place !== undefined;
      }
      if (isHurt) branches.push(branch);
    }
    const agents = branches.flatMap(({ names }) => [...names]).toSorted();
    const ids = branches.map(({ id }) => id);
    this.#options.onEvent({ type: "page.damaged", arena, no, reason, agents, branches: ids });
    const keys = first === undefined ? undefined : textOf(first.span);
    return { arena, no, reason, agents, branches: ids, keys, root: first === undefined ? undefined : hex(first.root) };
  }

  *#place(roots: Iterable<TreeRoot>, id: PageId, span: KeySpan): Generator<void, Place | undefined> {
    for (const root of roots) {
      const found = yield* locatePage(this.#options.pages, root, id, span);
      if (found !== undefined) return { root, span: found };
    }
    return undefined;
  }
}

interface Place {
  readonly root: TreeRoot;
  readonly span: KeySpan;
}

/** The id of the page that an error is about; undefined for any other error. */
function damagedPage(error: unknown): PageId | undefined {
  if (!(error instanceof VaultError) || error.code !== "VAULT_PAGE_DAMAGED") return undefined;
  const { arena, no } = error.details;
  return typeof arena === "number" && typeof no === "number" ? { arena, no } : undefined;
}

/** The layers whose pages a branch needs: what it shows, and what it keeps of its past. */
export function layersOf({ top, landmarks }: BranchState): readonly StateLayer[] {
  return [top, ...landmarks.map(({ layer }) => layer)];
}

/** All trees that reading these layers may need. */
export function* treesIn(layers: readonly StateLayer[]): Generator<TreeRoot, void> {
  for (const layer of layers) for (const roots of layer.allRoots()) yield* treesOf(roots);
}

function reasonOf({ details }: VaultError): string {
  return typeof details["reason"] === "string" ? details["reason"] : "";
}

function runAll<T>(steps: Generator<void, T>): T {
  let step = steps.next();
  while (step.done !== true) step = steps.next();
  return step.value;
}

function textOf({ low, high }: KeySpan): { readonly from: string; readonly to?: string } {
  const from = Buffer.from(low).toString("utf8");
  return high === undefined ? { from } : { from, to: Buffer.from(high).toString("utf8") };
}

function hex({ sha256 }: TreeRoot): string {
  return Buffer.from(sha256).toString("hex");
}

/** A closed store, or one whose own structure is damaged: told elsewhere. */
function nothing(): undefined {
  return undefined;
}

function nameOf({ arena, no }: PageId): string {
  return `${arena}/${no}`;
}
