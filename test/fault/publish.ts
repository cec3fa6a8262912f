/**
 * kill -9 of a Guardian whose agents publish, subscribe and set timers, again and again on the same vault.
 *
 *     life: open, timers and publications wake the agents --SIGKILL after some lines--> life ... --> come to rest, compare
 *
 * Invariants: (1) each subscriber handled each publication once, in order; (2) each due time fired once: a chain of timers, each
 * set by the one before, neither ended nor forked; (3) nothing that a reader was shown is gone.
 */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Chance } from "../support/chance.ts";
import { inFolder, runRounds } from "./subject.ts";
import type { Subject } from "./subject.ts";

const GUARDIAN = join(import.meta.dirname, "../fixtures/publishing-guardian.ts");
/** Lives of one folder, before it is looked at. */
const LIVES = 5;
/** A life ends after one to so many publications were shown. */
const LINES_MAX = 25;

interface Counted {
  readonly last: number;
  readonly ticker?: { readonly ticks: number };
  readonly one?: Subscriber;
  readonly two?: Subscriber;
}

interface Subscriber {
  readonly count: number;
  readonly wrong: number;
  readonly set: number;
  readonly rang: number;
}

/** See the header. A fault is one kill. */
export const publish: Subject = async (options) =>
  runRounds(options, async (round, outcome) =>
    inFolder(async (folder) => {
      const chance = new Chance(options.seed, round, 0);
      const env = { ...process.env, NODE_COMPILE_CACHE: join(folder, "compiled") };
      let shown = 0;
      for (let life = 0; life < LIVES && outcome.faults < options.faults; life++) {
        shown = Math.max(shown, await killedAfter(1 + chance.below(LINES_MAX), join(folder, "vault"), env));
        outcome.faults++;
      }
      for (const what of wrongIn(atRest(join(folder, "vault"), env), shown)) outcome.violations.push({ round, what });
      outcome.note("folders looked at");
    }),
  );

/** Runs a Guardian until it has said so many lines, kills it, and returns the last number that it showed. */
async function killedAfter(count: number, vault: string, env: NodeJS.ProcessEnv): Promise<number> {
  const child = spawn(process.execPath, [GUARDIAN, vault, "run"], { env, stdio: ["ignore", "pipe", "inherit"] });
  const closed = once(child, "close");
  let [lines, shown] = [0, 0];
  for await (const line of createInterface({ input: child.stdout })) {
    shown = Number(line.split(" ")[1]);
    if (++lines === count) child.kill("SIGKILL");
  }
  await closed;
  if (child.signalCode !== "SIGKILL") throw new Error(`the Guardian ended by itself after ${lines} lines`);
  return shown;
}

function atRest(vault: string, env: NodeJS.ProcessEnv): Counted {
  const { status, stdout, stderr } = spawnSync(process.execPath, [GUARDIAN, vault, "check"], { env, encoding: "utf8" });
  if (status !== 0) throw new Error(`the Guardian does not come to rest: ${stderr}`);
  return JSON.parse(stdout) as Counted; // written by the fixture
}

function wrongIn({ last, ticker, one, two }: Counted, shown: number): readonly string[] {
  const wrong: string[] = [];
  if (last < shown) wrong.push(`${shown} was shown, and the last one is ${last}`);
  if (ticker?.ticks !== last) wrong.push(`${ticker?.ticks} ticks were counted, and ${last} published`);
  for (const [name, subscriber] of Object.entries({ one, two })) {
    if (subscriber?.count !== last || subscriber.wrong > 0)
      wrong.push(`${name} of ${last}: ${JSON.stringify(subscriber)}`);
    if (subscriber?.set !== subscriber?.rang)
      wrong.push(`${name} set ${subscriber?.set} timers, ${subscriber?.rang} rang`);
  }
  return wrong;
}
