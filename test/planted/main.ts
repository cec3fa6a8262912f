/**
 * Checks the checkers: plants known bugs, one at a time, in a copy of the sources, and tells which suite notices each, after
 * how long. A bug that nobody notices is a failure, and so is a suite that complains without one.
 *
 *     npm run test:planted                  all of them, a few minutes
 *     npm run test:planted -- --short       three of them
 *     npm run test:planted -- --only swap   those with this word in their title
 */
import { parseArgs } from "node:util";
import type { PlantedBug, Suite } from "./bugs.ts";
import { BUGS } from "./bugs.ts";
import { Garden, nameOf } from "./garden.ts";

const SHORT = 3;

const { values } = parseArgs({ options: { short: { type: "boolean", default: false }, only: { type: "string" } } });
const bugs = values.short ? BUGS.slice(0, SHORT) : BUGS.filter(({ title }) => title.includes(values.only ?? ""));
process.exitCode = (await plantAll(bugs)) ? 0 : 1;

async function plantAll(planted: readonly PlantedBug[]): Promise<boolean> {
  using garden = new Garden();
  const startMs = performance.now();
  let noticed = 0;
  const isSound = await areSuitesSound(garden, planted);
  for (const bug of planted) if (await isNoticed(garden, bug)) noticed += 1;
  const seconds = secondsText(performance.now() - startMs);
  process.stdout.write(`${noticed} of ${planted.length} planted bugs were noticed, ${seconds}\n`);
  return isSound && noticed === planted.length;
}

/** Each suite once without a bug. Of the worlds only those that stand for one bug: the random ones are tests of their own. */
async function areSuitesSound(garden: Garden, planted: readonly PlantedBug[]): Promise<boolean> {
  const suites = new Map(planted.flatMap((bug) => bug.suites).map((suite) => [JSON.stringify(suite), suite]));
  let isSound = true;
  for (const suite of suites.values()) {
    if (isRandom(suite)) continue;
    const { hasNoticed, why } = await garden.run(suite);
    if (!hasNoticed) continue;
    isSound = false;
    process.stdout.write(`${nameOf(suite)} complains without a bug: ${why}\n`);
  }
  return isSound;
}

function isRandom(suite: Suite): boolean {
  return suite.layer === "simulation" && suite.from === undefined;
}

async function isNoticed(garden: Garden, bug: PlantedBug): Promise<boolean> {
  return await garden.with(bug, async () => {
    for (const suite of bug.suites) {
      const { hasNoticed, ms, why } = await garden.run(suite);
      if (!hasNoticed) continue;
      process.stdout.write(`noticed  ${bug.title}\n         by ${nameOf(suite)} in ${secondsText(ms)}: ${why}\n`);
      return true;
    }
    process.stdout.write(`MISSED   ${bug.title} (${bug.file}): ${bug.suites.map(nameOf).join(", ")}\n`);
    return false;
  });
}

function secondsText(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
