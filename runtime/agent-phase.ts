/**
 * What an agent is made of, and where it stands between its lives. `agent.ts` has the picture.
 */
import type { Branch, Commit, Timer } from "../vault/index.ts";
import type { AgentSpec } from "./agent-record.ts";
import type { Down } from "./down.ts";
import type { Incarnation } from "./incarnation.ts";
import type { Keeper } from "./keeper.ts";

/** What an agent is made of. */
export interface AgentOptions {
  readonly id: string;
  readonly spec: AgentSpec;
  readonly branch: Branch;
  /** Who decides about its lives; without one it stands alone. */
  readonly keeper?: Keeper;
  /** The newest commit of whoever had the name before: it must be settled before anything is loaded. */
  readonly after?: Commit | undefined;
}

/** See the header. */
export type AgentPhase =
  | { readonly name: "asleep" }
  | { readonly name: "starting" }
  | { readonly name: "up"; readonly life: Incarnation }
  /** Between two lives, until its keeper has decided, or until it may be re-homed again. Messages wait. */
  | { readonly name: "held"; readonly rehoming?: Timer }
  | ({ readonly name: "down" } & Down);

/** The phase in the words that users are shown. */
export function phaseName(phase: AgentPhase): "asleep" | "starting" | "up" | "restarting" | "parked" | "down" {
  if (phase.name === "held") return "restarting";
  return phase.name === "down" && phase.isParked ? "parked" : phase.name;
}

/**
 * True while work between two messages has to wait: a turn is in flight, a life starts, or the keeper must decide first. Nobody
 * decides about an agent that waits to be re-homed.
 */
export function isBusy(phase: AgentPhase, keeper: { readonly isFree: boolean }): boolean {
  if (phase.name === "up") return !phase.life.isIdle;
  return phase.name === "starting" || (phase.name === "held" && phase.rehoming === undefined && !keeper.isFree);
}
