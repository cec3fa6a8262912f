/**
 * The core in random hands: starts that work, fail or are ignored, children that end for any reason at any moment, late
 * timers, and calls of every kind. Invariants, after every event:
 * 1. Charged restarts within one period never exceed the intensity; one more, and the supervisor stops.
 * 2. No child is started while a process of it lives, and one start waits at a time.
 * 3. In a start of all (init, one_for_all) every start is preceded by those of its left siblings.
 * 4. A supervisor that stops tells its children in reverse order of start.
 * 5. Every call is answered exactly once.
 * 6. Whoever was started has ended before the supervisor exits, and nothing follows but `noproc`.
 * 7. Every timer that was set has fired or was cancelled.
 * 8. The state it was handed is not changed (the shell freezes it), and the same events lead to the same effects.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import type { ChildName, Definition, Effect, Event, Ref, Request } from "../../../runtime/supervision/contract.ts";
import { childrenOf } from "../../../runtime/supervision/roster.ts";
import { newSupervisor } from "../../../runtime/supervision/state.ts";
import { step } from "../../../runtime/supervision/step.ts";
import { check } from "../../support/random-runs.ts";
import { definition, Shell } from "./shell.ts";

const names = ["a", "b", "c", "d"] as const;
const childRules = fc.record({
  restart: fc.constantFrom("permanent", "permanent", "transient", "temporary"),
  shutdown: fc.constantFrom(0, 100, "brutal_kill", "infinity"),
});
const strategies = ["one_for_one", "one_for_all", "rest_for_one", "simple_one_for_one", "dynamic"] as const;
const given = fc
  .record({
    strategy: fc.constantFrom(...strategies),
    intensity: fc.nat(12),
    period: fc.integer({ min: 1, max: 30 }),
    children: fc.array(childRules, { minLength: 1, maxLength: names.length }),
  })
  .map(({ children, ...flags }): Definition => {
    const specs = children.map((rules, index) => ({ id: names[index], ...rules }));
    if (flags.strategy === "dynamic") return definition(flags);
    return definition(flags, ...(flags.strategy === "simple_one_for_one" ? specs.slice(0, 1) : specs));
  });

/** One throw of the dice: what happens, to whom, how. */
const fate = fc.record({ kind: fc.nat(9), pick: fc.nat(1_000), how: fc.nat(9) });
type Fate = { readonly kind: number; readonly pick: number; readonly how: number };

const reasons = ["boom", "normal", "shutdown", "shutdown:why", "killed"] as const;

/** The shell of a random run: it knows what lives and what is owed, and checks each effect. */
class World {
  readonly #shell: Shell;
  readonly #definition: Definition;
  readonly events: Event[] = [];
  readonly effects: Effect[] = [];
  #now = 0;
  #calls = 0;
  readonly #owed = new Set<number>();
  /** Processes that live, with their child's id; a child of a dynamic supervisor is its own first ref. */
  readonly #living = new Map<Ref, string>();
  #starting: { readonly ref: Ref; readonly id: string } | undefined;
  readonly #timers = new Set<number>();
  readonly #tries: ChildName[] = [];
  /** How the last start of a child went, until somebody tells it to end. */
  readonly #place = new Map<string, "started" | "ignored">();
  readonly #charges: number[] = [];
  /** Where in the order of start the child stands that was last told to end because all do. */
  #stoppedFrom = Number.POSITIVE_INFINITY;
  #hasExited = false;

  constructor(given: Definition) {
    this.#definition = given;
    this.#shell = new Shell(given);
    this.feed({ type: "init" });
  }

  feed(event: Event): void {
    const wasOver = this.#hasExited;
    this.events.push(event);
    const effects = this.#shell.feed(event);
    if (wasOver)
      assert.ok(
        effects.every(({ type }) => type === "reply"),
        "an effect after the end",
      );
    const isBreach = effects.some((effect) => effect.type === "report" && effect.report.type === "breach");
    if (event.type === "try_again" && effects.length > 0 && !isBreach) this.#charge();
    for (const effect of effects) this.#take(effect);
    this.effects.push(...effects);
  }

  /** Lets one thing happen; nothing where it makes no sense now. */
  happen({ kind, pick, how }: Fate): void {
    this.#now += how;
    if (this.#starting !== undefined && kind < 5) return this.#answerStart(how);
    if (kind < 7) return this.#end(pick, reasons[how % reasons.length] ?? "boom");
    if (kind === 7 && this.#timers.size > 0 && how < 5) return this.#fire(pick);
    if (kind === 7 && this.#tries.length > 0) return this.#tryAgain();
    if (kind === 9 && pick < 15) return this.stop();
    if (kind >= 8) this.#call(pick, how);
  }

  stop(): void {
    this.feed({ type: "told", reason: "shutdown" });
  }

  /** Everything that is owed to the core comes, and nothing else. */
  settle(): void {
    for (let round = 0; round < 10_000; round++) {
      if (this.#starting !== undefined) this.#answerStart(0);
      else if (!this.#hasExited && this.#living.size > 0) this.#end(round, "shutdown");
      else return;
    }
    assert.fail("the supervisor never comes to an end");
  }

  checkEnd(): void {
    assert.ok(this.#hasExited, "it was told to stop and has not");
    assert.deepEqual([...this.#owed], [], "calls without an answer");
    assert.deepEqual([...this.#timers], [], "timers that nobody took back");
  }

  #answerStart(how: number): void {
    const { ref, id } = this.#starting ?? { ref: 0, id: "" };
    this.#starting = undefined;
    if (how < 8) {
      this.#living.set(ref, id);
      this.#place.set(id, "started");
      return this.feed({ type: "started", ref, atMs: this.#now });
    }
    this.#place.set(id, "ignored");
    if (how < 9) return this.feed({ type: "ignored", ref, atMs: this.#now });
    this.#place.delete(id);
    this.feed({ type: "start_failed", ref, reason: "busy", atMs: this.#now });
  }

  #end(pick: number, reason: string): void {
    const refs = [...this.#living.keys()];
    const ref = refs[pick % Math.max(1, refs.length)];
    if (ref === undefined) return;
    this.#living.delete(ref);
    this.feed({ type: "exited", ref, reason, atMs: this.#now });
  }

  #fire(pick: number): void {
    const timers = [...this.#timers];
    const id = timers[pick % timers.length] ?? 0;
    this.#timers.delete(id);
    this.feed({ type: "timer", id, atMs: this.#now });
  }

  #tryAgain(): void {
    const key = this.#tries.shift();
    if (key !== undefined) this.feed({ type: "try_again", key, atMs: this.#now });
  }

  #call(pick: number, how: number): void {
    const id = names[pick % names.length] ?? "a";
    const child = how % 2 === 0 ? { id } : { ref: 1 + (pick % 12) };
    const spec = { id, start: "code", restart: how % 3 === 0 ? "temporary" : "permanent" };
    const requests: readonly Request[] = [
      { type: "start_child", spec },
      { type: "start_child", spec },
      { type: "start_child", spec: how % 2 === 0 ? "no spec" : spec },
      { type: "terminate_child", child },
      { type: "terminate_child", child },
      { type: "restart_child", id },
      { type: "restart_child", id },
      { type: "delete_child", id },
      { type: "get_childspec", child },
      { type: "which_children" },
      { type: "count_children" },
      { type: "upgrade", definition: this.#definition },
    ];
    const from = ++this.#calls;
    this.#owed.add(from);
    const request = requests[pick % requests.length] ?? { type: "which_children" };
    this.feed({ type: "called", from, request, atMs: this.#now });
  }

  #charge(): void {
    const { intensity, periodMs } = this.#definition.flags;
    this.#charges.push(this.#now);
    const within = this.#charges.filter((atMs) => this.#now - atMs <= periodMs);
    assert.ok(within.length <= intensity, `${within.length} restarts within one period`);
  }

  #take(effect: Effect): void {
    switch (effect.type) {
      case "start":
        return this.#start(effect.ref, effect.spec.id);
      case "signal":
        return this.#signal(effect.ref);
      case "set_timer":
        return void this.#timers.add(effect.id);
      case "cancel_timer":
        return void this.#timers.delete(effect.id);
      case "reply":
        return assert.ok(this.#owed.delete(Number(effect.from)), "an answer that nobody waits for");
      case "try_again":
        return void this.#tries.push(effect.key);
      case "report":
        if (effect.report.type === "child_exited" && effect.report.outcome === "restart") this.#charge();
        if (effect.report.type === "child_forgotten") this.#place.delete(effect.report.spec.id);
        return;
      case "ready":
        return;
      case "exit":
        assert.deepEqual([...this.#living.values()], [], "children that outlive their supervisor");
        this.#hasExited = true;
    }
  }

  #start(ref: Ref, id: string): void {
    assert.equal(this.#starting, undefined, "two starts at a time");
    const { strategy } = this.#definition.flags;
    const hasIds = strategy !== "simple_one_for_one" && strategy !== "dynamic";
    if (hasIds) assert.ok(![...this.#living.values()].includes(id), `${id} is started twice`);
    const { operation } = this.#shell.state;
    const isRound = operation?.type === "starting" && operation.after.type === "round";
    if (isRound && (strategy === "one_for_all" || operation.after.round.type === "init")) this.#checkLeft(id);
    this.#starting = { ref, id };
  }

  #checkLeft(id: string): void {
    const ids = this.#ids();
    for (const left of ids.slice(0, ids.indexOf(id)))
      assert.ok(this.#place.has(left), `${id} is started before ${left}`);
  }

  #ids(): readonly string[] {
    return childrenOf(this.#shell.state.children).map(({ spec }) => spec.id);
  }

  #signal(ref: Ref): void {
    const id = this.#living.get(ref);
    if (id !== undefined) this.#place.delete(id);
    const { operation } = this.#shell.state;
    if (operation?.type !== "ending" || operation.after.type === "reply" || operation.after.next.type !== "exit")
      return;
    const place = this.#ids().indexOf(operation.id);
    assert.ok(place <= this.#stoppedFrom, `${operation.id} is stopped after one on its left`);
    this.#stoppedFrom = place;
  }
}

describe("the core in random hands", () => {
  it("keeps its invariants", (t) => {
    const property = fc.property(
      given,
      fc.array(fate, { minLength: 30, maxLength: 150, size: "max" }),
      (given, fates) => {
        const world = new World(given);
        for (const fate of fates) world.happen(fate);
        world.stop();
        world.settle();
        world.checkEnd();
        assert.deepEqual(replayed(given, world.events), world.effects);
      },
    );
    check(t, property, 1_000);
  });
});

function replayed(given: Definition, events: readonly Event[]): readonly Effect[] {
  let state = newSupervisor(given);
  return events.flatMap((event) => {
    const next = step(state, event);
    ({ state } = next);
    return next.effects;
  });
}
