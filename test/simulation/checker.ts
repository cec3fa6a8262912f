/**
 * What must be true after every step of a world, told from its events alone. The names are those of the table of invariants:
 *
 *   I3   one life at a time: it begins after the one before has ended, with a higher epoch
 *   I6   restarts within a window never exceed the limit; one more, and the agent is parked or its supervisor gives up
 *   I7   events are numbered without a gap; I8: who joins late gets each of them once
 *   I13  every end has one event with its cause; whoever lived in a lost cell is told of, and a suspect alone is charged
 *   and  OTP's orders: groups stop from the right and start from the left, whoever is not to restart does not
 */
import type { ExitReason, StampedEvent } from "../../runtime/index.ts";
import type { KnownAgent, KnownSupervisor, Topology } from "./topology.ts";
import { GroupWatch } from "./group-watch.ts";

/** What the checker looks at beside events. */
export interface CheckedWorld {
  readonly nowMs: () => number;
  /** A swap or a restore gives this agent another life without an end of the one before. */
  readonly isReplaced: (agent: string) => boolean;
  /** Cells are replaced: an agent moves to another one without an end of its life before. */
  readonly isRecycling: boolean;
  readonly wrong: (text: string) => void;
}

interface Life {
  cell: string | undefined;
  epoch: number;
  /** How the last life or start ended; undefined while one is up. */
  end: "exited" | "rehomed" | "parked" | "stopped" | "none" | undefined;
  reason: ExitReason | undefined;
  /** When restarts were charged, of those that still count. */
  charges: number[];
  /** A start has failed: when its retries are charged cannot be told from events. */
  isMuddled: boolean;
  /** No try at a start may come before this. */
  notBeforeMs: number;
}

interface Window {
  readonly known: KnownSupervisor;
  charges: number[];
  isMuddled: boolean;
  hasBreached: boolean;
}

/** By then a lost cell's agents are told of: one that was about to exit waits for its last commit, on a slow disk. */
const TOLD_MS = 2_000;
/** gRPC's jitter takes half of the first wait of 50 ms at most. */
const BACK_OFF_MS_MIN = 25;

/** See the header. */
export class Checker {
  readonly #world: CheckedWorld;
  readonly #agents: ReadonlyMap<string, KnownAgent>;
  readonly #lives = new Map<string, Life>();
  readonly #windows = new Map<string, Window>();
  readonly #groups: GroupWatch;
  #seq: number | undefined;

  constructor(topology: Topology, world: CheckedWorld) {
    this.#world = world;
    this.#agents = new Map(topology.agents.map((agent) => [agent.path, agent]));
    this.#groups = new GroupWatch(topology.supervisors, world.wrong);
    for (const known of topology.supervisors)
      this.#windows.set(known.path, { known, charges: [], isMuddled: false, hasBreached: false });
  }

  /** Takes the next event. */
  take({ seq, event }: StampedEvent): void {
    if (this.#seq !== undefined && seq !== this.#seq + 1) this.#world.wrong(`I7 event ${seq} after ${this.#seq}`);
    this.#seq = seq;
    this.#groups.take(event);
    switch (event.type) {
      case "agent.started":
        return this.#started(event.agent, event);
      case "agent.exited":
        return this.#exited(event.agent, event.reason);
      case "agent.rehomed":
        return this.#rehomed(event.agent, event.reason);
      case "agent.parked":
        return this.#parked(event.agent);
      case "agent.stopped":
        this.#life(event.agent).end = "stopped";
        this.#life(event.agent).cell = undefined;
        return this.#clean(event.agent);
      case "agent.handed_over":
        this.#life(event.agent).end = "none";
        return;
      case "agent.dropped":
        this.#lives.delete(event.agent);
        return;
      case "agent.escalated":
        Object.assign(this.#life(event.agent), { notBeforeMs: 0, end: "none" }); // a rung is no restart
        return;
      case "cell.exited":
        return this.#cellExited(event.cell, event.exit.suspects);
      case "supervisor.restart_begun":
        return this.#restartBegun(event.supervisor);
      case "supervisor.child_failed":
        this.#window(event.supervisor).isMuddled = true;
        return;
      case "supervisor.breached":
        return this.#breached(event.supervisor, event);
      case "supervisor.exited":
        Object.assign(this.#window(event.supervisor), { charges: [], isMuddled: false, hasBreached: false });
        return;
      default:
        return;
    }
  }

  /** The owner wants it up, whatever it waits for. */
  revived(agent: string): void {
    const life = this.#life(agent);
    life.notBeforeMs = 0;
    if (life.end === "parked") life.end = "none";
  }

  /** A cell is told to load the code of an agent. */
  loading(agent: string): void {
    const life = this.#lives.get(agent);
    if (life === undefined || this.#world.isReplaced(agent)) return;
    if (this.#world.nowMs() < life.notBeforeMs)
      this.#world.wrong(`a start of ${agent} is tried again ${life.notBeforeMs - this.#world.nowMs()} ms too early`);
  }

  /** Called when nothing is left to happen at this instant. */
  settled(): void {
    this.#suspects.clear();
    const nowMs = this.#world.nowMs();
    for (const [cell, atMs] of this.#lostCells) {
      if (nowMs - atMs < TOLD_MS) continue;
      this.#lostCells.delete(cell);
      for (const [agent, life] of this.#lives)
        if (life.cell === cell) this.#world.wrong(`I13 ${agent} was in ${cell}, which is gone, and nobody was told`);
    }
    this.#checkLimits();
  }

  /** Called once nothing happens any more. */
  ended(): void {
    for (const [path, { hasBreached }] of this.#windows)
      if (hasBreached) this.#world.wrong(`I6 ${path} breached its limit, and did not end`);
  }

  /** When cells were lost. */
  readonly #lostCells = new Map<string, number>();
  /** Agents that were inside as a cell died, in this step. */
  readonly #suspects = new Set<string>();

  #started(agent: string, { cell, epoch }: { readonly cell: string; readonly epoch: number }): void {
    const life = this.#life(agent);
    const { wrong, isReplaced, isRecycling } = this.#world;
    const hasMoved = isRecycling && cell !== life.cell;
    if (life.end === undefined && !hasMoved && !isReplaced(agent))
      wrong(`I3 ${agent} begins a life while another one is up`);
    // A subagent that is gone for good gives its name to another one.
    if (epoch <= life.epoch && this.#agents.has(agent))
      wrong(`I3 ${agent} begins with epoch ${epoch} after ${life.epoch}`);
    if (life.end === "parked" && !isReplaced(agent)) wrong(`I6 ${agent} was parked, and begins again by itself`);
    if (life.end === "exited" && life.reason !== undefined && this.#mustStayDown(agent, life.reason))
      wrong(`${agent} (${this.#agents.get(agent)?.restart}) begins again after ${life.reason.name}`);
    Object.assign(life, { cell, epoch, end: undefined, notBeforeMs: 0 });
  }

  #mustStayDown(agent: string, { name }: ExitReason): boolean {
    const known = this.#agents.get(agent);
    // With a supervisor its whole group may have been restarted, and a temporary one begins anew with it by a new start.
    if (known === undefined || known.supervisor !== undefined) return false;
    return (
      known.restart === "temporary" || (known.restart === "transient" && (name === "normal" || name === "shutdown"))
    );
  }

  #exited(agent: string, reason: ExitReason): void {
    const life = this.#life(agent);
    const { wrong } = this.#world;
    if (reason.name === "cell_lost" || reason.name === "storage") wrong(`I13 ${agent} is charged for ${reason.name}`);
    if (reason.name === "cell_lost_suspect" && !this.#suspects.has(agent) && life.end === undefined)
      wrong(`I13 ${agent} is a suspect, and was not inside`);
    const wasUp = life.end === undefined;
    // One that slept counts as up for its keeper: the first failed start is followed by one at once.
    const hadEnded = life.end === "exited";
    Object.assign(life, { end: "exited", reason, cell: undefined });
    const known = this.#agents.get(agent);
    if (known === undefined || known.supervisor !== undefined) return;
    if (!wasUp) {
      life.isMuddled = true;
      if (hadEnded && reason.name === "load_failed") life.notBeforeMs = this.#world.nowMs() + BACK_OFF_MS_MIN;
      return;
    }
    if (this.#mustStayDown(agent, reason)) return;
    life.charges = this.#counting([...life.charges, this.#world.nowMs()], known.periodMs);
  }

  #rehomed(agent: string, reason: ExitReason): void {
    const life = this.#life(agent);
    if (reason.name !== "cell_lost" && reason.name !== "storage")
      this.#world.wrong(`I13 ${agent} is not charged for ${reason.name}`);
    if (this.#suspects.has(agent) && reason.name === "cell_lost" && life.end === undefined)
      this.#world.wrong(`I13 ${agent} was inside as its cell died, and is not charged`);
    Object.assign(life, { end: "rehomed", reason, cell: undefined });
  }

  #parked(agent: string): void {
    const life = this.#life(agent);
    const known = this.#agents.get(agent);
    if (known !== undefined && !life.isMuddled && life.charges.length <= known.intensity)
      this.#world.wrong(`I6 ${agent} is parked after ${life.charges.length} restarts of ${known.intensity}`);
    this.#clean(agent);
    life.end = "parked";
    life.cell = undefined;
  }

  /** Nothing is charged any more. Whoever is up stays so. */
  #clean(agent: string): void {
    const life = this.#life(agent);
    Object.assign(life, { charges: [], isMuddled: false });
    if (life.end !== undefined) life.end = "none";
  }

  #cellExited(cell: string, suspects: readonly string[]): void {
    this.#lostCells.set(cell, this.#world.nowMs());
    for (const suspect of suspects) this.#suspects.add(suspect);
  }

  #restartBegun(supervisor: string): void {
    const window = this.#window(supervisor);
    const { intensity, periodMs } = window.known;
    window.charges = this.#counting([...window.charges, this.#world.nowMs()], periodMs);
    if (window.charges.length > intensity)
      this.#world.wrong(`I6 ${supervisor} restarts for the ${window.charges.length}th time within ${periodMs} ms`);
  }

  #breached(
    supervisor: string,
    { restarts, intensity }: { readonly restarts: number; readonly intensity: number },
  ): void {
    const window = this.#window(supervisor);
    const charges = this.#counting([...window.charges, this.#world.nowMs()], window.known.periodMs);
    if (!window.isMuddled && charges.length <= intensity)
      this.#world.wrong(
        `I6 ${supervisor} gives up after ${charges.length} restarts of ${intensity} (it says ${restarts})`,
      );
    window.hasBreached = true;
  }

  /** An agent that ended too often must be parked by now. */
  #checkLimits(): void {
    for (const [agent, { charges, isMuddled, end }] of this.#lives) {
      const known = this.#agents.get(agent);
      if (known === undefined || isMuddled || end === "parked" || charges.length <= known.intensity) continue;
      this.#world.wrong(`I6 ${agent} ended ${charges.length} times within ${known.periodMs} ms, and goes on`);
    }
  }

  #counting(charges: readonly number[], periodMs: number): number[] {
    return charges.filter((atMs) => this.#world.nowMs() - atMs <= periodMs);
  }

  #life(agent: string): Life {
    const known = this.#lives.get(agent);
    if (known !== undefined) return known;
    const life: Life = {
      cell: undefined,
      epoch: 0,
      end: "none",
      reason: undefined,
      charges: [],
      isMuddled: false,
      notBeforeMs: 0,
    };
    this.#lives.set(agent, life);
    return life;
  }

  #window(path: string): Window {
    const window = this.#windows.get(path);
    if (window === undefined) throw new Error(`no supervisor is called ${path}`);
    return window;
  }
}
