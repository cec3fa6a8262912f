/** Turns for shadows that no live agent ever ran, and what shadows said. */
import type { RecordedTurn, Shadow, ShadowTurn } from "../../runtime/index.ts";

/** A call that nobody made, with answers that nobody gave. */
export function turnOf(method: string, argument: unknown = null, asks: RecordedTurn["asks"] = []): RecordedTurn {
  const result = { ok: true, reply: "0" } as const;
  const text = JSON.stringify(argument);
  return { kind: "call", method, text, nowMs: 1_700_000_000_000, seed: 7, asks, result, cpuMs: 0, beforeSeq: 0 };
}

/** What a turn answered, or how else it ended. */
export function reply({ outcome }: ShadowTurn): unknown {
  return outcome.kind === "done" ? JSON.parse(outcome.reply) : outcome;
}

/** Lets all of them go. */
export async function dropAll(shadows: readonly Shadow[]): Promise<void> {
  await Promise.all(shadows.map((shadow) => shadow.drop()));
}
