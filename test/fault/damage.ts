/**
 * Damage: bits that flip, files that are cut and sectors of rubbish, at random places in the log, the pages, LMDB's own meta
 * pages, the vault's identity and its backup. A child opens what is left and reads everything; LMDB may take the child with it.
 *
 *     scenario --> image --damage--> child: open, read all --> right | refused with a code | wrong without a word
 *
 * Invariants: (1) no wrong answer: what can be read is what was written; (2) what cannot be read is refused with a code;
 * (3) a log that ends earlier says so (`tornTail`), unless it is only the very last frame whose head is rubbish.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Vault } from "../../vault/index.ts";
import { Chance } from "../support/chance.ts";
import { readFolder, writeFolder } from "../support/folder-image.ts";
import type { FolderImage } from "../support/folder-image.ts";
import { Ledger } from "../support/ledger.ts";
import { textOf } from "../support/vault-model.ts";
import { Actor } from "./actor.ts";
import { faultVault } from "./recover.ts";
import { runScenario } from "./scenario.ts";
import { inFolder, runRounds } from "./subject.ts";
import type { FaultOptions, Outcome, Subject } from "./subject.ts";

const READER = join(import.meta.dirname, "../fixtures/damage-reader.ts");
/** Damages to one vault. */
const DAMAGES = 250;
const WORK = 50;
/** Commits after the backup. */
const TAIL = 12;
/** A child that is silent for so long hangs in LMDB. */
const SILENCE_MS = 10_000;

/** What the reader has to know. */
export interface DamageTask {
  readonly seed: number;
  readonly round: number;
  /** Texts of all states that the vault had, the last one is there. */
  readonly states: readonly string[];
  /** Text of the state that was backed up. */
  readonly backup: string;
  /** Plant a forgery: a changed value whose checksums are right. */
  readonly forged: boolean;
}

/** One line of the reader: what it is about to do, or how it went. */
export type ReaderLine =
  | { readonly no: number; readonly damage: string }
  | { readonly no: number; readonly verdict: Verdict; readonly what: string };

/** How a damaged vault answered. `unnamed`: an error that is no VaultError. */
export type Verdict = "right" | "refused" | "torn tail" | "last frame gone" | "silent" | "unnamed";

/** See the header. A fault is one damage. A planted bug, whichever, is a forgery. */
export const damage: Subject = async (options) =>
  runRounds(options, async (round, outcome) =>
    inFolder(async (folder) => {
      // Closed every other time: then all is in pages, and the log is not looked at for a forgery either.
      const isClosed = round % 2 === 0 && options.lie === undefined;
      const { image, states, backup } = await vaultToDamage(
        join(folder, "made"),
        new Chance(options.seed, round),
        isClosed,
      );
      writeFolder(join(folder, "base"), image);
      renameSync(join(folder, "made-backup"), join(folder, "backup"));
      const task: DamageTask = { seed: options.seed, round, states, backup, forged: options.lie !== undefined };
      writeFileSync(join(folder, "task.json"), JSON.stringify(task));
      const until = Math.min(options.lie === undefined ? DAMAGES : 1, Math.max(1, options.faults - outcome.faults));
      for (let no = 0; no < until;) no = await readSome(folder, { from: no, until, round }, options, outcome);
    }),
  );

/** A vault after a scenario: closed, or as a kill leaves it. */
async function vaultToDamage(
  path: string,
  chance: Chance,
  isClosed: boolean,
): Promise<{ readonly image: FolderImage; readonly states: readonly string[]; readonly backup: string }> {
  const ledger = new Ledger();
  const vault = await Vault.open(faultVault(path));
  const actor = new Actor({ vault, ledger, chance });
  const error = (await runScenario(actor, WORK)) ?? undefined;
  if (error !== undefined) throw error;
  await vault.barrier();
  await vault.maintenance.backup(`${path}-backup`);
  const backup = textOf(ledger.model);
  // Behind the backup's checkpoint, so that the log has something that the pages do not have.
  for (let no = 0; no < TAIL; no++) actor.write();
  await ledger.settled();
  await vault.barrier();
  const open = readFolder(path);
  await vault.close();
  const states = ledger.moment().states.map(({ model }) => textOf(model));
  return { image: isClosed ? readFolder(path) : open, states, backup };
}

interface Part {
  readonly from: number;
  readonly until: number;
  readonly round: number;
}

/** Lets one child read until it is done or dies. Returns where the next one goes on. */
async function readSome(
  folder: string,
  { from, until, round }: Part,
  options: FaultOptions,
  outcome: Outcome,
): Promise<number> {
  const child = spawn(process.execPath, [READER, folder, `${from}`, `${until}`], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const closed = once(child, "close");
  const silence = setTimeout(() => child.kill("SIGKILL"), SILENCE_MS);
  let started = { no: from, damage: "none yet" };
  let next = from;
  for await (const text of createInterface({ input: child.stdout })) {
    silence.refresh();
    // The reader is ours and writes nothing else.
    const line = JSON.parse(text) as ReaderLine;
    if ("damage" in line) started = line;
    else {
      next = line.no + 1;
      outcome.faults++;
      outcome.note(line.verdict);
      if (line.verdict !== "silent" && line.verdict !== "unnamed") continue;
      outcome.violations.push({ round, what: `${line.verdict} answer after ${started.damage}: ${line.what}` });
    }
  }
  clearTimeout(silence);
  await closed;
  options.onProgress?.(outcome);
  if (next >= until) return until;
  if (child.signalCode === null) throw new Error(`the reader ended by itself before damage ${next}: ${started.damage}`);
  outcome.faults++;
  outcome.note(`child ended by ${child.signalCode}`);
  return next + 1;
}
