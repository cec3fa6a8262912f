/**
 * What goes wrong on purpose, drawn by the seed: of every three rounds one brings a bad proposal, and in one a cell is killed in the
 * middle of a trial. Pure.
 */
import { seededRandom } from "../../../runtime/index.ts";
import { below, shuffled } from "../../population/chance.ts";
import { seedOf } from "../draws.ts";

/** A cell that is to be killed: when a trial tells of this stage for the first time. */
export interface PlannedKill {
  readonly stage: "replay" | "mirror" | "split";
  /** The agent's own cell, or every other one: those of the trial are among them. */
  readonly whose: "the agent's" | "the trial's";
}

/** What a round is troubled by. */
export type Trouble =
  | { readonly kind: "none" }
  | { readonly kind: "bad proposal"; /** Which of the seed's faults. */ readonly index: number }
  | { readonly kind: "kill"; readonly kill: PlannedKill };

const KINDS: readonly Trouble["kind"][] = ["none", "bad proposal", "kill"];
const STAGES: readonly PlannedKill["stage"][] = ["replay", "mirror", "split"];
/** Purpose of a seed. */
const TROUBLES = 0x7b1e;
/** Faults to draw from: each family of the audit several times. */
const FAULTS = 64;

/** The trouble of a round, counted from 0. */
export function troubleOf(seed: number, round: number): Trouble {
  const block = Math.floor(round / KINDS.length);
  const random = seededRandom(seedOf(seed, TROUBLES, block));
  const kind = shuffled(random, KINDS)[round % KINDS.length] ?? "none";
  const index = below(random, FAULTS);
  const stage = STAGES[below(random, STAGES.length)] ?? "mirror";
  const whose = below(random, 2) === 0 ? "the agent's" : "the trial's";
  switch (kind) {
    case "none":
      return { kind };
    case "bad proposal":
      return { kind, index };
    case "kill":
      return { kind, kill: { stage, whose } };
  }
}
