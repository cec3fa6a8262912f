/**
 * The state of the agent as the guest sees it: one slot per top-level key, each with the text that the Guardian last
 * accepted and, once touched, its decoded value.
 *
 *     text "[1,2]"  --first get-->  value [1,2]  --handler mutates-->  [1,2,3]  --commit: text differs-->  put "[1,2,3]"
 *                                                                              --rollback-->  value forgotten
 *
 * Invariants
 * 1. A key that a turn did not touch is neither decoded nor encoded nor compared.
 * 2. After a commit or a rollback every slot's value, if it has one, says what its text says.
 * 3. A view (what `reads` handlers see) is never the object that writing handlers mutate.
 */

import { decodeTrusted, encode } from "../codec.ts";
import { SandboxError } from "../errors.ts";
import { isKey, KEY_BYTES_MAX, STATE_KEYS_MAX, type StateOp } from "../protocol.ts";
import { Chain, type Linked } from "./chain.ts";
import { deepFreeze } from "./freeze.ts";
import {
  append,
  jsonStringify,
  mapDelete,
  mapForEach,
  mapGet,
  mapSet,
  NativeTypeError,
  sortTexts,
} from "./primordials.ts";
import { Survey } from "./survey.ts";
import { utf8Length } from "./utf8.ts";

interface Slot {
  readonly key: string;
  /** What the Guardian last accepted; undefined when the key is new in this turn. */
  text: string | undefined;
  /** UTF-8 size of `text`; undefined until somebody had to count. */
  bytes: number | undefined;
  isPresent: boolean;
  isDecoded: boolean;
  value: unknown;
  isTouched: boolean;
  view: View | undefined;
}

/** `turn` is set on a copy that serves one turn only, because the value holds what cannot be frozen. */
interface View {
  readonly value: unknown;
  readonly turn: number | undefined;
}

interface Change {
  readonly slot: Slot;
  readonly text: string | undefined;
}

/** All keys of one agent. */
export class State {
  readonly #slots: Map<string, Slot> = new Map();
  readonly #bytesMax: number;
  /** Length of all accepted texts in UTF-16 units: between a third of the bytes and the bytes. */
  #units = 0;
  #size = 0;
  #touched: Chain<Slot> = new Chain();
  #sortedKeys: readonly string[] | undefined;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Takes over a key from the vault. */
  restore(key: string, text: string): void {
    mapSet(this.#slots, key, slotOf(key, text));
    this.#units += text.length;
    this.#size++;
  }

  get size(): number {
    return this.#size;
  }

  has(key: string): boolean {
    return mapGet(this.#slots, key)?.isPresent === true;
  }

  /** Present keys in the order of their UTF-16 units, so that a restart does not change it. */
  keys(): readonly string[] {
    if (this.#sortedKeys !== undefined) return this.#sortedKeys;
    const keys: string[] = [];
    mapForEach(this.#slots, (slot, key) => {
      if (slot.isPresent) append(keys, key);
    });
    this.#sortedKeys = sortTexts(keys);
    return this.#sortedKeys;
  }

  /** The live value. An object counts as touched: nobody can see whether it is mutated. */
  get(key: string): unknown {
    const slot = mapGet(this.#slots, key);
    if (slot === undefined || !slot.isPresent) return undefined;
    if (!slot.isDecoded) {
      slot.value = decodeTrusted(slot.text ?? "");
      slot.isDecoded = true;
    }
    if (typeof slot.value === "object" && slot.value !== null) this.#touch(slot);
    return slot.value;
  }

  set(key: string, value: unknown): void {
    const slot = mapGet(this.#slots, key) ?? this.#create(key);
    this.#touch(slot);
    if (!slot.isPresent) this.#resize(slot, true);
    slot.isDecoded = true;
    slot.value = value;
  }

  delete(key: string): void {
    const slot = mapGet(this.#slots, key);
    if (slot === undefined || !slot.isPresent) return;
    this.#touch(slot);
    this.#resize(slot, false);
    slot.value = undefined;
  }

  /** The value for reading only: frozen and kept, or a copy for this turn when it cannot be frozen. */
  view(key: string, turn: number): unknown {
    const slot = mapGet(this.#slots, key);
    if (slot === undefined || !slot.isPresent) return undefined;
    if (slot.isDecoded && (typeof slot.value !== "object" || slot.value === null)) return slot.value;
    const { view } = slot;
    if (view !== undefined && (view.turn === undefined || view.turn === turn)) return view.value;
    slot.view = viewOf(slot.text ?? "", turn);
    return slot.view.value;
  }

  /** A fresh copy of what the key's text says. */
  copy(key: string): unknown {
    const text = mapGet(this.#slots, key)?.text;
    return text === undefined ? undefined : decodeTrusted(text);
  }

  /** Replaces everything, as `init` and `migrate` do. */
  replace(record: Readonly<Record<string, unknown>>, keys: readonly string[]): void {
    const old = this.keys();
    for (let index = 0; index < old.length; index++) this.delete(old[index] ?? "");
    for (let index = 0; index < keys.length; index++) {
      const key = keys[index] ?? "";
      this.set(key, record[key]);
    }
  }

  /**
   * What the turn changed, as texts; from here on these are the accepted ones.
   * @throws {SandboxError} SANDBOX_VALUE_UNCLONABLE, SANDBOX_STATE_TOO_LARGE. The draft is then still as it was.
   */
  commit(): Linked<StateOp> {
    const changes = new Chain<Change>();
    let units = this.#units;
    for (let link = this.#touched.first; link !== undefined; link = link.next) {
      const change = this.#changeOf(link.item);
      if (change === undefined) continue;
      changes.add(change);
      units += lengthOf(change.text) - lengthOf(change.slot.text);
    }
    if (this.#size > STATE_KEYS_MAX) throw this.#tooLarge(`would have ${this.#size} keys, more than ${STATE_KEYS_MAX}`);
    this.#assertFits(units, changes);
    return this.#accept(changes, units);
  }

  /** Forgets the draft: touched keys say again what their texts say. */
  rollback(): void {
    for (let link = this.#touched.first; link !== undefined; link = link.next) {
      const slot = link.item;
      slot.isTouched = false;
      slot.isDecoded = false;
      slot.value = undefined;
      if (slot.isPresent !== (slot.text !== undefined)) this.#resize(slot, slot.text !== undefined);
      if (slot.text === undefined) mapDelete(this.#slots, slot.key);
    }
    this.#touched = new Chain();
  }

  #changeOf(slot: Slot): Change | undefined {
    const text = slot.isPresent ? this.#encode(slot) : undefined;
    return text === slot.text ? undefined : { slot, text };
  }

  /** Bytes are counted only when the number of units leaves it open: counting walks all texts once. */
  #assertFits(units: number, changes: Linked<Change>): void {
    if (units * 3 <= this.#bytesMax) return;
    if (units > this.#bytesMax) throw this.#tooLarge(`would be more than ${units} bytes`);
    let bytes = 0;
    mapForEach(this.#slots, (slot) => {
      slot.bytes ??= slot.text === undefined ? 0 : utf8Length(slot.text);
      bytes += slot.bytes;
    });
    for (let link = changes.first; link !== undefined; link = link.next) {
      const { slot, text } = link.item;
      bytes += (text === undefined ? 0 : utf8Length(text)) - (slot.bytes ?? 0);
    }
    if (bytes > this.#bytesMax) throw this.#tooLarge(`would be ${bytes} bytes`);
  }

  #encode(slot: Slot): string {
    try {
      return encode(slot.value, { bytesMax: this.#bytesMax, root: rootOf(slot.key) });
    } catch (error) {
      // `encode` throws nothing but SandboxErrors.
      if ((error as SandboxError).code === "SANDBOX_MESSAGE_TOO_LARGE")
        throw this.#tooLarge(`has too large a ${rootOf(slot.key)}`);
      throw error;
    }
  }

  #accept(changes: Linked<Change>, units: number): Linked<StateOp> {
    const ops = new Chain<StateOp>();
    for (let link = changes.first; link !== undefined; link = link.next) {
      const { slot, text } = link.item;
      slot.text = text;
      slot.bytes = undefined;
      slot.view = undefined;
      ops.add([slot.key, text]);
    }
    for (let link = this.#touched.first; link !== undefined; link = link.next) {
      const slot = link.item;
      slot.isTouched = false;
      if (!slot.isPresent) mapDelete(this.#slots, slot.key);
    }
    this.#units = units;
    this.#touched = new Chain();
    return ops;
  }

  #create(key: string): Slot {
    if (!isKey(key))
      throw new NativeTypeError(
        `${jsonStringify(key)} is no key of a state: 1 to ${KEY_BYTES_MAX} bytes of text, not "__proto__"`,
      );
    const slot = slotOf(key, undefined);
    slot.isPresent = false;
    mapSet(this.#slots, key, slot);
    return slot;
  }

  #touch(slot: Slot): void {
    if (slot.isTouched) return;
    slot.isTouched = true;
    this.#touched.add(slot);
  }

  #resize(slot: Slot, isPresent: boolean): void {
    slot.isPresent = isPresent;
    this.#size += isPresent ? 1 : -1;
    this.#sortedKeys = undefined;
  }

  #tooLarge(what: string): SandboxError {
    return new SandboxError(
      "SANDBOX_STATE_TOO_LARGE",
      `The state ${what}; its limit is ${this.#bytesMax} bytes (limits.stateBytesMax).`,
      {
        details: { bytesMax: this.#bytesMax },
      },
    );
  }
}

function slotOf(key: string, text: string | undefined): Slot {
  return {
    key,
    text,
    bytes: undefined,
    isPresent: true,
    isDecoded: false,
    value: undefined,
    isTouched: false,
    view: undefined,
  };
}

function lengthOf(text: string | undefined): number {
  return text === undefined ? 0 : text.length;
}

function viewOf(text: string, turn: number): View {
  const value = decodeTrusted(text);
  const survey = new Survey({ bytesMax: Infinity, root: "state", option: "" });
  survey.visit(value);
  if (survey.hasInstances) return { value, turn };
  deepFreeze(value);
  return { value, turn: undefined };
}

function rootOf(key: string): string {
  return `state[${jsonStringify(key)}]`;
}
