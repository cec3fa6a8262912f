/**
 * An agent's bounded queue of messages, in order of arrival.
 *
 * Invariants
 * 1. Beyond `capacity` only urgent messages are accepted, and of those never more than `urgentMax` wait; what comes back
 *    (`unshift`) was accepted before and always fits.
 * 2. Messages leave in order of arrival; a returned one keeps its place before all later ones.
 * 3. Taking and adding cost O(1) amortised: the array's head is cut off only when half of it is spent.
 */

/** Which messages find room in a full mailbox, and how many of them at most. */
export interface Urgency<M> {
  readonly urgentMax: number;
  readonly isUrgent: (message: M) => boolean;
}

/** A bounded first-in first-out queue that accepts returns at its front. */
export class Mailbox<M> {
  /** May change: what was accepted stays. */
  capacity: number;
  readonly #urgency: Urgency<M>;
  #items: (M | undefined)[] = [];
  #head = 0;
  #urgent = 0;

  constructor(capacity: number, urgency: Urgency<M>) {
    this.capacity = capacity;
    this.#urgency = urgency;
  }

  get length(): number {
    return this.#items.length - this.#head;
  }

  /** Appends a message; false when the mailbox is full, for an urgent one only when too many such wait. */
  push(message: M): boolean {
    const { urgentMax, isUrgent } = this.#urgency;
    if (isUrgent(message) ? this.#urgent >= urgentMax : this.length >= this.capacity) return false;
    this.#items.push(message);
    this.#count(message, 1);
    return true;
  }

  /** Puts messages that had been taken back at the front, in their own order. */
  unshift(messages: readonly M[]): void {
    if (messages.length === 0) return;
    this.#items = [...messages, ...this.#items.slice(this.#head)];
    this.#head = 0;
    for (const message of messages) this.#count(message, 1);
  }

  /** Takes the oldest message. */
  shift(): M | undefined {
    if (this.#head === this.#items.length) return undefined;
    const message = this.#items[this.#head];
    this.#items[this.#head++] = undefined;
    if (this.#head > 32 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    if (message !== undefined) this.#count(message, -1);
    return message;
  }

  /** The oldest waiting message that matches. */
  find(matches: (message: M) => boolean): M | undefined {
    return this.#items.find((item, index) => index >= this.#head && item !== undefined && matches(item));
  }

  /** Removes one message wherever it stands; false when it is no longer here. */
  remove(message: M): boolean {
    const index = this.#items.indexOf(message, this.#head);
    if (index < 0) return false;
    this.#items.splice(index, 1);
    this.#count(message, -1);
    return true;
  }

  /** Takes everything. */
  drain(): M[] {
    const rest = this.#items.slice(this.#head).filter((item): item is M => item !== undefined);
    this.#items = [];
    this.#head = 0;
    this.#urgent = 0;
    return rest;
  }

  #count(message: M, by: 1 | -1): void {
    if (this.#urgency.isUrgent(message)) this.#urgent += by;
  }
}
