/**
 * Which silent cells are killed: one that hangs is, many at once are not, because then the machine is at fault. First the
 * decision, then the decision with real watches under a clock that the test moves, then cells that are really stopped.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import type { TestContext } from "node:test";
import type { AgentRef, PlanariaEvent, Runtime } from "../../runtime/index.ts";
import { EventStream } from "../../runtime/events.ts";
import { HealthWatch } from "../../runtime/health-watch.ts";
import { KILLS_MAX, KILLS_PERIOD_MS, SILENCE_MS_MAX, judgeSilence } from "../../runtime/health.ts";
import { withRuntime } from "../../runtime/testing.ts";
import { CellWatch } from "../../sandbox/cell-watch.ts";
import { until } from "../sandbox/support.ts";
import { COUNTER, eventOf } from "../support/agents.ts";
import { SimulatedClock } from "../support/simulated-clock.ts";

const HEARTBEAT_MS = 250;

describe("the verdict about a silent cell", () => {
  const one = { atMs: 0, silentMs: 300, liveCount: 4, silentCount: 1 };
  for (const [what, kills, seen, expected] of [
    ["one of four is killed", [], one, "kill"],
    ["half of the live cells may be silent", [], { ...one, silentCount: 2 }, "kill"],
    ["more than half at once: the machine is at fault", [], { ...one, silentCount: 3 }, "machine"],
    ["two of three are more than half", [], { ...one, liveCount: 3, silentCount: 2 }, "machine"],
    ["an only cell is killed", [], { ...one, liveCount: 1 }, "kill"],
    ["two of two at once: the machine is at fault", [], { ...one, liveCount: 2, silentCount: 2 }, "machine"],
    ["no machine is busy for so long", [], { ...one, silentCount: 4, silentMs: SILENCE_MS_MAX + 1 }, "kill"],
    ["the budget holds also then", [0, 0, 0], { ...one, silentCount: 4, silentMs: SILENCE_MS_MAX + 1 }, "budget"],
    ["the last one of the budget", [0, 0], one, "kill"],
    ["the budget is spent", [0, 0, 0], one, "budget"],
    ["the period's edge counts", [0, 0, 0], { ...one, atMs: KILLS_PERIOD_MS }, "budget"],
    ["after the period there is room", [0, 0, 0], { ...one, atMs: KILLS_PERIOD_MS + 1 }, "kill"],
  ] as const) {
    it(what, () => {
      const verdict = judgeSilence(kills, seen);
      assert.equal(verdict.type === "kill" ? "kill" : verdict.reason, expected);
    });
  }

  it("never exceeds its budget, whatever is asked", () => {
    let kills: readonly number[] = [];
    const all: number[] = [];
    for (let atMs = 0; atMs < 10 * KILLS_PERIOD_MS; atMs += 777) {
      const verdict = judgeSilence(kills, { ...one, atMs });
      if (verdict.type === "withhold") continue;
      ({ kills } = verdict);
      all.push(atMs);
    }
    for (const start of all) {
      const within = all.filter((ms) => ms >= start && ms <= start + KILLS_PERIOD_MS);
      assert.ok(within.length <= KILLS_MAX, `${within.length} kills from ${start} on`);
    }
    assert.ok(all.length >= 9 * KILLS_MAX, "and the budget comes back");
  });
});

/** What /proc says of a process: S sleeps, R runs or would like to. */
function stateOf(pid: number): string | undefined {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  return stat.slice(stat.lastIndexOf(")") + 2)[0];
}

/** Watches over as many cells that have work; one process stands for all of them. Time passes, and it gets next to no CPU. */
class Ward {
  readonly clock = new SimulatedClock();
  readonly ended: number[] = [];
  readonly events: PlanariaEvent[] = [];
  readonly watches: CellWatch[];
  readonly #health: HealthWatch;

  /** `state`: what the process does, sleep or wait for a CPU. */
  static async open(t: TestContext, count: number, state: "S" | "R" = "S"): Promise<Ward> {
    const command = state === "S" ? "sleep" : "sh";
    const child = spawn(command, state === "S" ? ["60"] : ["-c", "while :; do :; done"], { stdio: "ignore" });
    t.after(() => child.kill("SIGKILL"));
    await once(child, "spawn");
    const pid = child.pid ?? 0;
    await until(() => stateOf(pid) === state && readFileSync(`/proc/${pid}/comm`, "latin1").trim() === command);
    return new Ward(t, count, pid);
  }

  private constructor(t: TestContext, count: number, pid: number) {
    const events = new EventStream(() => 0);
    events.subscribe(({ event }) => void this.events.push(event));
    this.#health = new HealthWatch({
      clock: this.clock,
      events,
      remarkableMs: HEARTBEAT_MS / 2,
      cells: () =>
        this.watches.flatMap(({ silentMs }, no) => (this.ended.includes(no) ? [] : [{ id: `c${no}`, silentMs }])),
    });
    this.watches = Array.from({ length: count }, (_, no) => this.#watch(no, pid));
    t.after(() => {
      for (const watch of this.watches) watch.stop();
    });
  }

  /** Lets time pass in which these cells give signs of life. */
  pass(ms: number, speaking: readonly number[]): void {
    for (let passed = 0; passed < ms; passed += 25) {
      for (const no of speaking) this.watches[no]?.heard(true);
      this.clock.advance(25);
    }
  }

  #watch(no: number, pid: number): CellWatch {
    const watch = new CellWatch({
      clock: this.clock,
      pid,
      heartbeatMs: HEARTBEAT_MS,
      memoryMb: 1_000,
      speechlessMs: () => 0,
      look: () => ({ hasWork: true, hasResidents: true, entryMs: 100 }),
      tell: ({ reason }) => {
        assert.equal(reason, "silent");
        const isEnded = this.#health.mayKill({ id: `c${no}`, silentMs: watch.silentMs });
        if (isEnded) this.ended.push(no);
        return isEnded;
      },
    });
    watch.wake();
    return watch;
  }
}

describe("cells under watch", () => {
  it("a busy machine that makes all of them miss their heartbeat costs none of them", async (t) => {
    const ward = await Ward.open(t, 4);
    ward.pass(5_000, []);
    assert.deepEqual(ward.ended, []);
    assert.deepEqual(
      ward.events.map((event) => event.type === "cell.kill_withheld" && `${event.cell} ${event.reason}`),
      ["c0 machine", "c1 machine", "c2 machine", "c3 machine"],
      "told once each",
    );
    ward.pass(60_000, [0, 1, 2, 3]);
    assert.deepEqual(ward.ended, []);
    ward.pass(500, []);
    assert.equal(ward.events.length, 8, "a new silence is told anew");
  });

  it("one that hangs is killed, and the verdict touches no other", async (t) => {
    const ward = await Ward.open(t, 4);
    ward.pass(1_000, [0, 1, 3]);
    assert.deepEqual(ward.ended, [2]);
    assert.deepEqual(ward.events, []);
  });

  it("one that goes on hanging when the machine has recovered is killed then", async (t) => {
    const ward = await Ward.open(t, 4);
    ward.pass(2_000, []);
    ward.pass(1_000, [0, 1, 2]);
    assert.deepEqual(ward.ended, [3]);
  });

  it("one that could run, and waits for a CPU, is given more time, but not for ever", async (t) => {
    const ward = await Ward.open(t, 4, "R");
    ward.pass(4 * HEARTBEAT_MS, [0, 1, 3]);
    assert.deepEqual(ward.ended, []);
    ward.pass(5 * HEARTBEAT_MS, [0, 1, 3]);
    assert.deepEqual(ward.ended, [2]);
  });

  it("no more than three a minute are killed, and the fourth when its minute has passed", async (t) => {
    const ward = await Ward.open(t, 10);
    const others = (stopped: number) => [...Array(10).keys()].filter((no) => no > stopped);
    for (let stopped = 0; stopped < 4; stopped++) ward.pass(1_000, others(stopped));
    assert.deepEqual(ward.ended, [0, 1, 2]);
    assert.deepEqual(
      ward.events.map((event) => event.type === "cell.kill_withheld" && `${event.cell} ${event.reason}`),
      ["c3 budget"],
    );
    ward.pass(60_000, others(3));
    assert.deepEqual(ward.ended, [0, 1, 2, 3]);
  });
});

/** As many agents in as many cells, each with a turn that waits for an answer. */
async function waiting(
  runtime: Runtime,
  cellCount: number,
): Promise<{
  readonly replies: Promise<unknown[]>;
  readonly pids: readonly number[];
  readonly refs: readonly AgentRef[];
  /** Answers the turns. */
  readonly goOn: () => void;
}> {
  const asked = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<string>();
  let askedCount = 0;
  const homes = new Map<number, AgentRef>();
  for (let no = 0; homes.size < cellCount; no++) {
    const ref = await runtime.spawn({ id: `a${no}`, source: COUNTER });
    const { cellPid = 0 } = await ref.info();
    if (!homes.has(cellPid)) homes.set(cellPid, ref);
  }
  runtime.provide("propose", () => {
    if (++askedCount === cellCount) asked.resolve();
    return answer.promise;
  });
  const refs = [...homes.values()];
  const replies = Promise.all(refs.map((ref) => ref.call("propose", "x", { timeoutMs: 30_000 })));
  replies.catch(() => undefined); // looked at by the test, later
  await asked.promise;
  return { replies, pids: [...homes.keys()], refs, goOn: () => answer.resolve('"go on"') };
}

function signal(pids: readonly number[], name: NodeJS.Signals): void {
  for (const pid of pids) process.kill(pid, name);
}

describe("cells that are stopped (SIGSTOP)", () => {
  it("all at once are left alone, and answer when they go on", async (t) => {
    const runtime = await withRuntime(t, { cells: 2, agentsPerCell: 4 });
    const { replies, pids, refs, goOn } = await waiting(runtime, 2);
    const withheld = eventOf(runtime, ({ type }) => type === "cell.kill_withheld");
    signal(pids, "SIGSTOP");
    const event = await withheld;
    signal(pids, "SIGCONT");
    assert.ok(event.type === "cell.kill_withheld" && event.reason === "machine");
    goOn();
    assert.deepEqual(await replies, ["go on", "go on"]);
    for (const ref of refs) assert.equal((await ref.info()).restarts, 0);
    const alive = runtime.cells().map(({ pid }) => pid);
    for (const pid of pids) assert.ok(alive.includes(pid));
  });

  it("one alone is killed, its agents go on elsewhere, and nobody else notices", async (t) => {
    const runtime = await withRuntime(t, { cells: 2, agentsPerCell: 4 });
    const { replies, pids, refs, goOn } = await waiting(runtime, 2);
    const exited = eventOf(runtime, ({ type }) => type === "cell.exited");
    signal(pids.slice(0, 1), "SIGSTOP");
    const event = await exited;
    assert.ok(event.type === "cell.exited" && event.pid === pids[0] && event.exit.reason === "hung");
    assert.match(event.exit.detail, /no sign of life/);
    goOn();
    await assert.rejects(replies, { code: "SANDBOX_CELL_LOST" });
    assert.deepEqual(await Promise.all(refs.map((ref) => ref.call("add", 1))), [1, 1]);
    const restarts = await Promise.all(refs.map(async (ref) => (await ref.info()).restarts));
    assert.deepEqual(restarts.slice(1), [0]);
  });
});
