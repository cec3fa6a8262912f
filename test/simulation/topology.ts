/**
 * Who lives in a world: agents that stand alone, and perhaps a tree of supervisors, drawn from its seed.
 */
import type { AgentLimits, SpawnOptions, SupervisorSpec } from "../../runtime/index.ts";
import type { Chance } from "../support/chance.ts";
import { SOURCE } from "./script.ts";

/** A supervisor as the checker needs it. */
export interface KnownSupervisor {
  readonly path: string;
  readonly strategy: "one_for_one" | "one_for_all" | "rest_for_one" | "dynamic";
  readonly intensity: number;
  readonly periodMs: number;
  /** Paths of the children, in order of start. */
  readonly children: readonly string[];
}

/** An agent as the checker needs it. */
export interface KnownAgent {
  readonly path: string;
  readonly restart: "permanent" | "transient" | "temporary";
  readonly intensity: number;
  readonly periodMs: number;
  readonly durability: "disk" | "memory";
  readonly mailboxMax: number;
  readonly supervisor: string | undefined;
}

/** See the header. */
export interface Topology {
  readonly spawns: readonly SpawnOptions[];
  readonly tree: SupervisorSpec | undefined;
  readonly agents: readonly KnownAgent[];
  readonly supervisors: readonly KnownSupervisor[];
}

const TOP_IDS = ["a", "b", "c"];
const CHILD_IDS = ["x", "y", "z"];
const RESTARTS = ["permanent", "permanent", "transient", "temporary"] as const;
const STRATEGIES = ["one_for_one", "one_for_all", "rest_for_one"] as const;

/** Draws a world. */
export function drawTopology(chance: Chance): Topology {
  const agents: KnownAgent[] = [];
  const supervisors: KnownSupervisor[] = [];
  const spawns = TOP_IDS.slice(0, 1 + chance.below(TOP_IDS.length)).map((id): SpawnOptions => {
    const { known, options } = drawAgent(chance, id, undefined);
    agents.push(known);
    const { intensity, periodMs } = known;
    return { ...options, id, intensity, periodMs };
  });
  const hasTree = chance.below(3) > 0;
  const draw = { chance, agents, supervisors };
  const tree = hasTree ? drawSupervisor(draw, "s", { depth: 0, id: "s" }) : undefined;
  return { spawns, tree, agents, supervisors };
}

interface Draw {
  readonly chance: Chance;
  readonly agents: KnownAgent[];
  readonly supervisors: KnownSupervisor[];
}

function drawSupervisor(
  draw: Draw,
  path: string,
  place: { readonly depth: number; readonly id: string },
): SupervisorSpec {
  const { chance } = draw;
  const strategy = chance.of(STRATEGIES);
  const flags = { intensity: 1 + chance.below(4), periodMs: 1_000 * (1 + chance.below(5)) };
  const children: string[] = [];
  draw.supervisors.push({ path, strategy, ...flags, children });
  const ids = chance.some(CHILD_IDS, 2 + chance.below(2));
  const specs = ids.map((id): NonNullable<SupervisorSpec["children"]>[number] => {
    const child = `${path}/${id}`;
    children.push(child);
    if (place.depth < 1 && chance.oneIn(4)) return drawSupervisor(draw, child, { depth: place.depth + 1, id });
    const { known, options } = drawAgent(chance, child, { path, ...flags });
    draw.agents.push(known);
    return { ...options, id };
  });
  const own = place.depth === 0 ? {} : { shutdownMs: chance.of([200, 2_000, "infinity"] as const) };
  return { id: place.id, strategy, ...flags, ...own, children: specs };
}

function drawAgent(
  chance: Chance,
  path: string,
  above: { readonly path: string; readonly intensity: number; readonly periodMs: number } | undefined,
): { readonly known: KnownAgent; readonly options: Omit<SpawnOptions, "id" | "intensity" | "periodMs"> } {
  const restart = chance.of(RESTARTS);
  const durability = chance.oneIn(4) ? "memory" : "disk";
  const mailboxMax = chance.of([4, 20, 100]);
  const own = { intensity: chance.below(4), periodMs: 1_000 * (1 + chance.below(5)) };
  const limits: Partial<AgentLimits> = { mailboxMax };
  const known: KnownAgent = {
    path,
    restart,
    intensity: above?.intensity ?? own.intensity,
    periodMs: above?.periodMs ?? own.periodMs,
    durability,
    mailboxMax,
    supervisor: above?.path,
  };
  const shutdownMs = chance.of([100, 600, 3_000, "brutal_kill"] as const);
  return { known, options: { source: SOURCE, restart, shutdownMs, durability, limits } };
}
