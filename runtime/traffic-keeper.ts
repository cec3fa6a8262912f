/**
 * Whose turns are kept beyond this process, and where: one ring for each agent that somebody asked to keep.
 *
 *   control.keepTraffic --> bounds, by name --> ring of an agent, made with its first turn, for all who have that name
 *
 * Invariants
 * 1. Where nobody keeps anything a turn costs one comparison more.
 * 2. A ring goes with its agent, in the same commit; one that was left behind goes as the vault is opened.
 */
import type { Action, Clock, Vault } from "../vault/index.ts";
import type { EventStream } from "./events.ts";
import { TrafficRecorder } from "./traffic.ts";
import { parseTrafficBounds } from "./traffic-bounds.ts";
import type { TrafficBounds } from "./traffic-ring.ts";
import { RING_PREFIX, TrafficRing, ringDeparture } from "./traffic-ring.ts";

/** What a keeper needs. */
export interface KeeperParts {
  readonly vault: Vault;
  readonly clock: Clock;
  readonly events: EventStream;
}

/** The rings of one runtime. */
export class TrafficKeeper {
  readonly #parts: KeeperParts;
  readonly #rings = new Map<string, TrafficRing>();
  readonly #asked = new Set<{ readonly agent: string; readonly bounds: TrafficBounds }>();

  constructor(parts: KeeperParts) {
    this.#parts = parts;
    sweepRings(parts.vault);
  }

  /**
   * Keeps the turns of this agent until the returned function is called, by whatever life or deployment. What was kept stays.
   * Throws RUNTIME_OPTIONS_INVALID.
   */
  keep(agent: string, bounds?: Partial<TrafficBounds>): () => void {
    const asked = { agent, bounds: parseTrafficBounds(bounds) };
    this.#asked.add(asked);
    this.#adjust();
    return () => {
      if (this.#asked.delete(asked)) this.#adjust();
    };
  }

  /** Where the turns of this agent are kept; undefined where they are not. */
  ringOf(agent: string): TrafficRing | undefined {
    if (this.#asked.size === 0) return undefined;
    const known = this.#rings.get(agent);
    if (known !== undefined) return known;
    const bounds = this.#boundsOf(agent);
    if (bounds === undefined) return undefined;
    const ring = new TrafficRing({ ...this.#parts, agent, bounds });
    this.#rings.set(agent, ring);
    return ring;
  }

  /** The recorder of an agent that comes up. */
  recorder(agent: string): TrafficRecorder {
    return new TrafficRecorder({ ring: () => this.ringOf(agent), clear: () => this.#clear(agent) });
  }

  /** What goes in the commit that drops an agent. From here on nothing of it is written. */
  departure(agent: string): readonly Action[] {
    this.#rings.get(agent)?.end();
    this.#rings.delete(agent);
    const name = RING_PREFIX + agent;
    const branch = this.#parts.vault.head(name);
    return branch === undefined ? [] : ringDeparture(name, branch);
  }

  /** Writes what is in memory, and keeps nothing more. */
  close(): void {
    this.#asked.clear();
    this.#adjust();
  }

  /** What was kept goes also where nobody keeps it at the moment. */
  #clear(agent: string): void {
    const known = this.#rings.get(agent);
    if (known !== undefined) return known.clear();
    if (this.#parts.vault.head(RING_PREFIX + agent) === undefined) return;
    new TrafficRing({ ...this.#parts, agent, bounds: parseTrafficBounds() }).clear();
  }

  /** The rings of now have the bounds of now, and those that nobody wants any more are written out and let go. */
  #adjust(): void {
    for (const [agent, ring] of this.#rings) {
      const bounds = this.#boundsOf(agent);
      if (bounds !== undefined) {
        ring.resize(bounds);
        continue;
      }
      ring.flush();
      ring.end();
      this.#rings.delete(agent);
    }
  }

  /** The largest of what is asked for. */
  #boundsOf(agent: string): TrafficBounds | undefined {
    const asked = [...this.#asked].filter((one) => one.agent === agent);
    if (asked.length === 0) return undefined;
    return {
      turnsMax: Math.max(...asked.map(({ bounds }) => bounds.turnsMax)),
      bytesMax: Math.max(...asked.map(({ bounds }) => bounds.bytesMax)),
    };
  }
}

/** Removes rings whose agents are gone: dropped while no runtime ran. */
function sweepRings(vault: Vault): void {
  for (const { name, branch } of vault.names()) {
    if (!name.startsWith(RING_PREFIX) || vault.head(name.slice(RING_PREFIX.length)) !== undefined) continue;
    vault.commit(ringDeparture(name, { id: branch }), { durability: "memory" });
  }
}
