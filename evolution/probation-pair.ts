/**
 * What a turn of a probation comes to, as the pair that the guard rails weigh: the same tests as before the promotion, with the
 * roles exchanged. The new version has answered live, so it is the one on trial; the reverse shadow is the control.
 *
 * CPU time and heap are not compared: the live agent shares its cell with others and may be compiled in another way. Nor are
 * effects: those of the reverse shadow are answered by what the new version asked.
 */
import type { RecordedTurn, ShadowTurn } from "../runtime/index.ts";
import type { Outcome } from "../sandbox/index.ts";
import { endedOf } from "./evidence/users-view.ts";
import type { Pair } from "./pairs/pair.ts";

/** The pair of a live turn and of what the version before made of the same message. Pure. */
export function exchangedPair(turn: RecordedTurn, before: ShadowTurn, number: number): Pair {
  const expected = { ...turn, result: endedOf(before.outcome) };
  return { number, turn: expected, control: before, candidate: { ...before, outcome: outcomeOf(turn, before) } };
}

/** The live result in the words of a shadow; what it cost is what the other one cost, so that nothing is said by it. */
function outcomeOf({ result }: RecordedTurn, { outcome }: ShadowTurn): Outcome {
  const meter = "meter" in outcome ? { ...outcome.meter, heapBytes: 0 } : { cpuMs: 0, wallMs: 0, heapBytes: 0 };
  if (result.ok) return { kind: "done", reply: result.reply, ops: [], rows: [], outbox: [], logs: [], meter };
  const { name, message } = result;
  return { kind: "threw", fault: { name, message, stack: "" }, logs: [], meter };
}
