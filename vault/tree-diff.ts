/**
 * Comparing two trees in time proportional to their difference. Both are read as streams of subtrees and entries;
 * a subtree is opened only when the other side does not hold the very same one.
 *
 * Invariants:
 * 1. Equal subtrees (same content hash) at the head of both streams are skipped unread: what follows is all that can differ.
 * 2. An entry is reported when it can no longer appear on the other side: every key there is greater.
 */
import assert from "node:assert/strict";
import type { Page, PageRef } from "./page.ts";
import { childrenOf } from "./tree-draft.ts";
import { loadPage, readValue } from "./tree.ts";
import type { Found, PageSource, TreeRoot } from "./tree.ts";

/** A key whose entry differs: `undefined` where the tree has none, `null` where it has a tombstone. */
export interface TreeChange {
  readonly key: string;
  readonly before: Found;
  readonly after: Found;
}

/** The keys whose entries differ between the trees, in order, tombstones counted as entries. Reads lazily. */
export function* diffTrees(
  source: PageSource,
  before: TreeRoot | undefined,
  after: TreeRoot | undefined,
): Generator<TreeChange, void> {
  const left = new TreeStream(source, before);
  const right = new TreeStream(source, after);
  for (;;) {
    const a = left.head;
    const b = right.head;
    if (a === undefined && b === undefined) return;
    if (a?.kind === "subtree" && b?.kind === "subtree" && isSameTree(a.ref, b.ref)) {
      left.skip();
      right.skip();
    } else if (!openNext(left, right)) {
      const change = takeChange(left, right);
      if (change !== undefined) yield change;
    }
  }
}

interface EntryHead {
  readonly kind: "entry";
  readonly low: Uint8Array;
  readonly page: Page;
  readonly index: number;
}

type Head = EntryHead | { readonly kind: "subtree"; readonly low: Uint8Array; readonly ref: PageRef };

/** A tree as a stack of what is still to be seen, the nearest on top. */
class TreeStream {
  readonly #source: PageSource;
  readonly #stack: Head[];

  constructor(source: PageSource, root: TreeRoot | undefined) {
    this.#source = source;
    this.#stack = root === undefined ? [] : [{ kind: "subtree", low: new Uint8Array(0), ref: root }];
  }

  get head(): Head | undefined {
    return this.#stack.at(-1);
  }

  skip(): void {
    this.#stack.pop();
  }

  /** Takes the entry on top. */
  takeEntry(): EntryHead {
    const head = this.#stack.pop();
    assert.equal(head?.kind, "entry", "only an entry can be taken");
    return head;
  }

  /** The value of an entry of this tree. */
  valueOf(entry: EntryHead | undefined): Found {
    return entry === undefined ? undefined : readValue(this.#source, entry.page, entry.index);
  }

  /** Replaces the subtree on top by what is in it. */
  open(): void {
    const head = this.#stack.pop();
    assert.equal(head?.kind, "subtree", "only a subtree can be opened");
    const page = loadPage(this.#source, head.ref);
    if (page.level > 0) {
      for (const { low, ref } of childrenOf(page, head.low).toReversed())
        this.#stack.push({ kind: "subtree", low, ref });
    } else {
      for (let i = page.count - 1; i >= 0; i--) this.#stack.push({ kind: "entry", low: page.key(i), page, index: i });
    }
  }
}

/** Opens the subtree that stands in the way of comparing the heads. False when there is none. */
function openNext(left: TreeStream, right: TreeStream): boolean {
  const way = inTheWay(left.head, right.head);
  if (way === "neither") return false;
  (way === "left" ? left : right).open();
  return true;
}

/** The subtree that begins first; of two that begin together, the taller. */
function inTheWay(a: Head | undefined, b: Head | undefined): "left" | "right" | "neither" {
  const order = compareHeads(a, b);
  if (a?.kind === "subtree" && b?.kind === "subtree" && order === 0)
    return a.ref.level < b.ref.level ? "right" : "left";
  if (a?.kind === "subtree" && order <= 0) return "left";
  return b?.kind === "subtree" && order >= 0 ? "right" : "neither";
}

/** Compares where two heads begin; the end of a stream lies behind every key. */
function compareHeads(a: Head | undefined, b: Head | undefined): number {
  if (a === undefined) return b === undefined ? 0 : 1;
  return b === undefined ? -1 : Buffer.compare(a.low, b.low);
}

/** Takes the lower of two entries, or both of one key, off the streams and reports it if it differs. */
function takeChange(left: TreeStream, right: TreeStream): TreeChange | undefined {
  const order = compareHeads(left.head, right.head);
  const a = order <= 0 ? left.takeEntry() : undefined;
  const b = order >= 0 ? right.takeEntry() : undefined;
  const entry = a ?? b;
  if (entry === undefined || (a !== undefined && b !== undefined && isSameEntry(a, b))) return undefined;
  return { key: entry.page.keyText(entry.index), before: left.valueOf(a), after: right.valueOf(b) };
}

function isSameEntry(a: EntryHead, b: EntryHead): boolean {
  const kind = a.page.entryKind(a.index);
  if (kind !== b.page.entryKind(b.index)) return false;
  if (kind !== "blob") return a.page.value(a.index).equals(b.page.value(b.index));
  return Buffer.compare(a.page.blob(a.index).sha256, b.page.blob(b.index).sha256) === 0;
}

function isSameTree(a: PageRef, b: PageRef): boolean {
  return Buffer.compare(a.sha256, b.sha256) === 0;
}
