/**
 * Time and chance are handed in. Whoever reads a clock, arms a timer or rolls dice by itself cannot be tested under a
 * clock that the test moves, and cannot be repeated from a seed.
 */
import { dottedName, isOnFloor, place, walk, type Node, type Source } from "./house.ts";
import type { Rule } from "./rule.ts";

/** Floor files that may, each with its reason. */
const exempt: Readonly<Record<string, string>> = {
  "vault/system-clock.ts": "makes the Clock that everybody else is handed",
  "runtime/random.ts": "makes the seeded Random that everybody else is handed",
  "sandbox/cell-clock.ts": "makes the Clock of a cell, a process of its own that nobody can hand one to",
  "vault/slices.ts": "setImmediate gives the event loop one turn: no time is read, no instant is waited for",
};

const timers = new Set(["setTimeout", "setInterval", "setImmediate"]);
const calls = new Set(["Date", "Date.now", "Math.random", "AbortSignal.timeout"]);
const timerModules = new Set(["node:timers", "node:timers/promises"]);

/** What the node does with time or chance, otherwise undefined. */
function breach(node: Node): string | undefined {
  if (node.type === "CallExpression") {
    const name = dottedName(node.callee).replace(/^\.?globalThis\./, "");
    if (calls.has(name) || timers.has(name)) return `${name}()`;
  }
  if (node.type === "NewExpression" && dottedName(node.callee) === "Date") {
    return Array.isArray(node.arguments) && node.arguments.length === 0 ? "new Date()" : undefined;
  }
  return undefined;
}

function findingsIn(source: Source): readonly string[] {
  if (!isOnFloor(source.path) || source.path in exempt) return [];
  const modules = source.imports.filter(({ specifier }) => timerModules.has(specifier));
  const found = modules.map(({ specifier, start }) => ({ what: specifier, start }));
  for (const node of walk(source.program)) {
    const what = breach(node);
    if (what !== undefined) found.push({ what, start: node.start });
  }
  return found.map(
    ({ what, start }) => `${place(source, start)} uses ${what}: take a Clock or a Random from the caller`,
  );
}

const handedIn: Rule = {
  title: "no floor reads a clock, arms a timer or draws a random number by itself",
  findings: (house) => house.sources.flatMap(findingsIn),
  refuses: [
    "Date.now();",
    "new Date();",
    "Date();",
    "Math.random();",
    "setTimeout(() => {}, 5);",
    "globalThis.setInterval(() => {}, 5);",
    "setImmediate(() => {});",
    "AbortSignal.timeout(5);",
    'import { setTimeout as sleep } from "node:timers/promises";',
  ].map((text) => ({ shows: text, files: { "vault/wal.ts": text } })),
  accepts: [
    { shows: "a given instant", files: { "vault/wal.ts": "new Date(5);" } },
    { shows: "measuring one's own duration", files: { "vault/wal.ts": "performance.now();" } },
    { shows: "the clock's own file", files: { "vault/system-clock.ts": "Date.now();" } },
    { shows: "the garden", files: { "bench/harness.ts": "Date.now();" } },
    { shows: "a method of the same name", files: { "vault/wal.ts": "clock.setTimeout(5);" } },
  ],
};

/** All rules about time and chance. */
export const clockRules: readonly Rule[] = [handedIn];
