/**
 * Power loss: a vault works on a disk that remembers what was synced; the power is cut at any moment, also within a
 * transaction of LMDB and within a recovery, and every image that may be left is recovered by the real vault.
 *
 *     scenario --> moments (operation, step) --> images --> recover --> judge; the last image goes on as the next life
 *
 * Invariants: (1) no commit that was acknowledged in disk mode is lost; (2) what is found is a state the vault had;
 * (3) every image opens, and points of the past read as they were.
 */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Vault } from "../../vault/index.ts";
import { Chance } from "../support/chance.ts";
import { Ledger } from "../support/ledger.ts";
import type { Moment } from "../support/ledger.ts";
import { lyingFiles } from "../support/lying-files.ts";
import { cutPages, readPages, writePages } from "../support/page-image.ts";
import type { PageImage } from "../support/page-image.ts";
import { DiskState, SimDisk, cutStyle } from "../support/sim-disk.ts";
import type { DiskImage } from "../support/sim-disk.ts";
import type { VaultModel } from "../support/vault-model.ts";
import { Actor } from "./actor.ts";
import { faultVault, recover } from "./recover.ts";
import { runScenario } from "./scenario.ts";
import { inFolder, runRounds } from "./subject.ts";
import type { FaultOptions, Outcome, Subject } from "./subject.ts";

/** A vault lives so often in one round, each time on what the cut before has left. */
const LIVES = 3;
/** Pieces of work in one life. */
const WORK = 45;
/** Moments of one life at which the power is cut, ... */
const CUTS = 22;
/** ... and images of each. */
const IMAGES = 2;

/** What LMDB has on the disk, or is about to have. */
interface PageState {
  readonly before: PageImage | undefined;
  after?: PageImage | undefined;
  readonly durableBytes: number;
}

interface Instant {
  readonly operations: number;
  readonly pages: PageState;
  readonly moment: Moment;
  readonly step: string;
}

/** What the power cut has left of a vault. */
interface Left {
  readonly disk: DiskImage;
  readonly pages: PageImage | undefined;
  readonly identity: string | undefined;
  readonly model: VaultModel | undefined;
}

const NOTHING: Left = { disk: new Map(), pages: undefined, identity: undefined, model: undefined };

/** See the header. A fault is one recovered image. */
export const power: Subject = async (options) =>
  runRounds(options, async (round, outcome) =>
    inFolder(async (folder) => {
      let left = NOTHING;
      const violationsBefore = outcome.violations.length;
      for (let life = 0; life < LIVES && outcome.violations.length === violationsBefore; life++) {
        const path = join(folder, `life-${life}`);
        left = await liveAndDie({ path, left, chance: new Chance(options.seed, round, life) }, options, {
          outcome,
          round,
        });
      }
    }),
  );

interface Life {
  readonly path: string;
  readonly left: Left;
  readonly chance: Chance;
}

async function liveAndDie(
  { path, left, chance }: Life,
  options: FaultOptions,
  { outcome, round }: { readonly outcome: Outcome; readonly round: number },
): Promise<Left> {
  layOut(path, left);
  const disk = new SimDisk(path, left.disk);
  const instants = await live({ path, left, chance }, disk, options);
  const state = new DiskState(disk);
  const identity = readFileSync(join(path, "vault.json"), "utf8");
  let last = NOTHING;
  for (const instant of chance.some(instants, CUTS)) {
    state.advance(instant.operations);
    for (let image = 0; image < IMAGES; image++) {
      const remains: Left = {
        disk: state.cut(cutStyle(chance), chance),
        pages: cutOf(instant.pages, chance),
        identity,
        model: undefined,
      };
      const place = join(path, `cut-${outcome.faults}`);
      layOut(place, remains);
      const files = new SimDisk(place, remains.disk);
      const judgement = await recover({ path: place, files, moment: instant.moment, end: "power", chance });
      outcome.faults++;
      if ("wrong" in judgement) {
        const kept = options.lie === undefined ? ` (kept in ${keep(place, remains.disk)})` : "";
        outcome.violations.push({ round, what: `cut after ${instant.step}${kept}: ${judgement.wrong}` });
        return NOTHING;
      }
      rmSync(place, { recursive: true });
      last = { ...remains, model: judgement.model };
    }
  }
  return last;
}

/** Runs the scenario and notes every moment at which something about the disk changes. */
async function live({ path, left, chance }: Life, disk: SimDisk, options: FaultOptions): Promise<readonly Instant[]> {
  const ledger = new Ledger(left.model);
  const instants: Instant[] = [];
  const pagesPath = join(path, "pages.mdb");
  let pages: PageState = { before: left.pages, durableBytes: left.pages?.bytes ?? 0 };
  let step = "open";
  const note = () => void instants.push({ operations: disk.operations.length, pages, moment: ledger.moment(), step });
  disk.onOperation = note;
  const onStep = (name: string) => {
    step = name;
    const known = pages.after ?? pages.before;
    if (name === "store.commit") {
      pages = { before: readPages(pagesPath, known), durableBytes: known?.bytes ?? 0 };
      note();
    } else if (name === "store.commit.done") {
      pages.after = readPages(pagesPath, known);
      note();
      pages = { before: pages.after, durableBytes: pages.after?.bytes ?? 0 };
      note();
    }
  };
  const files = options.lie === undefined ? disk : lyingFiles(disk, options.lie);
  const vault = await Vault.open(faultVault(path, { files, onStep }));
  if (pages.after === undefined) {
    // Creating the file is a transaction of its own, over when the store is open.
    const before = readPages(pagesPath, pages.before);
    pages = { before, durableBytes: before?.bytes ?? 0 };
  }
  const error = await runScenario(new Actor({ vault, ledger, chance }), WORK);
  if (error !== undefined) throw error;
  await vault.close();
  note();
  disk.onOperation = () => undefined;
  return instants;
}

function cutOf({ before, after, durableBytes }: PageState, chance: Chance): PageImage | undefined {
  return before === undefined || after === undefined ? before : cutPages({ before, after, durableBytes }, chance);
}

/** A folder as it is after the cut, with the log left out: that is on the simulated disk. */
function layOut(path: string, { pages, identity }: Left): void {
  mkdirSync(path);
  if (identity !== undefined) writeFileSync(join(path, "vault.json"), identity);
  if (pages !== undefined) writePages(join(path, "pages.mdb"), pages);
}

/** Writes the log into the folder as well and puts it where it stays. */
function keep(path: string, disk: DiskImage): string {
  const kept = mkdtempSync(join(tmpdir(), "planaria-fault-kept-"));
  cpSync(path, kept, { recursive: true });
  mkdirSync(join(kept, "log"), { recursive: true });
  for (const [name, content] of disk) writeFileSync(join(kept, name), content);
  return kept;
}
