/**
 * The root supervisor's decisions against a model that remembers everything and counts. Invariants of the random runs:
 * 1. Effects, status and the number of restarts are the model's after every event.
 * 2. A child that is down is never started but on request.
 * 3. An exit that is not the child's fault never parks it and never brings it closer to being parked.
 * 4. `step` changes nothing that it was handed.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as fc from "fast-check";
import type { ExitName, ExitReason } from "../../runtime/exit-reason.ts";
import { newChild, step } from "../../runtime/supervisor.ts";
import type {
  ChildSpec,
  ChildState,
  RestartType,
  SupervisorEffect,
  SupervisorEvent,
} from "../../runtime/supervisor.ts";
import { check } from "../support/random-runs.ts";

const ORDERLY: readonly ExitName[] = ["normal", "shutdown"];
const UNCHARGED: readonly ExitName[] = ["cell_lost", "storage"];
const CHARGED: readonly ExitName[] = ["killed", "fault", "limit", "cell_lost_suspect", "load_failed"];

const because = (name: ExitName): ExitReason => ({ name, message: `ended: ${name}` });
const exited = (name: ExitName, atMs = 0): SupervisorEvent => ({ type: "exited", reason: because(name), atMs });
const asked: SupervisorEvent = { type: "restart_asked" };
const terminated: SupervisorEvent = { type: "terminated" };

function spec(overrides: Partial<ChildSpec> = {}): ChildSpec {
  return { id: "a", restart: "permanent", shutdownMs: 5_000, intensity: 3, periodMs: 5_000, ...overrides };
}

/** The child after all events, and what each of them led to. */
function lived(
  spec: ChildSpec,
  events: readonly SupervisorEvent[],
): { readonly child: ChildState; readonly effects: readonly (readonly SupervisorEffect[])[] } {
  let child = newChild(spec);
  const effects: (readonly SupervisorEffect[])[] = [];
  for (const event of events) {
    const next = step(child, event);
    child = next.child;
    effects.push(next.effects);
  }
  return { child, effects };
}

const typesOf = (effects: readonly (readonly SupervisorEffect[])[]): (string | undefined)[] =>
  effects.map((list) => list.map(({ type }) => type).join("+"));

describe("restart types", () => {
  for (const name of [...ORDERLY, ...UNCHARGED, ...CHARGED]) {
    test(`a permanent child is restarted after an exit with reason ${name}`, () => {
      const { child, effects } = lived(spec(), [exited(name)]);
      assert.deepEqual(effects, [[{ type: "start", restarts: 1 }]]);
      assert.equal(child.status, "up");
    });

    test(`a temporary child is not restarted after an exit with reason ${name}, and is forgotten`, () => {
      const { child, effects } = lived(spec({ restart: "temporary" }), [exited(name)]);
      assert.deepEqual(effects, [[{ type: "settle", reason: because(name), isForgotten: true }]]);
      assert.equal(child.status, "stopped");
    });
  }

  for (const name of ORDERLY) {
    test(`a transient child is not restarted after ${name}, and is kept`, () => {
      const { child, effects } = lived(spec({ restart: "transient" }), [exited(name)]);
      assert.deepEqual(effects, [[{ type: "settle", reason: because(name), isForgotten: false }]]);
      assert.equal(child.status, "stopped");
    });
  }

  for (const name of [...UNCHARGED, ...CHARGED]) {
    test(`a transient child is restarted after an abnormal exit with reason ${name}`, () => {
      assert.deepEqual(lived(spec({ restart: "transient" }), [exited(name)]).effects, [
        [{ type: "start", restarts: 1 }],
      ]);
    });
  }
});

describe("restart intensity of a child", () => {
  for (const name of CHARGED) {
    test(`one exit with reason ${name} more than the intensity parks the child and names the reason`, () => {
      const { child, effects } = lived(
        spec(),
        [0, 1, 2, 3].map((atMs) => exited(name, atMs)),
      );
      assert.deepEqual(typesOf(effects), ["start", "start", "start", "park"]);
      assert.deepEqual(effects.at(-1), [{ type: "park", reason: because(name) }]);
      assert.equal(child.status, "parked");
    });
  }

  for (const name of UNCHARGED) {
    test(`a child that ends with reason ${name} a thousand times in one instant is never parked`, () => {
      const { child, effects } = lived(
        spec({ intensity: 0 }),
        Array.from({ length: 1_000 }, () => exited(name)),
      );
      assert.ok(effects.every(([effect]) => effect?.type === "start"));
      assert.deepEqual(
        { ...child, spec: undefined },
        { spec: undefined, status: "up", restarts: [], restartCount: 1_000 },
      );
    });
  }

  test("losses of a cell between two faults bring a child no closer to being parked", () => {
    const events = [exited("fault", 0), ...Array.from({ length: 9 }, () => exited("cell_lost", 1)), exited("fault", 2)];
    assert.equal(lived(spec({ intensity: 2 }), events).child.status, "up");
  });

  test("a fault exactly one period after the first still parks the child", () => {
    const { effects } = lived(spec({ intensity: 1 }), [exited("fault", 100), exited("fault", 5_100)]);
    assert.deepEqual(typesOf(effects), ["start", "park"]);
  });

  test("a fault just over one period after the first does not park the child", () => {
    const { effects } = lived(spec({ intensity: 1 }), [exited("fault", 100), exited("fault", 5_100.5)]);
    assert.deepEqual(typesOf(effects), ["start", "start"]);
  });

  test("a child that may not restart at all is parked by its first fault", () => {
    assert.deepEqual(typesOf(lived(spec({ intensity: 0 }), [exited("fault")]).effects), ["park"]);
  });
});

describe("a child that is down", () => {
  const parked = [exited("fault", 0), exited("fault", 1)];

  test("a parked child starts again on request, with a clean window", () => {
    const { child, effects } = lived(spec({ intensity: 1 }), [...parked, asked]);
    assert.deepEqual(effects.at(-1), [{ type: "start", restarts: 1 }]);
    assert.deepEqual([child.status, child.restarts], ["up", []]);
  });

  test("a child that was parked and restarted on request may fail as often as a new one before it is parked again", () => {
    const again = [asked, exited("fault", 2), exited("fault", 3)];
    assert.deepEqual(typesOf(lived(spec({ intensity: 1 }), [...parked, ...again]).effects), [
      "start",
      "park",
      "start",
      "start",
      "park",
    ]);
  });

  test("a child that its owner stopped is not restarted when it then exits, whatever the reason", () => {
    for (const name of [...ORDERLY, ...UNCHARGED, ...CHARGED]) {
      const { child, effects } = lived(spec(), [terminated, exited(name)]);
      assert.deepEqual(effects, [[], [{ type: "settle", reason: because(name), isForgotten: false }]]);
      assert.equal(child.status, "stopped");
    }
  });

  test("a stopped child starts again on request", () => {
    const { child, effects } = lived(spec(), [terminated, asked]);
    assert.deepEqual(effects, [[], [{ type: "start", restarts: 0 }]]);
    assert.equal(child.status, "up");
  });

  test("a parked child that is stopped stays down", () => {
    assert.equal(lived(spec({ intensity: 1 }), [...parked, terminated]).child.status, "stopped");
  });
});

/** Remembers every charged exit since the last request and counts those within the period. */
class Model {
  readonly #spec: ChildSpec;
  #faults: number[] = [];
  status: ChildState["status"] = "up";
  restartCount = 0;

  constructor(spec: ChildSpec) {
    this.#spec = spec;
  }

  answer(event: SupervisorEvent): readonly SupervisorEffect[] {
    if (event.type === "terminated") {
      this.status = "stopped";
      return [];
    }
    if (event.type === "restart_asked") {
      [this.status, this.#faults] = ["up", []];
      return [{ type: "start", restarts: this.restartCount }];
    }
    const { reason, atMs } = event;
    const { restart, intensity, periodMs } = this.#spec;
    const isWanted = restart === "permanent" || (restart === "transient" && !ORDERLY.includes(reason.name));
    if (this.status !== "up" || !isWanted) {
      this.status = "stopped";
      return [{ type: "settle", reason, isForgotten: restart === "temporary" }];
    }
    if (!UNCHARGED.includes(reason.name)) this.#faults.push(atMs);
    const counted = this.#faults.filter((faultMs) => faultMs >= atMs - periodMs);
    if (!UNCHARGED.includes(reason.name) && counted.length > intensity) {
      this.status = "parked";
      return [{ type: "park", reason }];
    }
    return [{ type: "start", restarts: ++this.restartCount }];
  }
}

const specs = fc.record({
  restart: fc.constantFrom<RestartType>("permanent", "permanent", "transient", "temporary"),
  intensity: fc.nat(4),
  periodMs: fc.constantFrom(1, 10, 100),
});
const steps = fc.record({
  gapMs: fc.oneof(fc.nat(30), fc.constantFrom(0, 1, 10, 100)),
  event: fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom<ExitName>(...CHARGED) },
    { weight: 4, arbitrary: fc.constantFrom<ExitName>(...UNCHARGED, ...ORDERLY) },
    { weight: 2, arbitrary: fc.constant("ask" as const) },
    { weight: 1, arbitrary: fc.constant("terminate" as const) },
  ),
});

function eventOf(event: ExitName | "ask" | "terminate", atMs: number): SupervisorEvent {
  if (event === "ask") return asked;
  return event === "terminate" ? terminated : exited(event, atMs);
}

function frozen(child: ChildState): ChildState {
  return Object.freeze({ ...child, spec: Object.freeze(child.spec), restarts: Object.freeze([...child.restarts]) });
}

describe("a child that is up", () => {
  test("cannot be asked to restart: that would be a second life", () => {
    assert.throws(() => step(newChild(spec()), asked), /cannot be asked/);
  });
});

describe("the supervisor under random lives", () => {
  test("a child is started, parked, kept and forgotten exactly as the model says", (t) => {
    const property = fc.property(specs, fc.array(steps, { maxLength: 50 }), (overrides, steps) => {
      const model = new Model(spec(overrides));
      let child = frozen(newChild(spec(overrides)));
      let atMs = 0;
      for (const { gapMs, event } of steps) {
        atMs += gapMs;
        const wasDown = child.status !== "up";
        if (event === "ask" && !wasDown) continue; // nobody may ask that of a child that is up
        const next = step(child, Object.freeze(eventOf(event, atMs)));
        assert.deepEqual(next.effects, model.answer(eventOf(event, atMs)));
        assert.deepEqual([next.child.status, next.child.restartCount], [model.status, model.restartCount]);
        const isStarted = next.effects.some(({ type }) => type === "start");
        assert.ok(!(wasDown && isStarted) || event === "ask");
        if (UNCHARGED.includes(event as ExitName)) assert.deepEqual(next.child.restarts, child.restarts);
        child = frozen(next.child);
      }
    });
    check(t, property, 1_000);
  });
});
