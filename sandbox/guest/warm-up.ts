/**
 * One small agent is loaded and run before any other code, and forgotten. V8 compiles a function when it is first called, so
 * without this the first load and the first turn of every agent pay some two milliseconds for it; a ready isolate of the
 * pool has paid already.
 */
import { DEFINITION_GLOBAL, DONE, LOADED, loadText, turnText, type IsolateLimits } from "../protocol.ts";
import { Guest } from "./guest.ts";
import { defineProperty } from "./primordials.ts";
import type { TimeAndChance } from "./time-and-chance.ts";

const LIMITS: IsolateLimits = {
  heapMb: 8,
  cpuMs: 100,
  wallMs: 100,
  loadMs: 100,
  messageBytesMax: 1_000,
  replyBytesMax: 1_000,
  stateBytesMax: 1_000,
  asksPerTurnMax: 1,
  stepsPerTurnMax: 1,
  stepBytesPerTurnMax: 1_000,
  outboxPerTurnMax: 1,
  logBytesPerTurnMax: 1_000,
  tableReadsPerTurnMax: 1,
  tableBytesPerTurnMax: 1_000,
  rowBytesMax: 1_000,
};

const TURN = { kind: "call", text: "1", nowMs: 0, seed: 0 } as const;

interface Warm {
  state: { count: number; list: number[] };
}

const definition = {
  version: 1,
  state: () => ({ count: 0, list: [1] }),
  on: {
    write: (ctx: Warm, by: number) => {
      ctx.state.list.push(by);
      return (ctx.state.count += by);
    },
    read: { reads: true, handle: (ctx: Warm) => ctx.state.list.length },
  },
};

/** Runs a load and a few turns of an agent that nobody sees. `time` is set anew by the next turn. */
export function warmUp(time: TimeAndChance): void {
  defineProperty(globalThis, DEFINITION_GLOBAL, {
    value: () => defineProperty(globalThis, DEFINITION_GLOBAL, { value: definition, configurable: true }),
    configurable: true,
  });
  const guest = new Guest(time);
  const state = [
    ["count", "1"],
    ["list", "[1]"],
  ] as const;
  const outputs = [
    guest.enter(loadText({ limits: LIMITS, agent: "warm", text: "", state })),
    guest.enter(turnText({ ...TURN, id: 1, method: "write" })),
    guest.enter(turnText({ ...TURN, id: 2, method: "read" })),
  ];
  const kinds = outputs.map((output) => output.slice(0, 1)).join("");
  if (kinds !== LOADED + DONE + DONE) throw new TypeError(`the guest does not work: ${outputs.join(" ")}`);
}
