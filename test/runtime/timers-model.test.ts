/**
 * Durable timers against what they promise: random histories of agents that set and cancel them, turns that throw or are
 * undone, agents that are down, processes that are killed; then clocks that jump and hosts that sleep.
 *
 * Invariants
 * 1. An `after` fires once, never early, unless it was cancelled in time; with everybody up, it does fire.
 * 2. A cron's due times are used in order, each once; what is left out was told as skipped.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { TestContext } from "node:test";
import * as fc from "fast-check";
import type { LabLimits, TurnEnd } from "../support/later-lab.ts";
import { LaterLab, tick } from "../support/later-lab.ts";
import { SimulatedClock } from "../support/simulated-clock.ts";
import { tempVault } from "../support/temp-vault.ts";

const SEED = process.env["SEED"] === undefined ? Date.now() % 0x7fff_ffff : Number(process.env["SEED"]);
const RUNS = Number(process.env["RUNS"] ?? 100);
const AGENTS = 3;
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const YEAR_MS = 365 * 24 * HOUR_MS;

type Act =
  | { readonly do: "set"; readonly agent: number; readonly afterMs: number }
  | { readonly do: "cancel"; readonly agent: number; readonly which: number }
  | { readonly do: "pass"; readonly ms: number }
  | { readonly do: "step"; readonly agent: number; readonly end: TurnEnd; readonly count: number }
  | { readonly do: "hand"; readonly agent: number; readonly count: number }
  | { readonly do: "down" | "up"; readonly agent: number }
  | { readonly do: "crash" | "reopen" };

const agent = fc.nat(AGENTS - 1);
const end = fc.constantFrom<TurnEnd>("done", "done", "done", "threw", "lost", "undone");
const acts = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        do: fc.constant("set"),
        agent,
        afterMs: fc.constantFrom(0, 1, 50, 999, 70_000, 10 * HOUR_MS),
      }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("cancel"), agent, which: fc.nat(30) }) },
    {
      weight: 6,
      arbitrary: fc.record({ do: fc.constant("pass"), ms: fc.constantFrom(1, 49, 1_000, MINUTE_MS, HOUR_MS) }),
    },
    {
      weight: 8,
      arbitrary: fc.record({ do: fc.constant("step"), agent, end, count: fc.integer({ min: 1, max: 20 }) }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("hand"), agent, count: fc.integer({ min: 1, max: 8 }) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("down", "up"), agent }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("crash", "reopen") }) },
  ),
  { minLength: 5, maxLength: 60 },
);

describe("durable timers", () => {
  it(`each due time is used once, never early, whatever happens (SEED=${SEED})`, async (t) => {
    const vault = await tempVault(t, { durability: "memory" });
    let runs = 0;
    await fc.assert(
      fc.asyncProperty(acts, async (history) => {
        const lab = new LaterLab(vault, new SimulatedClock(), { mailboxMax: 5 });
        const world = new World(lab, ++runs);
        for (const act of history) {
          world.play(act);
          await tick();
        }
        await world.rest();
        world.check();
        lab.timers.close();
      }),
      { seed: SEED, numRuns: RUNS },
    );
  });
});

interface SetTimer {
  readonly agent: number;
  readonly id: string;
  readonly dueMs: number;
  cancelledMs: number | undefined;
}

/** One history's agents, and the timers that they set. */
class World {
  readonly #lab: LaterLab;
  readonly #run: number;
  readonly #timers: SetTimer[] = [];

  constructor(lab: LaterLab, run: number) {
    this.#lab = lab;
    this.#run = run;
  }

  play(act: Act): void {
    const { clock } = this.#lab;
    switch (act.do) {
      case "set": {
        const id = `t${this.#timers.length}`;
        this.#timers.push({ agent: act.agent, id, dueMs: clock.now() + act.afterMs, cancelledMs: undefined });
        return this.#agent(act.agent).after(id, act.afterMs);
      }
      case "cancel": {
        const timer = this.#timers[act.which];
        this.#agent(act.agent).sends(["cancel", timer?.id ?? "none"]);
        if (timer?.agent === act.agent) timer.cancelledMs ??= clock.now();
        return;
      }
      case "pass":
        return clock.advance(act.ms);
      case "step":
        for (let n = 0; n < act.count && this.#agent(act.agent).step(act.end); n++) if (act.end !== "done") return;
        return;
      case "hand":
        return this.#agent(act.agent).hand(act.count);
      case "down":
        return this.#agent(act.agent).down();
      case "up":
        return this.#agent(act.agent).up();
      case "crash":
        return this.#lab.crash();
      case "reopen":
        return this.#lab.reopen();
    }
  }

  async rest(): Promise<void> {
    for (let id = 0; id < AGENTS; id++) if (!this.#agent(id).isUp) this.#agent(id).up();
    for (let hour = 0; hour < 11; hour++) {
      this.#lab.clock.advance(HOUR_MS);
      await this.#lab.settle();
    }
  }

  check(): void {
    for (const { agent, id, dueMs, cancelledMs } of this.#timers) {
      const fired = this.#agent(agent)
        .handled()
        .filter(({ text, isStray }) => text === id && !isStray);
      for (const { atMs } of fired) assert.ok(atMs >= dueMs, `${id} fired ${dueMs - atMs} ms early`);
      if (cancelledMs === undefined) assert.equal(fired.length, 1, `${id} fired ${fired.length} times`);
      else
        assert.ok(fired.length === 0 || (fired.length === 1 && dueMs <= cancelledMs), `${id} fired though cancelled`);
    }
    for (let id = 0; id < AGENTS; id++)
      assert.deepEqual(this.#lab.timers.list({ agent: this.#agent(id).id, limit: 10 }), []);
  }

  #agent(id: number): ReturnType<LaterLab["agent"]> {
    return this.#lab.agent(`agent-${this.#run}-${id}`);
  }
}

async function labOf(t: TestContext, limits: LabLimits = {}): Promise<LaterLab> {
  return new LaterLab(await tempVault(t, { durability: "memory" }), new SimulatedClock(), limits);
}

/** When the agent's timers rang, in ms since the beginning. */
function rang(lab: LaterLab, startMs: number): readonly number[] {
  return lab
    .agent("a")
    .handled()
    .map(({ atMs }) => atMs - startMs);
}

describe("a clock that jumps", () => {
  for (const [what, jumpMs] of [
    ["forward by a year", YEAR_MS],
    ["back by an hour", -HOUR_MS],
  ] as const) {
    it(`an after is neither early nor late when the wall clock is set ${what}`, async (t) => {
      const lab = await labOf(t);
      lab.agent("a").after("t", 5_000);
      lab.clock.advance(2_000);
      lab.clock.jumpWallTo(lab.clock.now() + jumpMs);
      lab.agent("a").after("u", 3_000);
      lab.clock.advance(2_999);
      assert.equal(lab.agent("a").waiting, 0);
      lab.clock.advance(1);
      assert.equal(lab.agent("a").waiting, 2);
    });
  }

  it("a cron uses each due time once though the wall clock comes to it twice", async (t) => {
    const lab = await labOf(t);
    const startMs = lab.clock.now();
    lab.agent("a").cron("c", "* * * * *");
    const nextMs = Math.ceil((startMs + 1) / MINUTE_MS) * MINUTE_MS;
    lab.clock.advance(nextMs - startMs);
    assert.equal(lab.agent("a").step("done"), true);
    await tick();
    lab.clock.jumpWallTo(nextMs - 30_000);
    lab.clock.advance(30_000);
    assert.equal(lab.agent("a").waiting, 0, "used already");
    lab.clock.advance(MINUTE_MS);
    assert.equal(lab.agent("a").waiting, 1);
  });

  it("a cron that the wall clock jumps over comes a bounded number of times, and the rest is one event", async (t) => {
    const lab = await labOf(t);
    lab.agent("a").cron("c", "* * * * *");
    lab.clock.jumpWallTo(lab.clock.now() + YEAR_MS);
    lab.clock.advance(MINUTE_MS);
    for (let n = 0; n < 300 && lab.agent("a").step("done"); n++) await tick();
    assert.equal(lab.agent("a").handled().length, 100);
    const skipped = lab.told.filter(({ type }) => type === "timer.skipped");
    assert.equal(skipped.length, 1);
    const [next] = lab.timers.list({ limit: 1 });
    assert.ok(next !== undefined && next.dueMs > lab.clock.now(), "it goes on");
  });

  it("what was looked through for an agent that is dropped says nothing of the next one of its name", async (t) => {
    const lab = await labOf(t);
    const startMs = lab.clock.now();
    for (let life = 0; life < 2; life++) {
      lab.clock.jumpWallTo(startMs);
      lab.agent("a").cron("c", "* * * * *");
      lab.clock.jumpWallTo(startMs + YEAR_MS - life * HOUR_MS);
      lab.clock.advance(MINUTE_MS);
      if (life > 0) break;
      lab.vault.commit(lab.timers.departure("a"));
      lab.events.emit({ type: "agent.dropped", agent: "a" });
      assert.equal(lab.agent("a").waiting, 0);
    }
    for (let n = 0; n < 300 && lab.agent("a").step("done"); n++) await tick();
    assert.equal(lab.agent("a").handled().length, 100);
  });

  it("timers that fall due together after a long sleep come one after the other, within the window of a mailbox", async (t) => {
    const lab = await labOf(t);
    for (let n = 0; n < 500; n++) lab.agent("a").after(`t${n}`, 1_000 + n);
    lab.reopen();
    lab.clock.advance(HOUR_MS);
    assert.equal(lab.agent("a").waiting, 16);
    await lab.settle();
    const texts = lab
      .agent("a")
      .handled()
      .map(({ text }) => text);
    assert.deepEqual(
      texts,
      Array.from({ length: 500 }, (_, n) => `t${n}`),
      "in the order in which they fell due",
    );
  });

  it("what falls due while the process is away comes as it is back", async (t) => {
    const lab = await labOf(t);
    const startMs = lab.clock.now();
    lab.agent("a").after("t", 10_000);
    lab.agent("a").cron("c", "*/10 * * * * *");
    lab.clock.disarmAll();
    lab.clock.advance(35_000);
    lab.crash();
    while (lab.agent("a").step("done")) await tick();
    const inTime = rang(lab, startMs).filter((ms) => ms === 35_000);
    assert.equal(inTime.length, 1 + 3, "the timer, and each due time that was missed");
  });
});

describe("what is set and cancelled", () => {
  it("one turn that sets a timer and cancels it sets none", async (t) => {
    const lab = await labOf(t);
    lab.agent("a").sends(["after", "3,4,4,3\nt-11000rang~-1"], ["cancel", "t-1"]);
    assert.deepEqual(lab.timers.list({ limit: 10 }), []);
    lab.clock.advance(HOUR_MS);
    assert.equal(lab.agent("a").waiting, 0);
  });

  it("a due timer that waits in the mailbox does not come once a turn has cancelled it", async (t) => {
    const lab = await labOf(t);
    for (const id of ["t1", "t2", "t3"]) lab.agent("a").after(id, 1_000);
    lab.clock.advance(1_000);
    assert.equal(lab.agent("a").waiting, 3);
    lab.agent("a").sends(["cancel", "t2"]);
    await lab.settle();
    assert.deepEqual(
      lab
        .agent("a")
        .handled()
        .map(({ text }) => text),
      ["t1", "t3"],
    );
  });

  it("no more timers than an agent may have are set, and the refusal is an event", async (t) => {
    const lab = await labOf(t, { timersMax: 3 });
    for (let n = 0; n < 5; n++) lab.agent("a").after(`t${n}`, 1_000);
    lab.agent("b").after("t", 1_000);
    assert.deepEqual(
      lab.timers
        .list({ limit: 10 })
        .map(({ agent: owner, id }) => `${owner} ${id}`)
        .toSorted(),
      ["a t0", "a t1", "a t2", "b t"],
    );
    assert.deepEqual(codesTold(lab), ["RUNTIME_TIMERS_EXCEEDED", "RUNTIME_TIMERS_EXCEEDED"]);
    lab.agent("a").sends(["cancel", "t0"]);
    lab.agent("a").after("t9", 1_000);
    assert.equal(lab.timers.list({ agent: "a", limit: 10 }).length, 3, "a cancelled one leaves room");
  });

  for (const [what, pattern, zone] of [
    ["no pattern", "whenever", "UTC"],
    ["a pattern of four fields", "* * * *", "UTC"],
    ["a minute that there is not", "60 * * * *", "UTC"],
    ["a day that never comes", "0 0 30 2 *", "UTC"],
    ["a time that is past", "2001-01-01T00:00:00", "UTC"],
    ["a zone that there is not", "* * * * *", "Mars/Base"],
  ] as const) {
    it(`a cron with ${what} is refused with an event that names it`, async (t) => {
      const lab = await labOf(t);
      lab.agent("a").cron("c", pattern, zone);
      assert.deepEqual(codesTold(lab), ["RUNTIME_CRON_INVALID"]);
      const told = lab.told.find(({ type }) => type === "message.discarded");
      assert.ok(told?.type === "message.discarded" && told.reason?.includes(`"${pattern}" (${zone})`));
      assert.deepEqual(lab.timers.list({ limit: 10 }), []);
    });
  }

  it("a cron falls due by the wall clock of its zone, across a change of summer time", async (t) => {
    const lab = await labOf(t);
    lab.clock.jumpWallTo(Date.UTC(2027, 2, 27, 12));
    lab.agent("a").cron("c", "30 7 * * *", "Europe/Berlin");
    const dues: number[] = [];
    for (let day = 0; day < 3; day++) {
      dues.push(lab.timers.list({ limit: 1 })[0]?.dueMs ?? 0);
      lab.clock.advance(24 * HOUR_MS);
      await lab.settle();
    }
    assert.deepEqual(
      dues.slice(0, 2).map((ms) => new Date(ms).toISOString()),
      ["2027-03-28T05:30:00.000Z", "2027-03-29T05:30:00.000Z"],
    );
  });

  for (const [verb, text] of [
    ["after", "nonsense"],
    ["after", "3,2,4,3\nt-1-1rang~-1"],
    ["after", "3,20,4,3\nt-199999999999999999999rang~-1"],
    ["after", "3,1,0,3\nt-10~-1"],
    ["after", "5,1,4,3\n../-10rang~-1"],
    ["cron", "3,1,4,3\nt-10rang~-1"],
    ["cron", `3,300,3,4,3\nt-1${"*".repeat(300)}UTCrang~-1`],
  ] as const) {
    it(`a guest that sends ${verb} ${JSON.stringify(text.slice(0, 30))} sets nothing`, async (t) => {
      const lab = await labOf(t);
      lab.agent("a").sends([verb, text]);
      assert.deepEqual(codesTold(lab), ["SANDBOX_ENVELOPE_INVALID"]);
      assert.deepEqual(lab.timers.list({ limit: 10 }), []);
    });
  }
});

function codesTold(lab: LaterLab): readonly string[] {
  return lab.told.flatMap((event) => (event.type === "message.discarded" ? [event.code] : []));
}
