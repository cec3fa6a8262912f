/**
 * What models said before, of the same parent, in nearly the same words: to run that again tells nothing new. Compared is what is changed,
 * with a little of the text around it, and not the whole program: two small changes of a long one are alike by what they leave.
 */
import type { Edit } from "../mutation/edit.ts";
import type { Sketch } from "../mutation/min-hash.ts";
import { resemblance, sketchOf } from "../mutation/min-hash.ts";
import { difference } from "./evolvable.ts";

/** What resembles an earlier change more than this is one. */
const RESEMBLANCE_MAX = 0.95;
/** Characters on both sides that say where a change is. */
const AROUND = 80;
/** Parents whose changes are known, and changes of one. Together some 5 MB. */
const PARENTS_MAX = 256;
const CHANGES_MAX = 64;

/** A proposal of a model. */
export interface Change {
  readonly parent: { readonly id: string; readonly text: string };
  readonly edits: readonly Edit[];
  /** Id of the child. */
  readonly id: string;
}

/** See the header. One for a run; bounded, the oldest parents are forgotten first. */
export class Echoes {
  readonly #known = new Map<string, Map<string, Sketch>>();

  /** Whether one like it was added; the very same child is none, but known by its name. */
  has({ parent, edits, id }: Change): boolean {
    const known = this.#known.get(parent.id);
    if (known === undefined || known.has(id)) return false;
    const sketch = sketchOf(changeText(parent.text, edits));
    return known.values().some((other) => resemblance(sketch, other) > RESEMBLANCE_MAX);
  }

  /** Adds one that is run. */
  add({ parent, edits, id }: Change): void {
    const known = this.#known.get(parent.id) ?? new Map<string, Sketch>();
    this.#known.delete(parent.id);
    this.#known.set(parent.id, known);
    if (known.size < CHANGES_MAX) known.set(id, sketchOf(changeText(parent.text, edits)));
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= PARENTS_MAX) break;
      this.#known.delete(oldest);
    }
  }
}

/** What is new in each edit, and what stands around it. Time goes with the edits' length. */
function changeText(text: string, edits: readonly Edit[]): string {
  return edits
    .toSorted((a, b) => a.start - b.start)
    .map((edit) => {
      const own = difference(text.slice(edit.start, edit.end), edit.text);
      const [start, end] = [edit.start + own.start, edit.start + own.end];
      return text.slice(Math.max(0, start - AROUND), start) + own.text + text.slice(end, end + AROUND);
    })
    .join("\n");
}
