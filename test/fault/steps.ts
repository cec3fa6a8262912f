/**
 * The end of the process at every numbered step: each write, sync and rename of the log, each transaction of the page
 * store, each step of a background job, just before it and just after it.
 *
 *     scenario --> image of the folder at every step --> recover --> judge
 *                          \--> recover, work on --> image at every step of the second run --> recover --> judge
 *                  and for a few steps a real process that ends itself there with SIGKILL
 *
 * Invariants: (1) no commit acknowledged in os or disk mode is lost; (2) what is found is a state the vault had;
 * (3) every image opens, and points of the past read as they were; (4) a backup that was done once can be restored.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Vault, systemFiles } from "../../vault/index.ts";
import { Chance } from "../support/chance.ts";
import { readFolder, writeFolder } from "../support/folder-image.ts";
import type { FolderImage } from "../support/folder-image.ts";
import { Ledger } from "../support/ledger.ts";
import type { Moment } from "../support/ledger.ts";
import { lyingFiles } from "../support/lying-files.ts";
import type { VaultModel } from "../support/vault-model.ts";
import { Actor } from "./actor.ts";
import { faultVault, recover, restored } from "./recover.ts";
import { runScenario } from "./scenario.ts";
import { inFolder, runRounds } from "./subject.ts";
import type { FaultOptions, Outcome, Subject } from "./subject.ts";

/** Pieces of work in one scenario. */
export const WORK = 40;
/** First steps from which a second run is made, ... */
const FIRST_STEPS = 5;
/** ... and steps of each second run at which the end comes again. */
const SECOND_STEPS = 12;
/** Steps at which a real process is killed. */
const REAL_KILLS = 3;

/** In the folder of a run: the vault, and what it writes beside itself. */
const VAULT = "vault";
const BESIDE = "beside";
/** A backup is restored at all of its own steps, and at some of the others. */
const RESTORED_ONE_IN = 8;

const GUARDIAN = join(import.meta.dirname, "../fixtures/step-guardian.ts");

/** The vault at one step. */
interface Instant {
  readonly step: string;
  readonly image: FolderImage;
  readonly moment: Moment;
}

/** A run, to find again what it does: the same numbers give the same scenario. */
export interface Run {
  readonly path: string;
  readonly chance: Chance;
  readonly model: VaultModel | undefined;
}

/** See the header. A fault is one step at which the process ends, once or for the second time. */
export const steps: Subject = async (options) =>
  runRounds(options, async (round, outcome) =>
    inFolder(async (folder) => {
      const chance = new Chance(options.seed, round, 1);
      const path = join(folder, "first");
      const run = { path, chance: new Chance(options.seed, round, 0), model: undefined };
      const { instants, end } = await runWithImages(run, options);
      const check = async (instant: Instant, what: string) =>
        recovered({ folder, instant, what, chance }, { outcome, round });
      const models = new Map<Instant, VaultModel>();
      for (const instant of instants) {
        const model = await check(instant, "");
        if (model === undefined) return;
        models.set(instant, model);
      }
      const kills = options.lie === undefined ? REAL_KILLS : 0;
      for (let no = 0; no < kills; no++) {
        const step = 1 + chance.below(instants.length - 1);
        const killed = killedAt({ path: join(folder, "killed"), seed: options.seed, round, step }, end);
        if ((await check(killed, "")) === undefined) return;
        outcome.note("processes killed");
      }
      for (const first of chance.some(instants, FIRST_STEPS)) {
        const again = {
          path: join(folder, "second"),
          chance: new Chance(options.seed, round, 2),
          model: models.get(first),
        };
        writeFolder(again.path, first.image);
        const second = await runWithImages(again, options);
        rmSync(again.path, { recursive: true });
        for (const instant of chance.some(second.instants, SECOND_STEPS)) {
          if ((await check(instant, `${first.step}, then `)) === undefined) return;
        }
      }
    }),
  );

/** Runs the scenario and keeps an image of every step; `end` is all that may be found after a kill at its very end. */
async function runWithImages(
  run: Run,
  { lie }: FaultOptions,
): Promise<{ readonly instants: readonly Instant[]; readonly end: Moment }> {
  const ledger = new Ledger(run.model);
  const instants: Instant[] = [];
  const onStep = (step: string) => {
    const image = readFolder(run.path, instants.at(-1)?.image);
    instants.push({ step: `${instants.length} ${step}`, image, moment: ledger.moment() });
  };
  await runAt(run, ledger, { onStep, ...(lie === undefined ? {} : { files: lyingFiles(systemFiles, lie) }) });
  return { instants, end: ledger.moment() };
}

/** The scenario itself, from opening to closing. */
export async function runAt(
  { path, chance }: Run,
  ledger: Ledger,
  overrides: Partial<Parameters<typeof Vault.open>[0]>,
): Promise<void> {
  const beside = join(path, BESIDE);
  mkdirSync(beside, { recursive: true });
  const vault = await Vault.open(faultVault(join(path, VAULT), overrides));
  const error = await runScenario(new Actor({ vault, ledger, chance, beside }), WORK);
  if (error !== undefined) throw error;
  await vault.close();
}

interface Check {
  readonly folder: string;
  readonly instant: Instant;
  readonly what: string;
  readonly chance: Chance;
}

/** Recovers one image. What it holds, or undefined after a violation. */
async function recovered(
  { folder, instant, what, chance }: Check,
  { outcome, round }: { readonly outcome: Outcome; readonly round: number },
): Promise<VaultModel | undefined> {
  const path = join(folder, `end-${outcome.faults}`);
  writeFolder(path, instant.image);
  const { moment, step } = instant;
  const judgement = await recover({ path: join(path, VAULT), moment, end: "kill", chance });
  const isRestored = moment.floor.backup > 0 && (step.includes("backup") || chance.oneIn(RESTORED_ONE_IN));
  const backup = isRestored
    ? await restored({ from: join(path, BESIDE, "backup"), to: join(path, "restored"), moment })
    : judgement;
  rmSync(path, { recursive: true });
  outcome.faults++;
  if (isRestored) outcome.note("backups restored");
  if (!("wrong" in judgement) && !("wrong" in backup)) return judgement.model;
  const wrong = "wrong" in judgement ? judgement.wrong : `its backup: ${"wrong" in backup ? backup.wrong : ""}`;
  outcome.violations.push({ round, what: `killed at ${what}${step}: ${wrong}` });
  return undefined;
}

interface Kill {
  readonly path: string;
  readonly seed: number;
  readonly round: number;
  readonly step: number;
}

/**
 * The same scenario in a process of its own, which ends itself at some step, having said what was acknowledged by then. How
 * commits fall into groups depends on the moment: a process that came to the end of the scenario in fewer steps is asked to
 * end earlier.
 */
function killedAt({ path, seed, round, step }: Kill, { states }: Pick<Moment, "states">): Instant {
  const child = spawnSync(process.execPath, [GUARDIAN, path, `${seed}`, `${round}`, `${step}`], { encoding: "utf8" });
  if (child.signal !== "SIGKILL") {
    if (child.status !== 0 || step === 1) throw new Error(`the process was to end at step ${step}: ${child.stderr}`);
    rmSync(path, { recursive: true });
    return killedAt({ path, seed, round, step: Math.floor(step / 2) }, { states });
  }
  const image = readFolder(path);
  rmSync(path, { recursive: true });
  return {
    image,
    step: `${step} of a real process`,
    moment: { states, floor: { kill: Number(child.stdout), power: 0, backup: 0 } },
  };
}
