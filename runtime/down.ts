/**
 * What a caller is told by an agent that does not take its message. Pure functions.
 */
import type { AgentSpec } from "./agent-record.ts";
import { RuntimeError } from "./errors.ts";
import type { ExitReason } from "./exit-reason.ts";

/** Why an agent takes no messages. */
export interface Down {
  readonly reason: ExitReason;
  readonly isParked: boolean;
}

/** A stop overtook what was being done. */
export const STOPPED_MEANWHILE: Down = {
  reason: { name: "shutdown", message: "it was stopped meanwhile" },
  isParked: false,
};

/** What a caller of an agent that is down is told. */
export function downError(spec: AgentSpec, down: Down): RuntimeError {
  const { id, intensity, periodMs, supervisor } = spec;
  const details = { agent: id, reason: down.reason };
  if (down.isParked) {
    const text = `${id} failed more than ${intensity} times in ${periodMs} ms and was parked, revive() starts it again; last: ${down.reason.message}`;
    return new RuntimeError("RUNTIME_INTENSITY_EXCEEDED", text, { details });
  }
  const way =
    supervisor === undefined
      ? "spawn() or revive() starts it again"
      : `its supervisor ${supervisor} starts it (restartChild, or startChild when it does not know it any more)`;
  const text = `${id} is stopped (${down.reason.message}); ${way}`;
  return new RuntimeError("RUNTIME_AGENT_DOWN", text, { details });
}

/** What a caller is told when the mailbox has no room. */
export function fullError(id: string, mailboxMax: number): RuntimeError {
  const text = `the mailbox of ${id} holds ${mailboxMax} messages and is full; slow down or raise limits.mailboxMax`;
  return new RuntimeError("RUNTIME_MAILBOX_FULL", text, { details: { agent: id, mailboxMax } });
}
