/**
 * What goes wrong in a world that no client does: cells are lost, disks fill up, clocks jump, owners kill and stop their
 * agents. At random moments, as far as the world's swarm allows.
 */
import type { AgentControl, Runtime } from "../../runtime/index.ts";
import type { Chance } from "../support/chance.ts";
import { codeOf } from "./clients.ts";
import type { Swarm } from "./faults.ts";
import type { SimCell } from "./sim-cell.ts";
import type { KnownSupervisor } from "./topology.ts";

/** What the nemesis works with. */
export interface NemesisHost {
  readonly runtime: Runtime;
  readonly chance: Chance;
  readonly swarm: Swarm;
  readonly agents: readonly string[];
  readonly supervisors: readonly KnownSupervisor[];
  readonly cells: () => readonly SimCell[];
  readonly after: (ms: number, work: () => void) => void;
  readonly jumpWall: (byMs: number) => void;
  readonly tell: (line: string) => void;
  readonly wrong: (text: string) => void;
  /** The owner wants this agent up again. */
  readonly reviving: (agent: string) => void;
}

const HOUR_MS = 3_600_000;
const YEAR_MS = 365 * 24 * HOUR_MS;

/** Hashes of code that never loads begin like this. */
const BAD = "bad-";

/** Code that never loads. */
export function isBad(hash: string): boolean {
  return hash.startsWith(BAD);
}

/** See the header. */
export class Nemesis {
  readonly #host: NemesisHost;
  /** Faults that are on at the moment. */
  isDiskFull = false;
  areCellsSlow = false;
  readonly failingLoads = new Map<string, number>();
  cellStartsToFail = 0;
  isStartSlow = false;
  /** Agents that are given another life at the moment. */
  readonly replaced = new Map<string, number>();
  /** Operations that have not ended. */
  open = 0;

  constructor(host: NemesisHost) {
    this.#host = host;
  }

  /** Does one thing, if the world has a fault for it. */
  act(): void {
    const { chance, swarm } = this.#host;
    const all = this.#deeds().filter(([fault]) => swarm.has(fault));
    if (all.length > 0) chance.of(all)[1]();
  }

  /** From here on nothing goes wrong. */
  end(): void {
    this.isDiskFull = false;
    this.areCellsSlow = false;
    this.isStartSlow = false;
    this.cellStartsToFail = 0;
    this.failingLoads.clear();
  }

  #deeds(): readonly (readonly [Parameters<Swarm["has"]>[0], () => void])[] {
    const { chance, jumpWall } = this.#host;
    return [
      ["cell_loss", () => this.#loseCell()],
      ["cell_loss", () => this.#loseCell()],
      ["load_failure", () => void this.failingLoads.set(this.#agent(), 1 + chance.below(4))],
      ["load_failure", () => this.#failNext()],
      ["cell_start_failure", () => void (this.cellStartsToFail = 1 + chance.below(4))],
      ["slow_start", () => this.#for(chance.below(2_000), "isStartSlow")],
      ["disk_full", () => this.#for(chance.below(1_000), "isDiskFull")],
      ["slow_cell", () => this.#for(chance.below(1_000), "areCellsSlow")],
      ["clock_jump", () => jumpWall(chance.of([-HOUR_MS, HOUR_MS, YEAR_MS, -1, 60_000]))],
      ["operator_kill", () => this.#owner("kill", this.#agent())],
      ["operator_stop", () => this.#owner("stop", this.#agent())],
      ["operator_stop", () => this.#owner("revive", this.#agent())],
      ["operator_stop", () => this.#supervisor()],
      ["swap", () => this.#swap(false)],
      ["bad_swap", () => this.#swap(true)],
    ];
  }

  #agent(): string {
    return this.#host.chance.of(this.#host.agents);
  }

  #for(ms: number, what: "isStartSlow" | "isDiskFull" | "areCellsSlow"): void {
    this[what] = true;
    this.#host.tell(`${what} for ${ms} ms`);
    this.#host.after(ms, () => void (this[what] = false));
  }

  #loseCell(): void {
    const { chance, cells, tell } = this.#host;
    const running = cells().filter(({ runs }) => runs);
    if (running.length === 0) return;
    const cell = chance.of(running);
    tell(`${cell.id} dies`);
    cell.crash("the nemesis killed it");
  }

  /** A restart whose first tries fail. */
  #failNext(): void {
    const agent = this.#agent();
    this.failingLoads.set(agent, 1 + this.#host.chance.below(3));
    this.#owner("kill", agent);
  }

  #owner(what: "kill" | "stop" | "revive", agent: string): void {
    const { runtime, reviving } = this.#host;
    if (what === "revive") reviving(agent);
    this.#work(`${what} ${agent}`, async () => {
      await runtime.ref(agent)[what]();
      if (what === "revive") reviving(agent);
    });
  }

  #supervisor(): void {
    const { chance, supervisors, runtime } = this.#host;
    if (supervisors.length === 0) return;
    const { path } = chance.of(supervisors);
    const what = chance.of(["stop", "revive"] as const);
    this.#work(`${what} ${path}`, () => runtime.supervisor(path)[what]());
  }

  /** Another version between two messages. One that does not load must leave the old one serving (I9). */
  #swap(isBad: boolean): void {
    const { runtime, chance, wrong } = this.#host;
    const agent = this.#agent();
    this.#work(`swap ${agent}${isBad ? " for what does not load" : ""}`, async () => {
      const control: AgentControl = runtime.control(agent);
      const before = control.code;
      const hash = `${isBad ? BAD : "good-"}${chance.below(1_000)}`;
      const artifact = { ...before.artifact, hash };
      this.replaced.set(agent, (this.replaced.get(agent) ?? 0) + 1);
      try {
        await control.swap({ artifact, label: `before-${hash}` });
      } catch (error) {
        if (isBad && control.code.current.hash === hash) wrong(`I9 ${agent} has the code of a swap that failed`);
        throw error;
      } finally {
        this.replaced.set(agent, (this.replaced.get(agent) ?? 1) - 1);
      }
    });
  }

  #work(what: string, work: () => Promise<unknown>): void {
    const { tell } = this.#host;
    this.open += 1;
    const ended = (line: string): void => {
      this.open -= 1;
      tell(`${what}: ${line}`);
    };
    tell(what);
    work().then(
      () => ended("done"),
      (error: unknown) => ended(codeOf(error)),
    );
  }
}
