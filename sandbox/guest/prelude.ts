/**
 * What runs first in every isolate, before any agent code: takes the built-ins, removes and pins what gets round the caps,
 * puts up the guard rails, and leaves one function at `globalThis.__planaria` for the cell to take away.
 *
 * Order matters: primordials.ts is evaluated before everything else because everything else imports it.
 */

import { ENTER_GLOBAL } from "../protocol.ts";
import { installConsole } from "./console.ts";
import { Guest } from "./guest.ts";
import { lockDown } from "./lockdown.ts";
import { defineProperty } from "./primordials.ts";
import { installRails } from "./rails.ts";
import { installTimeAndChance, TimeAndChance } from "./time-and-chance.ts";
import { installWeb } from "./web/install.ts";
import { warmUp } from "./warm-up.ts";

assertStrict();
const time = new TimeAndChance();
const guest = new Guest(time);

lockDown();
installTimeAndChance(time);
installRails();
installConsole({ turn: () => guest.turn, nowMs: () => time.nowMs });
installWeb(time, () => guest.turn);
warmUp(time);

defineProperty(globalThis, ENTER_GLOBAL, {
  value: (text: unknown): string => guest.enter(text),
  configurable: true,
});

/** In sloppy code `this` arrives boxed, and a boxed string passes the rails. */
function assertStrict(): void {
  const isStrict = (function (this: unknown): boolean {
    return this === undefined;
  })();
  if (!isStrict) throw new TypeError("the prelude must be bundled as a strict script");
}
