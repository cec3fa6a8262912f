/**
 * The globals of the web that need no power. Each is made when it is first looked at, so an isolate whose agent does without
 * pays for its name only. (URL is not here: it is large, and comes with the code of those who use it; see compile.ts.)
 *
 * There are no timers, on purpose: `typeof setTimeout` is "undefined", so libraries do without, and whoever calls it gets an
 * error that names `ctx.after` (missing-globals.ts).
 */

import { inspect } from "../inspect.ts";
import { apply, freeze, NativeTypeError } from "../primordials.ts";
import { lazily } from "../lazily.ts";
import { nativeLike } from "../native-like.ts";
import type { TimeAndChance } from "../time-and-chance.ts";
import type { TurnRun } from "../turn.ts";
import { atob, btoa } from "./base64.ts";
import { structuredClone } from "./clone.ts";
import { cryptoObject } from "./crypto.ts";
import { domExceptionClass } from "./dom-exception.ts";
import { eventClasses, type EventClasses } from "./events.ts";
import { textDecoder, textEncoder } from "./text.ts";

/** Units of what nobody caught that are logged. */
const UNCAUGHT_UNITS_MAX = 4096;

/** Puts the globals up. `turn` says who is running. */
export function installWeb(time: TimeAndChance, turn: () => TurnRun | undefined): void {
  const report = (thrown: unknown): void =>
    turn()?.log("error", () => `Uncaught ${inspect(thrown, UNCAUGHT_UNITS_MAX)}`);
  /** A task that runs when its turn is over throws what nobody catches, and V8 tells of it. */
  const reportTask = (thrown: unknown): void => {
    if (turn() === undefined) throw thrown;
    report(thrown);
  };
  let events: EventClasses | undefined;
  const event = (name: keyof EventClasses) => (): unknown => (events ??= eventClasses(report, () => time.nowMs))[name];
  lazily({
    AbortController: event("AbortController"),
    AbortSignal: event("AbortSignal"),
    CustomEvent: event("CustomEvent"),
    DOMException: domExceptionClass,
    Event: event("Event"),
    EventTarget: event("EventTarget"),
    TextDecoder: textDecoder,
    TextEncoder: textEncoder,
    atob: () => nativeLike("atob", 1, (text: unknown) => atob(text)),
    btoa: () => nativeLike("btoa", 1, (text: unknown) => btoa(text)),
    crypto: () => cryptoObject(() => time.word()),
    // Time stands still in a turn, here as in `Date`: what is measured is 0, and repeats.
    performance: () => freeze({ timeOrigin: 0, now: nativeLike("now", 0, () => time.nowMs) }),
    queueMicrotask: () => nativeLike("queueMicrotask", 1, (task: unknown) => queueMicrotask(task, reportTask)),
    structuredClone: () => nativeLike("structuredClone", 1, structuredClone),
  });
}

function queueMicrotask(task: unknown, report: (thrown: unknown) => void): void {
  if (typeof task !== "function") throw new NativeTypeError("queueMicrotask takes a function");
  // Not awaited: a rejection of it is meant to be nobody's. Whatever it does, it does under the timer of the entry in progress.
  void soon(task as () => unknown, report); // a function, as just checked
}

async function soon(task: () => unknown, report: (thrown: unknown) => void): Promise<void> {
  // oxlint-disable-next-line typescript/await-thenable -- one microtask is what is waited for
  await undefined;
  try {
    apply(task, undefined, []);
  } catch (thrown) {
    report(thrown);
  }
}
