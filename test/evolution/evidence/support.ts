/** Pairs as a stage would hand them on, made by hand. */
import type { EvidenceSettings } from "../../../evolution/evidence/settings.ts";
import type { Pair } from "../../../evolution/pairs/pair.ts";
import type { RecordedTurn, ShadowEffect, ShadowTurn } from "../../../runtime/index.ts";
import { encode } from "../../../sandbox/index.ts";
import type { Outcome } from "../../../sandbox/index.ts";

/** The numbers of `standard`. */
export const settings: EvidenceSettings = {
  answers: "equal",
  alpha: 0.05,
  harmAlpha: 0.01,
  marginPoints: 0.01,
  cpuRatioMax: 1.1,
  candidatesTried: 1,
  heapBytesMax: 32 << 20,
  fitness: undefined,
  isFailure: undefined,
  clean: undefined,
};

/** Encoded text of a value. */
export const text = (value: unknown): string => encode(value, { bytesMax: 1 << 20 });

/** How one side ended. */
export interface Ending {
  readonly cpuMs?: number;
  readonly heapBytes?: number;
  readonly effects?: readonly ShadowEffect[];
  readonly loss?: ShadowTurn["loss"];
}

const turnWith = (outcome: Outcome, { effects = [], loss }: Ending): ShadowTurn => ({
  outcome,
  refusedEffects: effects.filter(({ how }) => how === "refused").map(({ verb }) => verb),
  effects,
  loss,
});
const meterOf = ({ cpuMs = 1, heapBytes = 1 << 20 }: Ending) => ({ cpuMs, wallMs: cpuMs, heapBytes });

/** It answers with this value. */
export function answers(value: unknown, ending: Ending = {}): ShadowTurn {
  return answersText(text(value), ending);
}

/** It answers with this text, whatever it is. */
export function answersText(reply: string, ending: Ending = {}): ShadowTurn {
  return turnWith({ kind: "done", reply, ops: [], rows: [], outbox: [], logs: [], meter: meterOf(ending) }, ending);
}

/** It throws. */
export function throws(message: string, ending: Ending = {}): ShadowTurn {
  return turnWith(
    { kind: "threw", fault: { name: "TypeError", message, stack: "" }, logs: [], meter: meterOf(ending) },
    ending,
  );
}

/** It hits a limit. */
export function exceeds(code: "SANDBOX_HEAP_EXCEEDED" | "SANDBOX_CPU_EXCEEDED" | "SANDBOX_WALL_EXCEEDED"): ShadowTurn {
  return turnWith({ kind: "exceeded", code, message: "over its limit" }, {});
}

/** Its cell is lost under it. */
export function loses(loss?: ShadowTurn["loss"]): ShadowTurn {
  return turnWith(
    { kind: "lost", code: "SANDBOX_CELL_LOST", wasRunning: true, message: "the cell ended" },
    loss === undefined ? {} : { loss },
  );
}

/** A live turn that was answered with this value. */
export function live(value: unknown, more: Partial<RecordedTurn> = {}): RecordedTurn {
  return {
    kind: "call",
    method: "search",
    text: text("worm"),
    nowMs: 1,
    seed: 1,
    asks: [],
    result: { ok: true, reply: text(value) },
    cpuMs: 1,
    beforeSeq: 1,
    ...more,
  };
}

/** A live turn that threw. */
export function liveFailed(more: Partial<RecordedTurn> = {}): RecordedTurn {
  return live(0, { result: { ok: false, name: "RangeError", message: "no such note" }, ...more });
}

/** One turn, run by both. */
export function pairOf(turn: RecordedTurn, candidate: ShadowTurn, control: ShadowTurn, number = 1): Pair {
  return { number, turn, candidate, control };
}
