/**
 * The mailbox against an array. Invariants that every random run checks after every step:
 * 1. What `push`, `unshift`, `shift`, `remove` and `drain` answer is what a plain array would answer.
 * 2. `length` is the array's; `push` refuses exactly from `capacity` on, an urgent letter exactly when `urgentMax` of them
 *    wait, and `unshift` never does.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as fc from "fast-check";
import { Mailbox } from "../../runtime/mailbox.ts";
import { check } from "../support/random-runs.ts";

/** Messages are told apart by identity, as in the runtime. */
interface Letter {
  readonly number: number;
}

/** Every seventh letter is urgent. */
const URGENCY = { urgentMax: 12, isUrgent: ({ number }: Letter): boolean => number % 7 === 0 };

type Step =
  | { readonly type: "push" | "shift"; readonly times: number }
  | { readonly type: "return"; readonly count: number }
  | { readonly type: "remove"; readonly index: number }
  | { readonly type: "drain" };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ type: fc.constant("push" as const), times: fc.integer({ min: 1, max: 80 }) }) },
  { weight: 6, arbitrary: fc.record({ type: fc.constant("shift" as const), times: fc.integer({ min: 1, max: 80 }) }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("return" as const), count: fc.nat(10) }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant("remove" as const), index: fc.nat(200) }) },
  { weight: 1, arbitrary: fc.constant({ type: "drain" as const }) },
);

/** A mailbox and the array it must equal. */
class Pair {
  readonly #mailbox: Mailbox<Letter>;
  #model: Letter[] = [];
  /** Newest last; the tail is what a lost cell would return. */
  #taken: Letter[] = [];
  #number = 0;

  constructor(capacity: number) {
    this.#mailbox = new Mailbox(capacity, URGENCY);
  }

  do(step: Step): void {
    switch (step.type) {
      case "push":
        for (let count = 0; count < step.times; count++) this.#push();
        break;
      case "shift":
        for (let count = 0; count < step.times; count++) this.#shift();
        break;
      case "return":
        this.#return(step.count);
        break;
      case "remove":
        this.#remove(step.index);
        break;
      case "drain":
        assert.deepEqual(this.#mailbox.drain(), this.#model);
        this.#model = [];
    }
    assert.equal(this.#mailbox.length, this.#model.length);
  }

  #push(): void {
    const letter = { number: ++this.#number };
    const urgent = this.#model.filter(URGENCY.isUrgent).length;
    const hasRoom = URGENCY.isUrgent(letter) ? urgent < URGENCY.urgentMax : this.#model.length < this.#mailbox.capacity;
    assert.equal(this.#mailbox.push(letter), hasRoom);
    if (hasRoom) this.#model.push(letter);
  }

  #shift(): void {
    const letter = this.#mailbox.shift();
    assert.equal(letter, this.#model.shift());
    if (letter !== undefined) this.#taken.push(letter);
  }

  #return(count: number): void {
    const letters = this.#taken.splice(Math.max(0, this.#taken.length - count));
    this.#mailbox.unshift(letters);
    this.#model.unshift(...letters);
  }

  /** Removes what stands at `index`; beyond the end, a letter that was never accepted. */
  #remove(index: number): void {
    const letter = this.#model[index] ?? { number: -1 };
    const isHere = index < this.#model.length;
    assert.equal(this.#mailbox.remove(letter), isHere);
    if (isHere) this.#model.splice(index, 1);
  }
}

function filled(count: number, capacity = 1_000): Mailbox<Letter> {
  const mailbox = new Mailbox<Letter>(capacity, { urgentMax: 0, isUrgent: () => false });
  for (let number = 1; number <= count; number++) assert.equal(mailbox.push({ number }), true);
  return mailbox;
}

const numbersOf = (letters: readonly Letter[]): number[] => letters.map(({ number }) => number);

describe("a mailbox", () => {
  test("answers as an array does, whatever is pushed, taken, returned, removed and drained", (t) => {
    const property = fc.property(
      fc.integer({ min: 1, max: 150 }),
      fc.array(step, { maxLength: 60 }),
      (capacity, steps) => {
        const pair = new Pair(capacity);
        for (const step of steps) pair.do(step);
        pair.do({ type: "drain" });
      },
    );
    check(t, property, 500);
  });

  test("messages leave in order of arrival", () => {
    const mailbox = filled(100);
    const left = Array.from({ length: 100 }, () => mailbox.shift()?.number);
    assert.deepEqual(
      left,
      Array.from({ length: 100 }, (_, index) => index + 1),
    );
    assert.equal(mailbox.shift(), undefined);
  });

  test("a full mailbox refuses a message and takes one again when there is room", () => {
    const mailbox = filled(3, 3);
    assert.equal(mailbox.push({ number: 4 }), false);
    assert.equal(mailbox.length, 3);
    mailbox.shift();
    assert.equal(mailbox.push({ number: 5 }), true);
    assert.deepEqual(numbersOf(mailbox.drain()), [2, 3, 5]);
  });

  test("returned messages stand before all later ones, in their own order, also in a mailbox that filled up meanwhile", () => {
    const mailbox = filled(3, 3);
    const taken = [mailbox.shift(), mailbox.shift()].filter((letter) => letter !== undefined);
    mailbox.push({ number: 4 });
    mailbox.push({ number: 5 });
    mailbox.unshift(taken);
    assert.equal(mailbox.length, 5);
    assert.equal(mailbox.push({ number: 6 }), false);
    assert.deepEqual(numbersOf(mailbox.drain()), [1, 2, 3, 4, 5]);
  });

  test("a message that was taken is not removed a second time", () => {
    const mailbox = new Mailbox<Letter>(2, URGENCY);
    const letter = { number: 1 };
    mailbox.push(letter);
    assert.equal(mailbox.shift(), letter);
    assert.equal(mailbox.remove(letter), false);
  });

  test("an equal message is not taken for the one to remove", () => {
    const mailbox = filled(2);
    assert.equal(mailbox.remove({ number: 1 }), false);
    assert.equal(mailbox.length, 2);
  });

  test("a drained mailbox is empty and goes on", () => {
    const mailbox = filled(40);
    for (let count = 0; count < 10; count++) mailbox.shift();
    assert.equal(mailbox.drain().length, 30);
    assert.equal(mailbox.length, 0);
    assert.deepEqual(mailbox.drain(), []);
    assert.equal(mailbox.push({ number: 41 }), true);
    assert.equal(mailbox.shift()?.number, 41);
  });

  test("taking from a long mailbox costs no more per message than from a short one", () => {
    const count = 200_000;
    const mailbox = filled(count, count);
    for (let number = 1; number <= count; number++) {
      // Every message is followed by another: a queue that copied itself at each step would need 40 billion moves.
      assert.equal(mailbox.shift()?.number, number);
      mailbox.push({ number: count + number });
    }
    assert.equal(mailbox.length, count);
  });
});
