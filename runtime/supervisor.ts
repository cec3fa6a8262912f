/**
 * The root supervisor's decisions, as a pure function: `step(child, event) -> { child, effects }`. No clock, no promise,
 * no chance: the caller says what time it is, and `runtime.ts` carries the effects out.
 *
 * Strategy one_for_one with OTP's restart types. One difference, on purpose (docs/adr/0006): at the root, intensity is
 * counted per child, as if each top-level agent stood under a supervisor of its own. A breach parks that child; one
 * agent that keeps failing never takes its neighbours down.
 *
 *   exited --+-- temporary / orderly end ------------------> forget (or keep stopped)
 *            +-- not its fault (cell lost, full disk) -----> start
 *            +-- charged, within intensity ----------------> start
 *            +-- charged, beyond --------------------------> park
 */
import assert from "node:assert/strict";
import type { ExitReason } from "./exit-reason.ts";
import { isAbnormal, isCharged } from "./exit-reason.ts";
import type { Intensity } from "./restart-intensity.ts";
import { chargeRestart } from "./restart-intensity.ts";

/** When a child is restarted: always, only after an abnormal exit, never. */
export type RestartType = "permanent" | "transient" | "temporary";

/** How the root starts, restarts and stops one child. */
export interface ChildSpec extends Intensity {
  readonly id: string;
  readonly restart: RestartType;
  /** Time for last words, in milliseconds; then it is killed. */
  readonly shutdownMs: number | "brutal_kill" | "infinity";
}

/** What the supervisor knows of one child. */
export interface ChildState {
  readonly spec: ChildSpec;
  readonly status: "up" | "stopped" | "parked";
  /** Charged restarts still inside the window, in monotonic milliseconds. */
  readonly restarts: readonly number[];
  /** Every restart since it was added, charged or not. */
  readonly restartCount: number;
}

/** What happened to a child. */
export type SupervisorEvent =
  | { readonly type: "exited"; readonly reason: ExitReason; readonly atMs: number }
  | { readonly type: "terminated" }
  | { readonly type: "restart_asked" };

/** What to do about it. */
export type SupervisorEffect =
  | { readonly type: "start"; readonly restarts: number }
  | { readonly type: "park"; readonly reason: ExitReason }
  /** The child stays down; `isForgotten`: its spec is dropped, as OTP does with temporary children. */
  | { readonly type: "settle"; readonly reason: ExitReason; readonly isForgotten: boolean };

/** A child that was just added and started. */
export function newChild(spec: ChildSpec): ChildState {
  return { spec, status: "up", restarts: [], restartCount: 0 };
}

/** Decides. one_for_one looks at nothing but the child itself, so neither does this. */
export function step(
  child: ChildState,
  event: SupervisorEvent,
): { readonly child: ChildState; readonly effects: readonly SupervisorEffect[] } {
  switch (event.type) {
    case "exited":
      return afterExit(child, event.reason, event.atMs);
    case "terminated":
      return { child: { ...child, status: "stopped" }, effects: [] };
    case "restart_asked":
      assert.notEqual(child.status, "up", "a child that is up cannot be asked to restart");
      return {
        child: { ...child, status: "up", restarts: [] },
        effects: [{ type: "start", restarts: child.restartCount }],
      };
  }
}

function afterExit(
  child: ChildState,
  reason: ExitReason,
  atMs: number,
): { readonly child: ChildState; readonly effects: readonly SupervisorEffect[] } {
  const { restart } = child.spec;
  const isOver = restart === "temporary" || (restart === "transient" && !isAbnormal(reason));
  if (child.status !== "up" || isOver) {
    return {
      child: { ...child, status: "stopped" },
      effects: [{ type: "settle", reason, isForgotten: restart === "temporary" }],
    };
  }
  const verdict = isCharged(reason)
    ? chargeRestart(child.restarts, atMs, child.spec)
    : { restarts: child.restarts, isAllowed: true };
  if (!verdict.isAllowed) {
    const parked: ChildState = { ...child, status: "parked", restarts: verdict.restarts };
    return { child: parked, effects: [{ type: "park", reason }] };
  }
  const restartCount = child.restartCount + 1;
  return {
    child: { ...child, restarts: verdict.restarts, restartCount },
    effects: [{ type: "start", restarts: restartCount }],
  };
}
