/** A shadow that went with its cell: whose doing that was is found out by trying the candidate once more, alone. */
import type { ShadowTurn } from "../../runtime/index.ts";

/** A shadow went with its cell, by whoever's doing. */
export class LostShadow extends Error {
  override readonly name = "LostShadow";
}

/** The turn, where it was not lost with its cell. Throws LostShadow. */
export function settled(turn: ShadowTurn): ShadowTurn {
  if (turn.outcome.kind === "lost") throw new LostShadow(turn.outcome.message);
  return turn;
}
