/** `console` inside an agent writes to the log of the turn in progress; the realm's own would say nothing to anybody. */

import type { GuestLog } from "../protocol.ts";
import { defineProperty } from "./primordials.ts";
import { nativeLike } from "./native-like.ts";
import { printed, type TurnRun } from "./turn.ts";

/** One argument of `console.log` at most, in bytes. */
const ARGUMENT_BYTES_MAX = 4096;

/** Replaces the global `console`. `turn` says who is logging; outside of turns nobody listens. */
export function installConsole(turn: () => TurnRun | undefined): void {
  const line = (name: string, level: GuestLog["level"]): unknown =>
    nativeLike(name, 0, (...args: unknown[]) => turn()?.log(level, lineOf(args), undefined));
  const own = {
    log: line("log", "info"),
    info: line("info", "info"),
    debug: line("debug", "debug"),
    trace: line("trace", "debug"),
    warn: line("warn", "warn"),
    error: line("error", "error"),
  };
  defineProperty(globalThis, "console", { value: own, writable: true, configurable: true });
}

function lineOf(args: readonly unknown[]): string {
  let line = "";
  for (let index = 0; index < args.length; index++) {
    const argument = args[index];
    line +=
      (index === 0 ? "" : " ") + (typeof argument === "string" ? argument : printed(argument, ARGUMENT_BYTES_MAX));
  }
  return line;
}
