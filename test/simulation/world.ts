/**
 * A world: the real runtime on the real vault, with simulated cells, a simulated disk and virtual time, made and run from one
 * seed. The same seed gives the same world, event by event.
 *
 *   seed --> streams of chance (topology, swarm, clients, nemesis, cells, disk, clock)
 *   clients, nemesis --> Runtime --> SimCell, MemoryFiles --> virtual clock --(one timer)--> everything that follows
 *                           '--> events --> Checker, trace
 *   faults end --> everything must become healthy within a virtual deadline --> ledger, trace hash
 *
 * Real time appears before and after only: opening the vault, compiling, removing the vault's folder.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Runtime as RuntimeType, StampedEvent } from "../../runtime/index.ts";
import { Runtime, SandboxError } from "../../runtime/index.ts";
import type { Cell, CellOptions } from "../../sandbox/index.ts";
import { compile } from "../../sandbox/index.ts";
import { Chance } from "../support/chance.ts";
import { Checker } from "./checker.ts";
import { Clients } from "./clients.ts";
import { Effects } from "./effects.ts";
import { askEverybody, bringUp, compareTopics } from "./ending.ts";
import type { EndingHost } from "./ending.ts";
import { drawSwarm } from "./faults.ts";
import type { Swarm } from "./faults.ts";
import { Ledger } from "./ledger.ts";
import type { Entry } from "./ledger.ts";
import { MemoryFiles } from "./memory-files.ts";
import { isBad, Nemesis } from "./nemesis.ts";
import { SOURCE } from "./script.ts";
import { SimCell } from "./sim-cell.ts";
import type { CellWorld } from "./sim-cell.ts";
import { drawTopology } from "./topology.ts";
import type { Topology } from "./topology.ts";
import { VirtualClock } from "./virtual-clock.ts";

/** How a world ended. */
export interface WorldReport {
  readonly seed: number;
  /** What went wrong; empty for a good world. */
  readonly wrong: readonly string[];
  /** Of everything that happened, in order. */
  readonly hash: string;
  readonly events: number;
  readonly virtualMs: number;
  readonly swarm: readonly string[];
  /** What happened, line by line; only when it was asked for. */
  readonly trace: readonly string[];
}

/** Streams of chance, so that a draw more in one does not shift the others. */
const STREAM = {
  topology: 1,
  swarm: 2,
  clients: 3,
  nemesis: 4,
  cells: 5,
  disk: 6,
  clock: 7,
  moments: 8,
  starts: 9,
} as const;
/** Virtual time that clients and nemesis are at work, and how often they act. */
const BUSY_MS = 6_000;
const ACTS = 40;
/** Cells are replaced so often that it happens in the middle of everything else. */
const RECYCLE_MS = 700;
/** Virtual time in which everything must be healthy once the faults are over. */
const HEALTHY_MS = 60_000;
/** Virtual time in which the disk comes to rest. */
const SYNCED_MS = 1_000;
/** How agents may take it to be stopped. */
const STOPS: readonly (() => "hangs" | "throws" | undefined)[] = [() => "hangs", () => "throws", () => undefined];
/** After this many steps a world does not come to an end. */
const STEPS_MAX = 200_000;
/** What the first wrong things of a world follow from is one thing: more are not told. */
const WRONG_MAX = 20;

/** Runs the world of a seed. */
export async function runWorld(seed: number, options: { readonly isTraced?: boolean } = {}): Promise<WorldReport> {
  const world = new World(seed, options.isTraced === true);
  const stray = (error: unknown): void => world.wrong(`an error that nobody handles: ${stackOf(error)}`);
  process.on("unhandledRejection", stray);
  process.on("uncaughtException", stray);
  try {
    await world.run();
  } catch (error) {
    world.wrong(`the world fell apart: ${stackOf(error)}`);
  } finally {
    process.off("unhandledRejection", stray);
    process.off("uncaughtException", stray);
  }
  return world.report();
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

class World {
  readonly #seed: number;
  readonly #isTraced: boolean;
  readonly #hash = createHash("sha256");
  readonly #trace: string[] = [];
  readonly #wrong: string[] = [];
  readonly #swarm: Swarm;
  readonly #topology: Topology;
  readonly #clock: VirtualClock;
  readonly #cells = new Set<SimCell>();
  readonly #files: MemoryFiles;
  readonly #startChance: Chance;
  readonly #cellWorld: CellWorld;
  readonly #ledger = new Ledger();
  readonly #checker: Checker;
  readonly #effects: Effects;
  readonly #discarded = new Map<string, number>();
  readonly #late: StampedEvent[] = [];
  /** Agents that are what they were before: what they did since has a name of its own. */
  readonly #wentBack = new Set<string>();
  #runtime!: RuntimeType;
  #nemesis!: Nemesis;
  #clients!: Clients;
  #isRunning = false;
  #steps = 0;
  #events = 0;
  #cellCount = 0;

  constructor(seed: number, isTraced: boolean) {
    this.#seed = seed;
    this.#isTraced = isTraced;
    this.#swarm = drawSwarm(new Chance(seed, STREAM.swarm));
    this.#topology = drawTopology(new Chance(seed, STREAM.topology));
    this.#clock = new VirtualClock(new Chance(seed, STREAM.clock));
    this.#files = this.#makeFiles(new Chance(seed, STREAM.disk));
    this.#startChance = new Chance(seed, STREAM.starts);
    this.#cellWorld = this.#makeCellWorld(new Chance(seed, STREAM.cells));
    const wrong = (text: string): void => this.wrong(text);
    const durability = new Map(this.#topology.agents.map((agent) => [agent.path, agent.durability]));
    const isDurable = (agent: string): boolean => durability.get(agent) === "disk";
    this.#effects = new Effects({ wrong, isDurable, isOnDisk: (mark) => this.#files.durable.has(mark) });
    this.#checker = new Checker(this.#topology, {
      nowMs: () => this.#clock.monotonicMs(),
      isReplaced: (agent) => (this.#nemesis.replaced.get(agent) ?? 0) > 0,
      isRecycling: this.#swarm.has("recycle"),
      wrong,
    });
  }

  wrong(text: string): void {
    const line = `at ${this.#clock.monotonicMs().toFixed(2)} ms: ${text}`;
    if (this.#wrong.length < WRONG_MAX) this.#wrong.push(line);
    this.#tell(`!! ${text}`);
  }

  report(): WorldReport {
    return {
      seed: this.#seed,
      wrong: this.#wrong,
      hash: this.#hash.digest("hex").slice(0, 16),
      events: this.#events,
      virtualMs: this.#clock.monotonicMs(),
      swarm: [...this.#swarm],
      trace: this.#trace,
    };
  }

  async run(): Promise<void> {
    const folder = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "planaria-world-"));
    try {
      await this.#open(join(folder, "vault"));
      await this.#begin();
      await this.#pass(BUSY_MS + 1);
      await this.#heal();
      await this.#compare();
      await this.#close();
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  // ------------------------------------------------------------------ time

  /** Lets so much virtual time pass, one timer after the other, each with everything that follows from it. */
  async #pass(ms: number, isOver: () => boolean = () => false): Promise<void> {
    const untilMs = this.#clock.monotonicMs() + ms;
    await drained();
    this.#checker.settled();
    while (!isOver() && this.#clock.step(untilMs)) {
      await drained();
      this.#checker.settled();
      if (++this.#steps > STEPS_MAX) throw new Error(`it never comes to rest: ${STEPS_MAX} steps`);
    }
  }

  /** Awaits work that needs virtual time. */
  async #during<T>(work: Promise<T>, ms: number): Promise<T> {
    let isOver = false;
    const end = (): void => void (isOver = true);
    work.then(end, end);
    await this.#pass(ms, () => isOver);
    if (!isOver) throw new Error(`not done after ${ms} virtual ms`);
    return await work;
  }

  #tell(line: string): void {
    const stamped = `${this.#clock.monotonicMs().toFixed(3)} ${line}`;
    this.#hash.update(stamped).update("\n");
    if (this.#isTraced) this.#trace.push(stamped);
  }

  // ------------------------------------------------------------------ the parts

  #makeFiles(chance: Chance): MemoryFiles {
    return new MemoryFiles({
      isFull: () => this.#isRunning && this.#nemesis.isDiskFull,
      syncDelay: (then) => {
        if (!this.#isRunning) return then();
        const isSlow = this.#swarm.has("slow_disk") && chance.oneIn(4);
        this.#clock.after(isSlow ? chance.below(400) : chance.below(40) / 10, then);
      },
    });
  }

  async #startCell(options: CellOptions): Promise<Cell> {
    const nemesis = this.#isRunning ? this.#nemesis : undefined;
    const id = `cell-${++this.#cellCount}`;
    if (nemesis !== undefined) {
      await this.#wait((nemesis.isStartSlow ? 500 : 5) + this.#startChance.below(50));
      if (nemesis.cellStartsToFail > 0) {
        nemesis.cellStartsToFail -= 1;
        this.#tell(`${id} does not start`);
        throw new SandboxError("SANDBOX_CELL_START_FAILED", "the simulated cell does not start");
      }
    }
    const cell = new SimCell(id, options, this.#cellWorld);
    this.#cells.add(cell);
    options.onEvent({ type: "cell.spawned", cell: id, pid: 1, layers: cell.layers, startMs: 0 });
    return cell as unknown as Cell; // it has all that a pool and its residents use of a cell
  }

  #makeCellWorld(chance: Chance): CellWorld {
    return {
      clock: this.#clock,
      entryMs: () => (this.#nemesis.areCellsSlow ? chance.below(200) : 0.05 + chance.below(300) / 100),
      noticeMs: () => chance.below(50) / 10,
      loading: (agent) => {
        this.#tell(`${agent} is placed`);
        this.#checker.loading(agent);
      },
      ended: (cell) => void this.#cells.delete(cell),
      isToFailLoad: (agent, hash) => this.#isToFailLoad(agent, hash),
      perform: (agent, op, name, key) => this.#effects.perform(agent, op, name, key),
      known: (agent, op, name, result) => this.#effects.known(agent, op, name, result),
      twice: (agent, op) => this.wrong(`I5 ${agent} carries out ${op} again, which it remembers`),
      answered: (agent, op, inner, isOk) => this.#tell(`${agent} in ${op}: ${inner} ${isOk ? "answered" : "refused"}`),
      linger: () => (this.#isRunning && this.#swarm.has("bad_stop") ? chance.of(STOPS)() : undefined),
    };
  }

  #isToFailLoad(agent: string, hash: string): boolean {
    const left = this.#nemesis.failingLoads.get(agent) ?? 0;
    if (left <= 0 && !isBad(hash)) return false;
    if (left > 0) this.#nemesis.failingLoads.set(agent, left - 1);
    this.#tell(`${agent} does not load`);
    return true;
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#clock.after(ms, resolve);
    });
  }

  async #open(vault: string): Promise<void> {
    const [cells, agentsPerCell] = [2, 4];
    const recycle = this.#swarm.has("recycle") ? { ageMs: RECYCLE_MS } : {};
    const options = { vault, cells, agentsPerCell, recycle, seed: this.#seed >>> 0, durability: "disk" as const };
    const parts = { clock: this.#clock, files: this.#files, startCell: (given: CellOptions) => this.#startCell(given) };
    this.#runtime = await Runtime.open(options, parts);
    const agents = this.#topology.agents.map(({ path }) => path);
    // The compiler is a process: what it makes is remembered, so that no world waits for it.
    for (const agent of agents) await compile({ source: SOURCE, name: `${agent}.agent.ts` });
    const host = {
      runtime: this.#runtime,
      swarm: this.#swarm,
      agents,
      after: (ms: number, work: () => void) => void this.#clock.after(ms, work),
      tell: (line: string) => this.#tell(line),
    };
    this.#nemesis = new Nemesis({
      ...host,
      chance: new Chance(this.#seed, STREAM.nemesis),
      supervisors: this.#topology.supervisors,
      cells: () => [...this.#cells],
      jumpWall: (byMs) => this.#clock.jumpWall(byMs),
      wrong: (text) => this.wrong(text),
      reviving: (agent) => this.#checker.revived(agent),
    });
    this.#clients = new Clients({
      ...host,
      chance: new Chance(this.#seed, STREAM.clients),
      ledger: this.#ledger,
      acked: (entry) => this.#acked(entry),
    });
    this.#runtime.subscribe((stamped) => this.#hear(stamped));
    await drained(); // what opening the vault left to be done is done: how long compiling took makes no difference
    this.#isRunning = true;
  }

  /** An answer is out: what its turn wrote must survive a power cut. */
  #acked({ agent, op }: Entry): void {
    const known = this.#topology.agents.find(({ path }) => path === agent);
    if (known?.durability === "disk" && !this.#files.durable.has(`${op}@${agent}`))
      this.wrong(`I1 ${op} of ${agent} is acknowledged before it is on the disk`);
  }

  #hear(stamped: StampedEvent): void {
    if (!this.#isRunning) return;
    this.#events += 1;
    const { event } = stamped;
    this.#tell(`${stamped.seq} ${JSON.stringify(event)}`);
    this.#checker.take(stamped);
    if (event.type === "message.discarded") {
      const { agent, method } = event;
      const key = `${agent} ${method}`;
      this.#discarded.set(key, (this.#discarded.get(key) ?? 0) + 1);
    }
    if (event.type === "agent.escalated" && event.to !== undefined) {
      this.#wentBack.add(event.agent);
      if (event.before === undefined)
        this.wrong(`${event.agent} went back to ${event.to}, and nothing names what it left`);
    }
    if (event.type === "vault.failed") this.wrong(`the vault failed: ${event.message}`);
  }

  // ------------------------------------------------------------------ what happens

  async #begin(): Promise<void> {
    for (const spawn of this.#topology.spawns) await this.#during(this.#runtime.spawn(spawn), HEALTHY_MS);
    const { tree } = this.#topology;
    if (tree !== undefined) await this.#during(this.#runtime.supervise(tree), HEALTHY_MS);
    const chance = new Chance(this.#seed, STREAM.moments);
    for (let act = 0; act < ACTS; act++) {
      this.#clock.after(chance.below(BUSY_MS), () => this.#clients.act());
      if (act % 3 === 0) this.#clock.after(chance.below(BUSY_MS), () => this.#nemesis.act());
    }
    // Who joins late gets what is kept, then what comes, once each.
    this.#clock.after(chance.below(BUSY_MS), () => {
      const after = chance.below(this.#runtime.events.seq + 1);
      this.#runtime.subscribe((stamped) => void this.#late.push(stamped), { after });
    });
  }

  /** The faults are over: whoever is down is asked back, and everybody must answer. */
  async #heal(): Promise<void> {
    this.#nemesis.end();
    await this.#pass(HEALTHY_MS, () => this.#clients.open === 0 && this.#nemesis.open === 0);
    if (this.#clients.open > 0 || this.#nemesis.open > 0)
      this.wrong(`liveness: ${this.#clients.open} calls and ${this.#nemesis.open} deeds do not end`);
    const revived = (agent: string): void => this.#checker.revived(agent);
    await bringUp({ ...this.#ending(), revived, rest: () => this.#pass(HEALTHY_MS) });
  }

  async #compare(): Promise<void> {
    const { dumps, isSetAside } = await askEverybody(this.#ending());
    for (const agent of this.#wentBack) dumps.delete(agent);
    const outcome = { dump: (agent: string) => dumps.get(agent), isSetAside, discarded: this.#discarded };
    for (const line of this.#ledger.compare(outcome)) this.wrong(line);
    await compareTopics(this.#ending(), outcome);
    this.#compareEvents();
    this.#checker.ended();
  }

  #ending(): EndingHost {
    return {
      runtime: this.#runtime,
      topology: this.#topology,
      during: (work) => this.#during(work, HEALTHY_MS),
      tell: (line) => this.#tell(line),
      wrong: (text) => this.wrong(text),
    };
  }

  #compareEvents(): void {
    for (const [index, { seq }] of this.#late.entries()) {
      const before = this.#late[index - 1]?.seq;
      if (before !== undefined && seq !== before + 1) this.wrong(`I8 a late subscriber gets ${seq} after ${before}`);
    }
    const last = this.#late.at(-1)?.seq;
    if (last !== undefined && last !== this.#runtime.events.seq)
      this.wrong(`I8 a late subscriber got no more than ${last}`);
  }

  /** The runtime's own end is part of the world; the vault's, which writes pages to a real disk, is not. */
  async #close(): Promise<void> {
    let isClosed = false;
    const closing = this.#runtime.close().finally(() => (isClosed = true));
    await this.#pass(HEALTHY_MS, () => this.#cells.size === 0);
    if (this.#cells.size > 0) this.wrong(`I14 ${this.#cells.size} cells outlive their runtime`);
    await this.#pass(SYNCED_MS, () => isClosed);
    this.#isRunning = false;
    await closing;
  }
}

/** Everything that follows from what happened has happened: promises, and nothing that waits for time. */
function drained(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
