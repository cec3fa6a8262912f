/** Globals that cost an isolate their names only, until its agent looks at them. */

import { define, defineProperty } from "./primordials.ts";

/** Puts up globals that are made when they are first read; one that is written over before is never made. */
export function lazily(globals: Readonly<Record<string, () => unknown>>): void {
  for (const [name, make] of Object.entries(globals)) {
    const settle = (value: unknown): unknown => {
      define(globalThis, name, value);
      return value;
    };
    defineProperty(globalThis, name, {
      get: () => settle(make()),
      set: (value: unknown) => void settle(value),
      enumerable: false,
      configurable: true,
    });
  }
}
