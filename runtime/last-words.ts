/**
 * An orderly stop gives an agent's `stop` handler its shutdown time, as OTP gives `terminate/2`; what it writes counts.
 */
import type { Clock } from "../vault/index.ts";
import type { AgentSpec } from "./agent-record.ts";
import type { ExitReason } from "./exit-reason.ts";
import type { Incarnation } from "./incarnation.ts";

/** Runs `stop` within the shutdown time. What goes wrong with it is told to `complain`: the agent is ending anyway. */
export async function lastWords(
  life: Incarnation,
  options: {
    readonly spec: AgentSpec;
    readonly reason: ExitReason;
    readonly clock: Clock;
    readonly complain: (text: string) => void;
  },
): Promise<void> {
  const { shutdownMs, durability } = options.spec;
  if (shutdownMs === "brutal_kill" || !life.loaded.hasStop) return;
  const words = speak(life, options.reason, { nowMs: options.clock.now(), durability }).catch((error: unknown) =>
    options.complain(`stop: ${String(error)}`),
  );
  if (shutdownMs === "infinity") return words;
  const time = Promise.withResolvers<void>();
  const timer = options.clock.after(shutdownMs, () => {
    options.complain(`stop: not finished within ${shutdownMs} ms`);
    time.resolve();
  });
  await Promise.race([words, time.promise]);
  timer.cancel();
}

async function speak(
  life: Incarnation,
  reason: ExitReason,
  options: { readonly nowMs: number; readonly durability: AgentSpec["durability"] },
): Promise<void> {
  const ops = await life.runOwn("stop", JSON.stringify(reason.name), options.nowMs);
  if (ops.length === 0 || life.isOver) return;
  const branch = life.options.branch.id;
  await life.commit([{ type: "write", branch, ops, epoch: life.epoch }], options.durability).durable;
}
