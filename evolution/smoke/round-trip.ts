/**
 * Does an agent know after a restart what it knew before? The same turns are given to a shadow that has lived for a while and to a
 * new life on a fork of its state. Where the two answer or write differently, the first one kept something outside of its state.
 *
 *     lived   --- turns --->  answers, writes   \
 *        | fork                                   equal?
 *     reborn  --- turns --->  answers, writes   /
 */
import type { RecordedTurn, Shadow, ShadowTurn } from "../../runtime/index.ts";
import { isSameReply } from "../compare.ts";
import { isVoidOutcome } from "../stage.ts";

/** How a turn went in both lives. */
export interface Relived {
  readonly turn: RecordedTurn;
  readonly lived: ShadowTurn;
  readonly reborn: ShadowTurn;
  /** Both ended in the same way and wrote the same. */
  readonly isSame: boolean;
}

/** Gives `turns` to both, one after the other. Who loses its isolate on the way begins another life. */
export async function relive(
  turns: readonly RecordedTurn[],
  shadows: { readonly lived: Shadow; readonly reborn: Shadow },
): Promise<readonly Relived[]> {
  const all: Relived[] = [];
  for (const turn of turns) {
    const lived = await runInTime(shadows.lived, turn);
    const reborn = await runInTime(shadows.reborn, turn);
    all.push({ turn, lived, reborn, isSame: isSameTurn(lived, reborn) });
  }
  return all;
}

/** Runs a turn; a shadow whose isolate did not survive it has a new one when it resolves. */
export async function runAndStay(shadow: Shadow, turn: RecordedTurn): Promise<ShadowTurn> {
  const ran = await shadow.run(turn);
  if (ran.outcome.kind === "exceeded" || ran.outcome.kind === "lost") await shadow.reload();
  return ran;
}

/** The same, and once more where the wall clock ended it: a busy machine does not do that twice in a row. */
export async function runInTime(shadow: Shadow, turn: RecordedTurn): Promise<ShadowTurn> {
  const ran = await runAndStay(shadow, turn);
  return isVoidOutcome(ran.outcome) ? await runAndStay(shadow, turn) : ran;
}

/** Whether two turns ended in the same way and wrote the same. Linear in what they said. Pure. */
export function isSameTurn({ outcome: a }: ShadowTurn, { outcome: b }: ShadowTurn): boolean {
  if (a.kind !== b.kind) return false;
  if (a.kind !== "done" || b.kind !== "done") return true; // words of errors may have positions and sizes in them
  return isSameReply(a.reply, b.reply) && isSameList(a.ops, b.ops) && isSameList(a.rows, b.rows);
}

function isSameList(a: readonly (readonly unknown[])[], b: readonly (readonly unknown[])[]): boolean {
  return a.length === b.length && a.every((item, index) => item.every((part, at) => part === b[index]?.[at]));
}
