/**
 * The keeper of a top-level agent: a supervisor of one child (docs/adr/0006), decided by the same core as every other. Its
 * intensity is the agent's own, and where another supervisor would give up and end, this one parks its agent.
 *
 *   exited --+-- temporary, or an orderly end of a transient one --> settle
 *            +-- within intensity --> launch --(did not load)--> hold, back-off --> launch
 *            `-- beyond -----------> park
 *
 * An agent that sleeps counts as up: the first message wakes it. So what the core starts at first is taken as started.
 */
import assert from "node:assert/strict";
import type { Clock, Timer } from "../vault/index.ts";
import type { AgentSpec } from "./agent-record.ts";
import { backOffMs } from "./back-off.ts";
import type { ExitReason } from "./exit-reason.ts";
import type { Keeper, Kept } from "./keeper.ts";
import type { Random } from "./random.ts";
import type { Definition, Effect, Event, Ref, Report } from "./supervision/contract.ts";
import { newSupervisor } from "./supervision/state.ts";
import type { State } from "./supervision/state.ts";
import { step } from "./supervision/step.ts";

/** What the decisions need of a spec. */
export type SoloSpec = Pick<AgentSpec, "id" | "restart" | "shutdownMs" | "intensity" | "periodMs">;

/** Decides about one agent that stands alone. */
export class SoloKeeper implements Keeper {
  readonly isFree = true;
  readonly #agent: Kept;
  readonly #parts: { readonly clock: Clock; readonly random: Random };
  #definition: Definition;
  #core: State;
  #ref: Ref = 0;
  /** True while the core waits for a start. */
  #isAwaited = false;
  #retry: Timer | undefined;
  #last: ExitReason = { name: "normal", message: "" };

  constructor(agent: Kept, spec: SoloSpec, parts: { readonly clock: Clock; readonly random: Random }) {
    this.#agent = agent;
    this.#parts = parts;
    this.#definition = definitionOf(spec);
    this.#core = this.#begun();
  }

  started(): void {
    if (!this.#isAwaited) return; // it slept, which counts as up
    this.#isAwaited = false;
    this.#feed({ type: "started", ref: this.#ref });
  }

  exited(reason: ExitReason): void {
    this.#last = reason;
    const [ref, cause] = [this.#ref, reason];
    const atMs = this.#parts.clock.monotonicMs();
    const hasFailed = this.#isAwaited;
    this.#isAwaited = false;
    if (hasFailed) this.#feed({ type: "start_failed", ref, reason: reason.name, cause });
    else this.#feed({ type: "exited", ref, reason: reason.name, atMs, cause });
  }

  adopt(): boolean {
    if (this.#core.phase === "ended" || this.#retry !== undefined) this.#core = this.#begun();
    return true;
  }

  stop(): "by_itself" {
    return "by_itself";
  }

  retire(): void {
    this.#retry?.cancel();
    this.#retry = undefined;
    this.#isAwaited = false;
  }

  revive(): void {
    this.#core = this.#begun();
    this.#agent.launch("now");
  }

  /** What it was charged so far still counts. */
  reconfigure(spec: AgentSpec): void {
    this.#definition = definitionOf(spec);
    const atMs = this.#parts.clock.monotonicMs();
    this.#feed({ type: "called", from: 0, request: { type: "upgrade", definition: this.#definition }, atMs });
  }

  /** A core with a clean window, whose child is up. */
  #begun(): State {
    this.retire();
    const { state, effects } = step(newSupervisor(this.#definition), { type: "init" });
    const [start] = effects;
    assert(start?.type === "start", "a supervisor starts with its child");
    this.#ref = start.ref;
    return step(state, { type: "started", ref: start.ref }).state;
  }

  #feed(event: Event): void {
    const { state, effects } = step(this.#core, event);
    this.#core = state;
    for (const effect of effects) this.#carryOut(effect);
  }

  #carryOut(effect: Effect): void {
    switch (effect.type) {
      case "start":
        this.#ref = effect.ref;
        this.#isAwaited = true;
        return this.#agent.launch("lazily");
      case "try_again":
        this.#agent.hold();
        this.#retry = this.#parts.clock.after(backOffMs(effect.attempt, this.#parts.random), () => {
          this.#retry = undefined;
          this.#feed({ type: "try_again", key: effect.key, atMs: this.#parts.clock.monotonicMs() });
        });
        return;
      case "report":
        return this.#report(effect.report);
      case "exit":
        return this.#agent.park(this.#last);
      case "ready":
      case "reply": // to `upgrade`
        return;
      case "signal":
      case "set_timer":
      case "cancel_timer":
        throw new assert.AssertionError({
          message: `${effect.type}: the owner stops a top-level agent, not its keeper`,
        });
    }
  }

  #report(report: Report): void {
    if (report.type !== "child_exited") return;
    if (report.outcome === "stopped") this.#agent.settle(this.#last, false);
    if (report.outcome === "forgotten") this.#agent.settle(this.#last, true);
  }
}

function definitionOf({ id, restart, shutdownMs, intensity, periodMs }: SoloSpec): Definition {
  return {
    flags: { strategy: "one_for_one", intensity, periodMs, autoShutdown: "never", maxChildren: "infinity" },
    children: [{ id, start: id, restart, shutdown: shutdownMs, type: "worker", significant: false }],
  };
}
