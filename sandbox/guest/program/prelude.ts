/**
 * What runs first in an isolate for a program on trial, in the place of the agents' prelude: the same lockdown, rails, time and
 * chance, but nothing that only agents need. An isolate lives for one program, so what is not here is not paid for a thousand
 * times a second.
 */
import { ENTER_GLOBAL } from "../../protocol.ts";
import { lockDown } from "../lockdown.ts";
import { nativeLike } from "../native-like.ts";
import { defineProperty } from "../primordials.ts";
import { installRails } from "../rails.ts";
import { installTimeAndChance, TimeAndChance } from "../time-and-chance.ts";
import { forbidCodeFromText } from "./no-code-from-text.ts";
import { ProgramGuest } from "./program-guest.ts";

// Rails rely on strictness: in sloppy code `this` would arrive boxed. The bundler puts the directive in front.
const time = new TimeAndChance();
const guest = new ProgramGuest(time);

lockDown();
installTimeAndChance(time);
installRails();
installQuietGlobals();
forbidCodeFromText();

defineProperty(globalThis, ENTER_GLOBAL, {
  value: (text: unknown): string => guest.enter(text),
  configurable: true,
});

/** What programs print goes nowhere, and time stands still, here as in `Date`. */
function installQuietGlobals(): void {
  const quiet: Record<string, unknown> = {};
  for (const name of ["assert", "debug", "dir", "error", "group", "groupEnd", "info", "log", "table", "trace", "warn"])
    quiet[name] = nativeLike(name, 0, () => undefined);
  const performance = { timeOrigin: 0, now: nativeLike("now", 0, () => time.nowMs) };
  defineProperty(globalThis, "performance", { value: performance, writable: true, configurable: true });
  defineProperty(globalThis, "console", { value: quiet, writable: true, configurable: true });
}
