/**
 * What operators hear of a supervisor's decisions: the core's reports as events. Pure functions. What a report says about an
 * agent alone (it exited, it stays down) is told by the agent's own events.
 */
import type { RuntimeEvent } from "./events.ts";
import type { ExitReason } from "./exit-reason.ts";
import type { Flags, Report } from "./supervision/contract.ts";

/** The event for a report, where there is one. `reason`: why the child ended last. */
export function reportEvent(
  report: Report,
  { supervisor, flags, reason }: { readonly supervisor: string; readonly flags: Flags; readonly reason: ExitReason },
): RuntimeEvent | undefined {
  const child = `${supervisor}/${report.spec.id}`;
  switch (report.type) {
    case "child_exited": {
      const { strategy } = flags;
      return report.outcome === "restart"
        ? { type: "supervisor.restart_begun", supervisor, child, strategy, reason }
        : undefined;
    }
    case "start_error":
      return { type: "supervisor.child_failed", supervisor, child, reason };
    case "breach": {
      const { intensity, periodMs } = flags;
      return { type: "supervisor.breached", supervisor, child, restarts: report.restarts, intensity, periodMs, reason };
    }
    case "auto_shutdown":
      return { type: "supervisor.shutdown_begun", supervisor, child, reason };
    case "shutdown_error":
    case "child_forgotten":
      return undefined;
  }
}

/** Why the supervisor is about to end, where this report says so. */
export function tellsEnd(report: Report, supervisor: string, reason: ExitReason): ExitReason | undefined {
  const child = `${supervisor}/${report.spec.id}`;
  switch (report.type) {
    case "breach":
      return {
        name: "shutdown",
        message: `${supervisor} gave up: too many restarts, the last of ${child} (${reason.message})`,
      };
    case "auto_shutdown":
      return {
        name: "shutdown",
        message: `${supervisor} ended with its significant child ${child} (${reason.message})`,
      };
    case "start_error":
      return { name: "load_failed", message: `${child} did not start (${reason.message})`, ...codeOf(reason) };
    case "child_exited":
    case "shutdown_error":
    case "child_forgotten":
      return undefined;
  }
}

function codeOf({ code }: ExitReason): { readonly code?: string } {
  return code === undefined ? {} : { code };
}
