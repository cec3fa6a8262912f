/**
 * What the fault suites have in common: a subject is asked for a number of faults and says what went wrong. Who asks is a
 * test (few faults) or `npm run test:fault` (many).
 */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { VaultError } from "../../vault/index.ts";
import type { Lie } from "../support/lying-files.ts";

/** What a subject is asked for. */
export interface FaultOptions {
  readonly seed: number;
  /** It ends after this many faults, ... */
  readonly faults: number;
  /** ... or when this says so. */
  readonly isOver?: () => boolean;
  /** Called now and then. */
  readonly onProgress?: (outcome: Outcome) => void;
  /** A bug to be planted, where the subject can: it must then be noticed. */
  readonly lie?: Lie;
  /** Only this round, to repeat what failed. */
  readonly round?: number;
}

/** Something that must not be. */
export interface Violation {
  readonly what: string;
  /** Repeats it, given the seed of the run. */
  readonly round: number;
}

/** How it went. `notes` counts what is worth knowing but no violation. */
export class Outcome {
  faults = 0;
  readonly violations: Violation[] = [];
  readonly notes = new Map<string, number>();

  note(what: string): void {
    this.notes.set(what, (this.notes.get(what) ?? 0) + 1);
  }

  /** For people: the figures in one line. */
  toString(): string {
    const notes = [...this.notes].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([what, count]) => `${count} ${what}`);
    const tail = notes.length === 0 ? "" : ` (${notes.join(", ")})`;
    return `${this.faults} faults, ${this.violations.length} violations${tail}`;
  }
}

/** Runs faults and reports. */
export type Subject = (options: FaultOptions) => Promise<Outcome>;

/** A run stops at this many violations: they have one cause mostly. */
const VIOLATIONS_MAX = 5;

/** Runs rounds until enough faults were tried: `round` adds its faults and violations to the outcome. */
export async function runRounds(
  options: FaultOptions,
  round: (no: number, outcome: Outcome) => Promise<void>,
): Promise<Outcome> {
  const outcome = new Outcome();
  const isEnough = () =>
    outcome.faults >= options.faults || outcome.violations.length >= VIOLATIONS_MAX || options.isOver?.() === true;
  for (let no = options.round ?? 0; !isEnough(); no++) {
    const before = outcome.faults + outcome.violations.length;
    try {
      await round(no, outcome);
    } catch (error) {
      if (!(error instanceof VaultError)) throw error;
      outcome.violations.push({ round: no, what: `the vault fails while it works: ${error.code}: ${error.message}` });
    }
    if (outcome.faults + outcome.violations.length === before) throw new Error(`round ${no} tried nothing`);
    options.onProgress?.(outcome);
    if (options.round !== undefined) break;
  }
  return outcome;
}

/** In memory where the system has such a place: nothing here depends on the disk under it, and syncs take time. */
const PLACE = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();

/** Runs `body` in a folder of its own, which is removed afterwards. */
export async function inFolder<T>(body: (path: string) => Promise<T>): Promise<T> {
  const path = mkdtempSync(join(PLACE, "planaria-fault-"));
  try {
    return await body(path);
  } finally {
    rmSync(path, { recursive: true, force: true });
  }
}
