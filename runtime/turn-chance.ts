/** A turn as its chance makes it, and as it is recorded: its seed, and the bytes that are drawn for agents whose `crypto` is to be real. */
import type { Turn } from "../sandbox/index.ts";
import type { Message } from "./message.ts";
import { freshEntropy } from "./random.ts";
import type { RecordedTurn } from "./traffic.ts";

/** The turn that a message is. What is drawn for it is kept in the message, so that a second run draws the same. */
export function turnOf(message: Message, random: "real" | undefined): Turn {
  const { turn: id, kind, method, text, nowMs, seed } = message;
  if (random === "real") message.entropy ??= freshEntropy();
  return { id, kind, method, text, nowMs, seed, entropy: message.entropy };
}

/**
 * A turn of the runtime's own (init, migrate, stop), which is not repeated. `seed` is that of the first state: what an agent
 * draws there, an id say, must not be what the others draw. The other two have none.
 */
export function ownTurn(
  turn: Pick<Turn, "id" | "text" | "nowMs"> & { readonly kind: "init" | "migrate" | "stop" },
  { random, seed }: { readonly random: "real" | undefined; readonly seed: () => number },
): Turn {
  const entropy = random === "real" ? freshEntropy() : undefined;
  return { ...turn, method: turn.kind, seed: turn.kind === "init" ? seed() : 0, entropy };
}

/**
 * What the module of a life draws from while it is evaluated: its own, in each life. A module's constants are part of no recorded
 * turn, so a shadow that is to repeat them must not draw any.
 */
export function loadEntropy(random: "real" | undefined): string | undefined {
  return random === "real" ? freshEntropy() : undefined;
}

/** What is recorded of a message's turn: all that another run of it needs to be the same. */
export function recordedTurn(
  message: Message,
  end: Pick<RecordedTurn, "result" | "cpuMs" | "beforeSeq">,
): RecordedTurn {
  const { kind, method, text, from, nowMs, seed, entropy, asks, callId } = message;
  return { ...end, kind, method, text, from, nowMs, seed, entropy, asks, callId };
}
