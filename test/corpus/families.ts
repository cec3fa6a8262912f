/** The whole corpus, family by family. Every snippet was written for it. */
import { cpu } from "./cpu.ts";
import { engine } from "./engine.ts";
import { escape } from "./escape.ts";
import { flood } from "./flood.ts";
import { load } from "./load.ts";
import { memory } from "./memory.ts";
import { promise } from "./promise.ts";
import { prototype } from "./prototype.ts";
import { proxy } from "./proxy.ts";
import { regex } from "./regex.ts";
import type { Family } from "./snippet.ts";
import { stack } from "./stack.ts";
import { transfer } from "./transfer.ts";

/** All families. */
export const families: readonly Family[] = [
  memory,
  cpu,
  stack,
  regex,
  promise,
  proxy,
  prototype,
  transfer,
  engine,
  flood,
  escape,
  load,
];
