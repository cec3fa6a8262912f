/**
 * Streaming sessions among which one after the other crashes.
 *
 *     each session: an agent that answers one event after the other and publishes each on a topic of its own
 *     its client:   asks for the next event at a steady rate, each with an id and again until it is answered, and reads the
 *                   topic beside that
 *     the storm:    every few milliseconds one session throws in a cast, loops, fills its heap, or loses its whole cell to kill -9
 *
 * Invariants: (1) what a client is answered is 1, 2, 3 … without a gap or a repeat; (2) so is what it reads, whatever crashed; (3) in the end it has read what it was answered, its
 * agent has counted to that, and the vault still has it when it is opened again; (4) no session is parked.
 *
 * A latency counts from the moment at which the event was due, so that a client that is kept waiting does not ask less. The
 * samples of a session that was struck belong to `struck` until it has answered a call that was made afterwards, with those
 * that were due meanwhile.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { Runtime, RuntimeError, SandboxError } from "../../runtime/index.ts";
import type { AgentRef, PlanariaEvent } from "../../runtime/index.ts";
import { Chance } from "../support/chance.ts";
import { GapDetector } from "./gap-detector.ts";

/** How many, how fast, how long. */
export interface SessionsOptions {
  readonly seed: number;
  /** Folder of the vault. */
  readonly vault: string;
  readonly sessions: number;
  /** Events that each client asks for in a second. */
  readonly rate: number;
  /** Time without and with crashes, in ms. */
  readonly quietMs: number;
  readonly stormMs: number;
  /** Time between two crashes, in ms. */
  readonly everyMs: number;
}

/** What was seen. Times in ms. */
export interface SessionsReport {
  /** What must not be; empty when all is well. */
  readonly wrong: readonly string[];
  readonly acknowledged: number;
  readonly heard: number;
  /** Crashes by their kind. */
  readonly crashes: ReadonlyMap<string, number>;
  /** Ends of lives by their reason, re-homings as `rehomed`. */
  readonly ends: ReadonlyMap<string, number>;
  /** Calls that had to be repeated, by the code of the error. */
  readonly repeated: ReadonlyMap<string, number>;
  readonly quiet: readonly number[];
  readonly others: readonly number[];
  readonly struck: readonly number[];
}

/** Of a hundred crashes so many are of this kind; the others throw. */
const LOOPS = 4;
const HEAPS = 3;
const CELLS = 1;
/** How long the rest may take to come in, in ms. */
const SETTLE_MS = 30_000;
/** One that crashed often is started again after a while: up to 7.5 s. */
const PATIENT = { timeoutMs: 60_000 };
/** Sessions that are asked again when the vault was opened again. */
const REOPENED = 20;

const SESSION = `
import { agent } from "planaria/agent";
export default agent({
  version: 1,
  state: () => ({ events: 0 }),
  on: {
    next(ctx) {
      ctx.state.events += 1;
      ctx.publish(ctx.self.id, ctx.state.events);
      return ctx.state.events;
    },
    crash(_ctx, crash: { kind: string; no: number }) {
      if (crash.kind === "loop") for (;;);
      const all: unknown[] = [];
      if (crash.kind === "heap") for (;;) all.push(new Array(100_000).fill("x"));
      throw new Error("crash " + crash.no);
    },
    events: { reads: true, handle: (ctx) => ctx.state.events },
  },
});
`;

/** Runs a quiet phase and a storm over the same sessions. */
export async function runSessions(options: SessionsOptions): Promise<SessionsReport> {
  const { vault, sessions: count } = options;
  const tally = new Tally();
  const open = (): Promise<Runtime> => Runtime.open({ vault, agentsPerCell: 50, limits: LIMITS });
  const runtime = await open();
  runtime.subscribe(({ event }) => tally.told(event));
  const sessions: Session[] = [];
  for (let no = 0; no < count; no++) sessions.push(await Session.start(runtime, `s${no}`, tally));
  const end = new AbortController();
  const startMs = performance.now();
  const clients = sessions.map(async (session, no) =>
    session.ask({
      startMs: startMs + (no * 1000) / (count * options.rate),
      everyMs: 1000 / options.rate,
      signal: end.signal,
    }),
  );
  await sleep(options.quietMs);
  tally.isStorm = true;
  await storm({ runtime, sessions, tally, options });
  end.abort();
  await Promise.all(clients);
  await settle(sessions, tally);
  for (const { ref, asked } of sessions)
    tally.expect(`${ref.id} has counted`, await ref.call("events", undefined, PATIENT), asked.last);
  await runtime.close();
  await using again = await open();
  const published = (id: string): number => again.topic(id).info().last;
  for (const { ref, asked } of sessions) tally.expect(`the topic of ${ref.id} holds`, published(ref.id), asked.last);
  for (const { ref, asked } of sessions.slice(0, REOPENED)) {
    tally.expect(
      `${ref.id} has counted, opened again,`,
      await again.ref(ref.id).call("events", undefined, PATIENT),
      asked.last,
    );
  }
  return tally.report(sessions);
}

/** A turn takes a tenth of a millisecond; what does not end is given up soon, because its neighbours wait meanwhile. */
const LIMITS = { heapMb: 16, cpuMs: 25, wallMs: 250, mailboxMax: 100 };

/** What was seen so far. */
class Tally {
  readonly wrong: string[] = [];
  readonly crashes = new Map<string, number>();
  readonly ends = new Map<string, number>();
  readonly repeated = new Map<string, number>();
  readonly latencies: Readonly<Record<"quiet" | "others" | "struck", number[]>> = { quiet: [], others: [], struck: [] };
  /** Where each agent lives. */
  readonly homes = new Map<string, string>();
  isStorm = false;

  told(event: PlanariaEvent): void {
    if (event.type === "agent.started") this.homes.set(event.agent, event.cell);
    if (event.type === "agent.exited") add(this.ends, event.reason.code ?? event.reason.name);
    if (event.type === "agent.rehomed") add(this.ends, "rehomed");
    if (event.type === "agent.parked") this.wrong.push(`${event.agent} is parked: ${event.reason.message}`);
  }

  expect(what: string, found: unknown, expected: number): void {
    if (found !== expected) this.wrong.push(`${what} ${String(found)} events, its client was answered ${expected}`);
  }

  report(sessions: readonly Session[]): SessionsReport {
    const sum = (figure: (session: Session) => number): number =>
      sessions.reduce((total, session) => total + figure(session), 0);
    const { wrong, crashes, ends, repeated, latencies } = this;
    const acknowledged = sum(({ asked }) => asked.last);
    return { wrong, crashes, ends, repeated, ...latencies, acknowledged, heard: sum(({ heard }) => heard.last) };
  }
}

function add(counts: Map<string, number>, what: string): void {
  counts.set(what, (counts.get(what) ?? 0) + 1);
}

/** One agent and its client. */
class Session {
  readonly ref: AgentRef;
  readonly asked: GapDetector;
  readonly heard: GapDetector;
  readonly #tally: Tally;
  /** When it was struck; until a call that was made later is answered. */
  #struckMs: number | undefined;
  /** When it answered again. */
  #backMs = 0;

  private constructor(ref: AgentRef, tally: Tally) {
    this.ref = ref;
    this.#tally = tally;
    this.asked = new GapDetector(`${ref.id} answers`, tally.wrong);
    this.heard = new GapDetector(`${ref.id} publishes`, tally.wrong);
  }

  static async start(runtime: Runtime, id: string, tally: Tally): Promise<Session> {
    const ref = await runtime.spawn({ id, source: SESSION, intensity: 1_000_000 });
    const session = new Session(ref, tally);
    void session.#read(runtime); // ends with the runtime; what is wrong with it is told in the tally
    return session;
  }

  get isStruck(): boolean {
    return this.#struckMs !== undefined;
  }

  strike(): void {
    this.#struckMs = performance.now();
  }

  /** Asks for one event after the other, each when it is due or as soon as the one before is answered. */
  async ask(pace: { readonly startMs: number; readonly everyMs: number; readonly signal: AbortSignal }): Promise<void> {
    for (let dueMs = pace.startMs; !pace.signal.aborted; dueMs += pace.everyMs) {
      const waitMs = dueMs - performance.now();
      if (waitMs > 0) await sleep(waitMs);
      await this.#askOnce(dueMs);
    }
  }

  async #askOnce(dueMs: number): Promise<void> {
    const madeMs = performance.now();
    const phase = this.#phase(dueMs);
    this.asked.take(await this.#answered(`event ${this.asked.last + 1}`));
    const nowMs = performance.now();
    this.#tally.latencies[this.isStruck ? "struck" : phase].push(nowMs - dueMs);
    if (this.#struckMs === undefined || madeMs <= this.#struckMs) return;
    this.#struckMs = undefined;
    this.#backMs = nowMs;
  }

  /** The same id is the same turn, however often it has to be asked for. */
  async #answered(id: string): Promise<unknown> {
    for (;;) {
      try {
        return await this.ref.call("next", undefined, { ...PATIENT, id });
      } catch (error) {
        if (!(error instanceof SandboxError) && !(error instanceof RuntimeError)) throw error;
        if (error.code !== "RUNTIME_CALL_TIMEOUT" && error.details["happened"] !== false) throw error;
        add(this.#tally.repeated, error.code);
      }
    }
  }

  /** What was due while the session was down is late for that reason, also when it is asked for afterwards. */
  #phase(dueMs: number): "quiet" | "others" | "struck" {
    if (this.isStruck || dueMs < this.#backMs) return "struck";
    return this.#tally.isStorm ? "others" : "quiet";
  }

  async #read(runtime: Runtime): Promise<void> {
    const { wrong } = this.#tally;
    try {
      for await (const item of runtime.topic<number>(this.ref.id).subscribe({ after: 0, overflow: "close" })) {
        if (item.kind === "publication")
          this.heard.take(item.value === item.seq ? item.seq : `${item.value} as ${item.seq}`);
        else wrong.push(`${this.ref.id}: publications were dropped: ${JSON.stringify(item)}`);
      }
    } catch (error) {
      wrong.push(`${this.ref.id} cannot be read: ${String(error)}`);
    }
  }
}

interface Storm {
  readonly runtime: Runtime;
  readonly sessions: readonly Session[];
  readonly tally: Tally;
  readonly options: SessionsOptions;
}

/** As many crashes as are due, however late the timer is. */
async function storm(parts: Storm): Promise<void> {
  const { stormMs, everyMs, seed } = parts.options;
  const chance = new Chance(seed);
  const startMs = performance.now();
  for (let no = 0; no * everyMs < stormMs; no++) {
    const waitMs = startMs + no * everyMs - performance.now();
    if (waitMs > 0) await sleep(waitMs);
    strike(parts, { chance, no });
  }
}

function strike(
  { runtime, sessions, tally }: Storm,
  { chance, no }: { readonly chance: Chance; readonly no: number },
): void {
  const session = chance.of(sessions);
  const lot = (no * 61) % 100; // each of a hundred once, well mixed
  const home = tally.homes.get(session.ref.id);
  const cell = lot < CELLS ? runtime.cells().find(({ id }) => id === home) : undefined;
  if (cell !== undefined) {
    for (const one of sessions) if (tally.homes.get(one.ref.id) === cell.id) one.strike();
    return add(tally.crashes, kill(cell.pid) ? "cell killed" : "cell gone before");
  }
  const kind = lot < CELLS + LOOPS ? "loop" : lot < CELLS + LOOPS + HEAPS ? "heap" : "throw";
  session.strike();
  add(tally.crashes, kind);
  session.ref.cast("crash", { kind, no });
}

/** kill -9; false for a process that ended a moment ago. */
function kill(pid: number): boolean {
  try {
    return process.kill(pid, "SIGKILL");
  } catch (error) {
    if ((error as { readonly code?: unknown }).code === "ESRCH") return false; // a property of every error of the system
    throw error;
  }
}

/** Waits until everybody has read what it was answered. */
async function settle(sessions: readonly Session[], tally: Tally): Promise<void> {
  const endMs = performance.now() + SETTLE_MS;
  const late = (): readonly Session[] => sessions.filter(({ asked, heard }) => heard.last < asked.last);
  while (late().length > 0 && performance.now() < endMs) await sleep(10);
  for (const { ref, asked, heard } of late())
    tally.wrong.push(`${ref.id} has read ${heard.last} of ${asked.last} events`);
}
