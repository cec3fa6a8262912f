/**
 * An agent that was inside the guest when its cell died is a suspect. Where the cell was not ended from outside, it gets a cell
 * of its own, in which it can harm nobody else; where somebody may simply have killed the process, once is chance, and it gets
 * one the second time within its restart period. It stays apart until a whole period has passed without another loss. Pure:
 * told the times, it keeps those that count.
 */
import type { CellExit } from "../sandbox/index.ts";
import type { ExitReason } from "./exit-reason.ts";

/** Losses within one period after which an agent lives alone. */
const LOSSES_MAX = 2;

/** Times of the losses that still count, in monotonic ms, oldest first. */
export type Suspicion = readonly number[];

/** One more cell was lost under this agent; `isProven` counts as often as is needed. */
export function suspect(
  suspicion: Suspicion,
  loss: { readonly nowMs: number; readonly periodMs: number; readonly isProven: boolean },
): Suspicion {
  const { nowMs, periodMs, isProven } = loss;
  const now = Array.from({ length: isProven ? LOSSES_MAX : 1 }, () => nowMs);
  return [...suspicion.filter((atMs) => nowMs - atMs <= periodMs), ...now].slice(-LOSSES_MAX);
}

const OWN_DOINGS: ReadonlySet<CellExit["reason"]> = new Set(["memory", "hung", "stuck", "crashed", "bad_frame"]);

/**
 * What marks the exit of a suspect whose cell was not ended from outside: it grew, hung or was stuck, crashed by itself, or said what
 * no honest guest says.
 */
export function guiltOf({ reason, signal, exitCode }: CellExit, isSuspect: boolean): { readonly isProven?: true } {
  if (!isSuspect) return {};
  // SIGKILL is what an operator sends, and the kernel when memory runs out anywhere; bubblewrap tells it as an exit code.
  const isKilled = signal === "SIGKILL" || exitCode === KILLED_EXIT_CODE;
  const isOwnDoing = OWN_DOINGS.has(reason);
  return isOwnDoing && !(reason === "crashed" && isKilled) ? { isProven: true } : {};
}

/** 128 and the number of the signal. */
const KILLED_EXIT_CODE = 137;

/** True for an end that took time from others: a turn that was still running when its time was up, on the CPU or the clock. */
export function isOverrun({ name, code }: ExitReason): boolean {
  return name === "limit" && (code === "SANDBOX_CPU_EXCEEDED" || code === "SANDBOX_WALL_EXCEEDED");
}

/** True when the agent's next life belongs into a cell of its own, or, for overruns, among its like. */
export function isToLiveAlone(suspicion: Suspicion, nowMs: number, periodMs: number): boolean {
  return suspicion.filter((atMs) => nowMs - atMs <= periodMs).length >= LOSSES_MAX;
}
