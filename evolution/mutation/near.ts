/** Sites by where they stand, so that an operator looks at a few near ones and not at all of a long program. */
import type { Site } from "./program.ts";

/** Sites in the order of the text. */
export class Near {
  readonly #sites: readonly Site[];

  constructor(sites: readonly Site[]) {
    this.#sites = sites.toSorted((a, b) => a.node.start - b.node.start);
  }

  /** The `count` sites that begin nearest to this one, the nearest first; the site itself is none of them. */
  around(site: Site, count: number): readonly Site[] {
    const { start } = site.node;
    let behind = this.#firstFrom(start);
    let before = behind - 1;
    const near: Site[] = [];
    while (near.length < count) {
      const left = this.#sites[before];
      const right = this.#sites[behind];
      if (left === undefined && right === undefined) break;
      const isLeft = right === undefined || (left !== undefined && start - left.node.start <= right.node.start - start);
      const next = isLeft ? left : right;
      if (isLeft) before--;
      else behind++;
      if (next !== undefined && next.node !== site.node) near.push(next);
    }
    return near;
  }

  #firstFrom(start: number): number {
    let low = 0;
    let high = this.#sites.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#sites[middle]?.node.start ?? start) < start) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
