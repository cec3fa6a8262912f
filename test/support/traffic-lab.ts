/** Kept turns without a runtime: a vault with an agent `a` in it, turns that are numbered, and processes that come and go. */
import assert from "node:assert/strict";
import { EventStream } from "../../runtime/events.ts";
import type { PlanariaEvent } from "../../runtime/index.ts";
import { runsOf } from "../../runtime/index.ts";
import type { RecordedTurn, TrafficRecorder } from "../../runtime/traffic.ts";
import { TrafficKeeper } from "../../runtime/traffic-keeper.ts";
import type { TrafficBounds } from "../../runtime/traffic-ring.ts";
import type { Vault } from "../../vault/index.ts";
import { SimulatedClock } from "./simulated-clock.ts";
import { bytes } from "./temp-vault.ts";

/** The ring of agent `a`. */
export const RING = "~traffic:a";

/** A turn that is told by its number. */
export function turn(number: number, parts: Partial<RecordedTurn> = {}): RecordedTurn {
  const base = { kind: "call", method: "add", text: "1", nowMs: number, seed: 1, asks: [], cpuMs: 0.1 } as const;
  return { ...base, beforeSeq: number, result: { ok: true, reply: "2" }, ...parts };
}

/** Which turns they are. */
export const numbersOf = (turns: readonly RecordedTurn[]): readonly number[] => turns.map(({ beforeSeq }) => beforeSeq);
/** Which turns they are, run by run. */
export const runNumbers = (turns: readonly RecordedTurn[]): readonly (readonly number[])[] =>
  runsOf(turns).map(numbersOf);
/** All numbers from one to another, both included. */
export const range = (from: number, to: number): readonly number[] =>
  Array.from({ length: to - from + 1 }, (_, index) => from + index);

/** What makes `a` an agent, as far as a ring looks. */
export function currentOp(version: number, originHash = "o") {
  return { put: "a:current", value: bytes(JSON.stringify({ hash: "h", version, originHash, profile: "trusted" })) };
}

/** A vault with an agent `a` in it, and processes that come and go over it. */
export class Lab {
  readonly vault: Vault;
  readonly clock = new SimulatedClock();
  readonly events: PlanariaEvent[] = [];
  keeper: TrafficKeeper;
  recorder: TrafficRecorder;
  stop: () => void = () => undefined;

  constructor(vault: Vault) {
    this.vault = vault;
    if (vault.head("a") === undefined) vault.create({ name: "a", ops: [currentOp(1)] });
    ({ keeper: this.keeper, recorder: this.recorder } = this.#begin());
  }

  keep(bounds: Partial<TrafficBounds> = {}): this {
    this.stop = this.keeper.keep("a", bounds);
    return this;
  }

  record(numbers: readonly number[], parts: Partial<RecordedTurn> = {}): this {
    for (const number of numbers) this.recorder.record(turn(number, parts));
    return this;
  }

  /** The process is gone, with all that it had in memory; another one begins. */
  crash(): this {
    this.clock.disarmAll();
    ({ keeper: this.keeper, recorder: this.recorder } = this.#begin());
    return this;
  }

  /** The program ends in order; another one begins. */
  reopen(): this {
    this.keeper.close();
    return this.crash();
  }

  turns(): readonly RecordedTurn[] {
    return this.recorder.turns();
  }

  /** What lies in the vault, in bytes of blocks. */
  size(): number {
    const branch = this.vault.head(RING);
    let size = 0;
    for (const [, value] of branch?.range({ prefix: "b:" }) ?? []) size += value.length;
    return size;
  }

  write(key: string, value: string): void {
    const branch = this.vault.head(key.startsWith("a:") ? "a" : RING);
    assert.ok(branch !== undefined);
    this.vault.commit([{ type: "write", branch: branch.id, ops: [{ put: key, value: bytes(value) }] }]);
  }

  #begin(): { readonly keeper: TrafficKeeper; readonly recorder: TrafficRecorder } {
    const events = new EventStream(() => 0);
    events.subscribe(({ event }) => this.events.push(event));
    const keeper = new TrafficKeeper({ vault: this.vault, clock: this.clock, events });
    return { keeper, recorder: keeper.recorder("a") };
  }
}
