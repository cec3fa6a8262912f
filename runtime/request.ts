/**
 * One call from its caller's side: the message is accepted, and the caller waits for the reply, its time, or its signal.
 * A caller that gives up leaves the message: if nobody else waits for it and it has not been started, it never happens.
 */
import type { Clock } from "../vault/index.ts";
import type { Agent } from "./agent.ts";
import { RuntimeError } from "./errors.ts";
import type { Caller, Message } from "./message.ts";

/** How long a call waits where nothing else is said: OTP's default, in ms. */
export const CALL_TIMEOUT_MS = 5_000;

/** How long one caller waits. */
export interface RequestOptions {
  readonly clock: Clock;
  /** Milliseconds, or Infinity. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Sends a call and resolves with the encoded reply. Rejects with what `AgentRef.call` documents. `message` is the message as
 * it would be sent; when the agent already works on a call with the same id, the caller joins that one.
 */
export async function request(agent: Agent, message: Message, options: RequestOptions): Promise<string> {
  if (options.signal?.aborted === true) throw abortError(agent.id, message.method, true);
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const caller: Caller = { resolve, reject };
  const joined = agent.accept(message, caller);
  if (joined.progress !== "settled") limit(agent, joined, { caller, options });
  return promise;
}

/** Arms the two ways in which a caller gives up. */
function limit(
  agent: Agent,
  message: Message,
  wait: { readonly caller: Caller; readonly options: RequestOptions },
): void {
  const { caller, options } = wait;
  const giveUp = (error: (isWithdrawn: boolean) => RuntimeError): void => {
    if (!message.callers.delete(caller)) return;
    caller.timer?.cancel();
    caller.detach?.();
    caller.reject(error(agent.withdraw(message)));
  };
  const { signal, timeoutMs } = options;
  if (timeoutMs !== Number.POSITIVE_INFINITY) {
    caller.timer = options.clock.after(timeoutMs, () =>
      giveUp((isWithdrawn) => timeoutError({ agent: agent.id, method: message.method, timeoutMs, isWithdrawn })),
    );
  }
  if (signal === undefined) return;
  const onAbort = (): void => giveUp((isWithdrawn) => abortError(agent.id, message.method, isWithdrawn));
  signal.addEventListener("abort", onAbort, { once: true });
  caller.detach = () => signal.removeEventListener("abort", onAbort);
}

function timeoutError(call: {
  readonly agent: string;
  readonly method: string;
  readonly timeoutMs: number;
  readonly isWithdrawn: boolean;
}): RuntimeError {
  const { agent, method, timeoutMs, isWithdrawn } = call;
  const what = isWithdrawn ? "it had not been started and never will be" : "it may still happen";
  const details = { agent, method, timeoutMs, mayHaveHappened: !isWithdrawn };
  return new RuntimeError("RUNTIME_CALL_TIMEOUT", `${agent}.${method}: no answer within ${timeoutMs} ms; ${what}`, {
    details,
  });
}

function abortError(agent: string, method: string, isWithdrawn: boolean): RuntimeError {
  const details = { agent, method, mayHaveHappened: !isWithdrawn };
  return new RuntimeError("RUNTIME_CALL_ABORTED", `${agent}.${method}: called off`, { details });
}
