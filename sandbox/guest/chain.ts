/**
 * Lists of ours that nothing an agent does to its realm can reach: `list[list.length] = item` asks the prototypes, and a setter
 * for an index on `Array.prototype` or `Object.prototype` would take the item and leave the list as it is. A chain writes only
 * properties that its links have already, and costs a turn less than arrays whose prototype is taken away.
 *
 *     for (let link = chain.first; link !== undefined; link = link.next) use(link.item);
 */

/** One place in a chain. */
export interface Link<T> {
  readonly item: T;
  next: Link<T> | undefined;
}

/** Items in the order in which they were added, for reading. */
export interface Linked<T> {
  readonly first: Link<T> | undefined;
  readonly length: number;
}

/** A list that grows at its end. */
export class Chain<T> implements Linked<T> {
  first: Link<T> | undefined = undefined;
  length = 0;
  #last: Link<T> | undefined = undefined;

  add(item: T): void {
    const link = { item, next: undefined };
    if (this.#last === undefined) this.first = link;
    else this.#last.next = link;
    this.#last = link;
    this.length++;
  }
}

/** No items. */
export const NONE: Linked<never> = { first: undefined, length: 0 };
