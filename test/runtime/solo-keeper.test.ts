/**
 * The keeper of a top-level agent, against a model that remembers everything and counts. Invariants of the random runs:
 * 1. What the keeper wants done is the model's after every event.
 * 2. An agent that is down is never started but on request.
 * 3. The first restart after an exit comes at once; between failed tries the waits grow, and nothing is started meanwhile.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as fc from "fast-check";
import type { ExitName, ExitReason } from "../../runtime/exit-reason.ts";
import type { Kept } from "../../runtime/keeper.ts";
import type { RestartType } from "../../runtime/index.ts";
import { seededRandom } from "../../runtime/random.ts";
import type { SoloSpec } from "../../runtime/solo-keeper.ts";
import { SoloKeeper } from "../../runtime/solo-keeper.ts";
import { check } from "../support/random-runs.ts";
import { SimulatedClock } from "../support/simulated-clock.ts";

const ORDERLY: readonly ExitName[] = ["normal", "shutdown"];
const ABNORMAL: readonly ExitName[] = ["killed", "fault", "limit", "cell_lost_suspect", "load_failed"];
/** Longer than any wait between two tries. */
const ANY_WAIT_MS = 10_000;

const because = (name: ExitName): ExitReason => ({ name, message: `ended: ${name}` });

/** An agent that only notes what its keeper wants. */
class NotedAgent implements Kept {
  readonly id = "a";
  readonly clock = new SimulatedClock();
  readonly keeper: SoloKeeper;
  #wanted: string[] = [];

  constructor(spec: Partial<SoloSpec> = {}) {
    const full: SoloSpec = { id: "a", restart: "permanent", shutdownMs: 5_000, intensity: 3, periodMs: 5_000, ...spec };
    this.keeper = new SoloKeeper(this, full, { clock: this.clock, random: seededRandom(1) });
  }

  launch(): void {
    this.#wanted.push("launch");
  }
  hold(): void {
    this.#wanted.push("hold");
  }
  park({ name }: ExitReason): void {
    this.#wanted.push(`park: ${name}`);
  }
  settle({ name }: ExitReason, isForgotten: boolean): void {
    this.#wanted.push(`${isForgotten ? "forget" : "settle"}: ${name}`);
  }

  /** What was wanted since the last look. */
  wanted(): readonly string[] {
    const wanted = this.#wanted;
    this.#wanted = [];
    return wanted;
  }

  /** The life that is up ends. */
  exits(name: ExitName, afterMs = 0): readonly string[] {
    this.clock.advance(afterMs);
    this.keeper.exited(because(name));
    return this.wanted();
  }

  /** It ends, and if it is started again that life comes up. */
  livesAndExits(name: ExitName, afterMs = 0): readonly string[] {
    const wanted = this.exits(name, afterMs);
    if (wanted.includes("launch")) this.keeper.started();
    return wanted;
  }
}

describe("restart types of an agent that stands alone", () => {
  for (const name of [...ORDERLY, ...ABNORMAL]) {
    test(`a permanent agent is started again after an exit with reason ${name}`, () => {
      assert.deepEqual(new NotedAgent().exits(name), ["launch"]);
    });
    test(`a temporary agent is forgotten after an exit with reason ${name}`, () => {
      assert.deepEqual(new NotedAgent({ restart: "temporary" }).exits(name), [`forget: ${name}`]);
    });
  }
  for (const name of ORDERLY) {
    test(`a transient agent stays down after ${name}, and is kept`, () => {
      assert.deepEqual(new NotedAgent({ restart: "transient" }).exits(name), [`settle: ${name}`]);
    });
  }
  for (const name of ABNORMAL) {
    test(`a transient agent is started again after an abnormal exit with reason ${name}`, () => {
      assert.deepEqual(new NotedAgent({ restart: "transient" }).exits(name), ["launch"]);
    });
  }
});

describe("restart intensity of an agent that stands alone", () => {
  for (const name of ABNORMAL) {
    test(`one exit with reason ${name} more than the intensity parks the agent and names the reason`, () => {
      const agent = new NotedAgent();
      const wanted = [0, 1, 1, 1].flatMap((afterMs) => agent.livesAndExits(name, afterMs));
      assert.deepEqual(wanted, ["launch", "launch", "launch", `park: ${name}`]);
    });
  }
  test("a fault exactly one period after the first still parks the agent", () => {
    const agent = new NotedAgent({ intensity: 1 });
    assert.deepEqual([...agent.livesAndExits("fault", 100), ...agent.exits("fault", 5_000)], ["launch", "park: fault"]);
  });
  test("a fault just over one period after the first does not park the agent", () => {
    const agent = new NotedAgent({ intensity: 1 });
    assert.deepEqual([...agent.livesAndExits("fault", 100), ...agent.exits("fault", 5_000.5)], ["launch", "launch"]);
  });
  test("an agent that may not restart at all is parked by its first fault", () => {
    assert.deepEqual(new NotedAgent({ intensity: 0 }).exits("fault"), ["park: fault"]);
  });
  test("a parked agent that is revived may fail as often as a new one before it is parked again", () => {
    const agent = new NotedAgent({ intensity: 1 });
    const first = [...agent.livesAndExits("fault"), ...agent.exits("fault")];
    assert.deepEqual(first, ["launch", "park: fault"]);
    agent.keeper.revive();
    assert.deepEqual(agent.wanted(), ["launch"]);
    assert.deepEqual([...agent.livesAndExits("fault"), ...agent.exits("fault")], ["launch", "park: fault"]);
  });
  test("another intensity takes effect with the next exit, and what was charged before still counts", () => {
    const agent = new NotedAgent({ intensity: 3 });
    agent.livesAndExits("fault");
    const spec = { id: "a", restart: "permanent", shutdownMs: 5_000, intensity: 1, periodMs: 5_000 } as const;
    agent.keeper.reconfigure(spec as unknown as Parameters<SoloKeeper["reconfigure"]>[0]); // the rest of a spec is not looked at
    assert.deepEqual(agent.exits("fault"), ["park: fault"]);
  });
});

describe("a start that fails", () => {
  test("is tried again after a wait that grows with each failure, until the intensity is spent", () => {
    const agent = new NotedAgent({ intensity: 4, periodMs: 60_000 });
    assert.deepEqual(agent.exits("fault"), ["launch"]);
    const waits: number[] = [];
    for (let failures = 1; failures <= 4; failures++) {
      agent.keeper.exited(because("load_failed"));
      assert.deepEqual(agent.wanted(), ["hold"]);
      const beforeMs = agent.clock.monotonicMs();
      let waited: readonly string[] = [];
      while (waited.length === 0) {
        agent.clock.advance(1);
        waited = agent.wanted();
      }
      waits.push(agent.clock.monotonicMs() - beforeMs);
      assert.deepEqual(waited, failures < 4 ? ["launch"] : ["park: load_failed"]);
    }
    for (const [index, waitMs] of waits.entries()) {
      const middleMs = 50 * 2 ** index;
      assert.ok(waitMs >= middleMs / 2 && waitMs <= middleMs * 1.5 + 1, waits.join(", "));
    }
  });
  test("leaves no timer behind when the owner stops the agent meanwhile", () => {
    const agent = new NotedAgent();
    agent.exits("fault");
    agent.keeper.exited(because("load_failed"));
    assert.equal(agent.clock.armed, 1);
    agent.keeper.retire();
    assert.equal(agent.clock.armed, 0);
  });
  test("is forgotten when other code has taken over meanwhile: that one begins with a clean window", () => {
    const agent = new NotedAgent({ intensity: 1 });
    agent.exits("fault");
    agent.keeper.exited(because("load_failed"));
    assert.equal(agent.keeper.adopt(), true);
    assert.equal(agent.clock.armed, 0);
    assert.deepEqual(agent.wanted(), ["hold"]);
    assert.deepEqual(agent.exits("fault"), ["launch"]);
  });
});

/** Remembers every restart since the last request and counts those within the period. */
class Model {
  readonly #spec: { readonly restart: RestartType; readonly intensity: number; readonly periodMs: number };
  #restarts: number[] = [];
  isUp = true;

  constructor(spec: Model["spec"]) {
    this.#spec = spec;
  }

  get spec(): { readonly restart: RestartType; readonly intensity: number; readonly periodMs: number } {
    return this.#spec;
  }

  revived(): readonly string[] {
    [this.isUp, this.#restarts] = [true, []];
    return ["launch"];
  }

  exited(name: ExitName, atMs: number): readonly string[] {
    const { restart, intensity, periodMs } = this.#spec;
    if (restart === "temporary" || (restart === "transient" && ORDERLY.includes(name))) {
      this.isUp = false;
      return [`${restart === "temporary" ? "forget" : "settle"}: ${name}`];
    }
    this.#restarts.push(atMs);
    if (this.#restarts.filter((thenMs) => thenMs >= atMs - periodMs).length <= intensity) return ["launch"];
    this.isUp = false;
    return [`park: ${name}`];
  }
}

const specs = fc.record({
  restart: fc.constantFrom<RestartType>("permanent", "permanent", "transient", "temporary"),
  intensity: fc.nat(4),
  periodMs: fc.constantFrom(1, 10, 100),
});
const events = fc.record({
  gapMs: fc.oneof(fc.nat(30), fc.constantFrom(0, 1, 10, 100)),
  name: fc.constantFrom<ExitName>(...ABNORMAL, ...ORDERLY),
});

describe("an agent under random lives", () => {
  test("is started, parked, kept and forgotten exactly as the model says", (t) => {
    const property = fc.property(specs, fc.array(events, { maxLength: 50 }), (spec, steps) => {
      const model = new Model(spec);
      const agent = new NotedAgent(spec);
      for (const { gapMs, name } of steps) {
        agent.clock.advance(gapMs);
        if (model.isUp) assert.deepEqual(agent.livesAndExits(name), model.exited(name, agent.clock.monotonicMs()));
        else {
          agent.clock.advance(ANY_WAIT_MS);
          assert.deepEqual(agent.wanted(), [], "an agent that is down was started by itself");
          agent.keeper.revive();
          assert.deepEqual(agent.wanted(), model.revived());
          agent.keeper.started();
        }
      }
    });
    check(t, property, 1_000);
  });
});
