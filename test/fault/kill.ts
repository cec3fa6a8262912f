/**
 * kill -9 of a Guardian that acknowledges commits over a pipe, again and again on the same folder.
 *
 *     life: open, commit with eight writers, print what is acknowledged --SIGKILL after some lines--> open, compare --> life
 *
 * Invariants: (1) no acknowledged commit is lost; (2) what is there is a prefix of what was written, at most the one commit
 * that each writer had in flight is more, and both keys of a commit are there; (3) the vault opens, whatever was going on
 * (checkpoint, rotation, fork) when the process ended.
 */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Vault } from "../../vault/index.ts";
import { bundled } from "../support/bundled.ts";
import { Chance } from "../support/chance.ts";
import { text, vaultOptions } from "../support/temp-vault.ts";
import { inFolder, runRounds } from "./subject.ts";
import type { FaultOptions, Outcome, Subject } from "./subject.ts";

const GUARDIAN = join(import.meta.dirname, "../fixtures/vault-guardian.ts");
/** Lives of one folder. */
const LIVES = 100;
/** Folders at the same time: as many as a small machine has cores. */
const FOLDERS = 2;
/** A life ends after one to so many acknowledgements; now and then after many more. */
const ACKS_MAX = 30;
const ACKS_MAX_OF_LONG = 1000;
const LONG_ONE_IN = 50;
/** Snapshots that are read after each life. */
const SNAPSHOTS = 3;

/** Last number of each writer, by writer. */
type Numbers = Map<number, number>;

/** See the header. A fault is one kill. */
export const kill: Subject = async (options) =>
  runRounds(options, async (round, outcome) =>
    inFolder(async (folder) => {
      // Compiled once: killed processes never get to keep what they compiled.
      const env = { ...process.env, NODE_COMPILE_CACHE: join(folder, "compiled") };
      const program = await bundled(GUARDIAN, join(folder, "guardian.mjs"));
      const warm = spawnSync(process.execPath, [program, join(folder, "warm"), "hold"], { env, encoding: "utf8" });
      if (warm.status !== 0) throw new Error(`the Guardian does not start: ${warm.stderr}`);
      const lines = Array.from({ length: FOLDERS }, (_, no) =>
        lives(
          { path: join(folder, String(no)), program, env, chance: new Chance(options.seed, round, no), round },
          options,
          outcome,
        ),
      );
      await Promise.all(lines);
    }),
  );

interface Line {
  readonly path: string;
  readonly program: string;
  readonly env: NodeJS.ProcessEnv;
  readonly chance: Chance;
  readonly round: number;
}

/** One folder's lives, until enough faults were tried or one is wrong. */
async function lives(line: Line, options: FaultOptions, outcome: Outcome): Promise<void> {
  const known: Numbers = new Map();
  for (let life = 0; life < LIVES && outcome.faults < options.faults && options.isOver?.() !== true; life++) {
    const count = 1 + line.chance.below(line.chance.oneIn(LONG_ONE_IN) ? ACKS_MAX_OF_LONG : ACKS_MAX);
    const acked = await killedAfter(count, line, options.lie === undefined ? "ack" : "lie");
    const wrong = await compare(line.path, { known, acked });
    outcome.faults++;
    options.onProgress?.(outcome);
    if (wrong === undefined) continue;
    outcome.violations.push({ round: line.round, what: `life ${life}, killed after ${count} lines: ${wrong}` });
    return;
  }
}

/** Runs a Guardian until it has printed `count` lines, kills it, and returns the last number of each writer. */
async function killedAfter(count: number, { path, program, env }: Line, mode: "ack" | "lie"): Promise<Numbers> {
  const child = spawn(process.execPath, [program, path, mode], { env, stdio: ["ignore", "pipe", "inherit"] });
  const closed = once(child, "close");
  const acked: Numbers = new Map();
  let lines = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    const [writer = NaN, no = NaN] = line.split(" ").map(Number);
    acked.set(writer, no);
    if (++lines === count) child.kill("SIGKILL");
  }
  await closed;
  if (child.signalCode !== "SIGKILL") throw new Error(`the Guardian ended by itself after ${lines} acknowledgements`);
  return acked;
}

/** Opens what is left. What is wrong with it, if anything; `known` goes on to what was found. */
async function compare(
  path: string,
  { known, acked }: { readonly known: Numbers; readonly acked: Numbers },
): Promise<string | undefined> {
  await using vault = await Vault.open(vaultOptions(path));
  for (const writer of new Set([...known.keys(), ...acked.keys()])) {
    const branch = vault.head(`writer-${writer}`);
    const [a, b] = [text(branch?.get("a")), text(branch?.get("b"))];
    const least = Math.max(known.get(writer) ?? 0, acked.get(writer) ?? 0);
    const found = Number(a ?? 0);
    if (found < least) return `writer ${writer} had ${least} acknowledged, ${found} is there`;
    if (found > least + 1) return `writer ${writer} had ${least} acknowledged and one in flight, ${found} is there`;
    if (a !== b) return `writer ${writer}: a commit is there in part, ${a} and ${b}`;
    known.set(writer, found);
    for (const { label } of branch?.snapshots().slice(-SNAPSHOTS) ?? []) {
      const view = await branch?.at({ label });
      const shown = `at-${text(view?.get("a"))}`;
      if (shown !== label) return `writer ${writer}: snapshot ${label} shows ${shown}`;
    }
  }
  return undefined;
}
