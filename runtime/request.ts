/**
 * One call from its caller's side: the message is accepted, and the caller waits for the reply, its time, or its signal.
 * A caller that gives up leaves the message: if nobody else waits for it and it has not been started, it never happens.
 */
import type { Clock } from "../vault/index.ts";
import type { Agent } from "./agent.ts";
import { RuntimeError } from "./errors.ts";
import type { Caller, Message } from "./message.ts";
import { callOff } from "./message.ts";

/** How long a call waits where nothing else is said: OTP's default, in ms. */
export const CALL_TIMEOUT_MS = 5_000;

/** How long one caller waits. */
export interface RequestOptions {
  readonly clock: Clock;
  /** Milliseconds, or Infinity. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /** The message whose turn asks; when that turn is over, so is this call. */
  readonly asker?: Message | undefined;
  /** Called once, as soon as the caller has its answer or waits no more. */
  readonly onEnd?: (() => void) | undefined;
}

/**
 * Sends a call and resolves with the encoded reply. Rejects with what `AgentRef.call` documents. `message` is the message as
 * it would be sent; when the agent already works on a call with the same id, the caller joins that one.
 */
export async function request(agent: Agent, message: Message, options: RequestOptions): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const caller: Caller = { resolve, reject };
  if (options.onEnd !== undefined) caller.detach = options.onEnd;
  try {
    if (options.signal?.aborted === true) throw abortError(agent.id, message.method, { isWithdrawn: true });
    const joined = agent.accept(message, caller);
    if (joined.progress !== "settled") limit(agent, joined, { caller, options });
  } catch (error) {
    options.onEnd?.();
    throw error;
  }
  return promise;
}

/** Arms the ways in which a caller gives up: its time, its signal, the end of the turn that asks. */
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
    const isWithdrawn = agent.withdraw(message);
    if (message.callers.size === 0) callOff(message, `the call of ${agent.id}.${message.method} was given up`);
    caller.reject(error(isWithdrawn));
  };
  const { signal, asker, onEnd, timeoutMs } = options;
  if (timeoutMs !== Number.POSITIVE_INFINITY) {
    caller.timer = options.clock.after(timeoutMs, () =>
      giveUp((isWithdrawn) => timeoutError({ agent: agent.id, method: message.method, timeoutMs, isWithdrawn })),
    );
  }
  if (signal === undefined && asker === undefined) return;
  const abort = (why?: string): void =>
    giveUp((isWithdrawn) => abortError(agent.id, message.method, { isWithdrawn, why }));
  const onAbort = (): void => abort();
  signal?.addEventListener("abort", onAbort, { once: true });
  if (asker !== undefined) (asker.open ??= new Set()).add(abort);
  caller.detach = () => {
    signal?.removeEventListener("abort", onAbort);
    asker?.open?.delete(abort);
    onEnd?.();
  };
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

function abortError(
  agent: string,
  method: string,
  { isWithdrawn, why }: { readonly isWithdrawn: boolean; readonly why?: string | undefined },
): RuntimeError {
  const details = { agent, method, mayHaveHappened: !isWithdrawn };
  const text = `${agent}.${method}: called off${why === undefined ? "" : `, ${why}`}`;
  return new RuntimeError("RUNTIME_CALL_ABORTED", text, { details });
}
