/**
 * An agent as its supervisor and its monitors see it: the shell that keeps the supervisor's state of one child, lets
 * `supervisor.ts` decide, and tells whoever watches.
 */
import type { ExitReason } from "./exit-reason.ts";
import { RuntimeError } from "./errors.ts";
import type { ChildSpec, ChildState, SupervisorEffect, SupervisorEvent } from "./supervisor.ts";
import { newChild, step } from "./supervisor.ts";

/** What a monitor is told. */
export interface ExitNotice {
  readonly id: string;
  readonly reason: ExitReason;
  /** Whether its supervisor starts it again. */
  readonly willRestart: boolean;
}

/** Why an agent takes no messages. */
export interface Down {
  readonly reason: ExitReason;
  readonly isParked: boolean;
}

/** One child of the root supervisor. */
export class Child {
  #state: ChildState;
  #monitors = new Set<(notice: ExitNotice) => void>();

  constructor(spec: ChildSpec) {
    this.#state = newChild(spec);
  }

  /** Restarts since it was added. */
  get restarts(): number {
    return this.#state.restartCount;
  }

  /** True while its supervisor means it to run. */
  get isUp(): boolean {
    return this.#state.status === "up";
  }

  /** Its spec is another one from here on; what it was charged so far still counts. */
  reconfigure(spec: ChildSpec): void {
    this.#state = { ...this.#state, spec };
  }

  /** Lets the supervisor decide, and tells the monitors of an exit before anything is done about it. */
  decide(event: SupervisorEvent): readonly SupervisorEffect[] {
    const { child, effects } = step(this.#state, event);
    this.#state = child;
    if (event.type === "exited")
      this.notify(
        event.reason,
        effects.some(({ type }) => type === "start"),
      );
    return effects;
  }

  /** Tells every monitor. One that throws is its owner's bug: it surfaces by itself and stops nobody else. */
  notify(reason: ExitReason, willRestart: boolean): void {
    const notice = { id: this.#state.spec.id, reason, willRestart };
    for (const monitor of this.#monitors) queueMicrotask(() => monitor(notice));
  }

  /** Whoever watches a name goes on watching when it is spawned again. */
  inherit(before: Child): void {
    this.#monitors = before.#monitors;
  }

  /** Calls `monitor` at every exit until the returned function is called. */
  monitor(monitor: (notice: ExitNotice) => void): () => void {
    const own = (notice: ExitNotice): void => monitor(notice);
    this.#monitors.add(own);
    return () => void this.#monitors.delete(own);
  }

  /** What a caller is told when the mailbox has no room. */
  fullError(mailboxMax: number): RuntimeError {
    const { id } = this.#state.spec;
    const text = `the mailbox of ${id} holds ${mailboxMax} messages and is full; slow down or raise limits.mailboxMax`;
    return new RuntimeError("RUNTIME_MAILBOX_FULL", text, { details: { agent: id, mailboxMax } });
  }

  /** What a caller of an agent that is down is told. */
  downError(down: Down): RuntimeError {
    const { id, intensity, periodMs } = this.#state.spec;
    const details = { agent: id, reason: down.reason };
    if (!down.isParked) {
      const text = `${id} is stopped (${down.reason.message}); spawn() or revive() starts it again`;
      return new RuntimeError("RUNTIME_AGENT_DOWN", text, { details });
    }
    const text = `${id} failed more than ${intensity} times in ${periodMs} ms and was parked, revive() starts it again; last: ${down.reason.message}`;
    return new RuntimeError("RUNTIME_INTENSITY_EXCEEDED", text, { details });
  }
}
