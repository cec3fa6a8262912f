/**
 * What a vault does in the background, each with something to do: checkpoints, a merge, a collection, a scrub.
 */
import assert from "node:assert/strict";
import type { Vault } from "../../vault/index.ts";
import { rowAt, rowsUpTo, scattered } from "./content.ts";
import { writeRows } from "./lab.ts";
import type { States } from "./states.ts";
import { treesOfBranch } from "./stored-state.ts";

/** A job that can be run again and again. */
export interface BackgroundJob {
  readonly what: string;
  /** Makes something to do. */
  prepare(round: number): Promise<void>;
  run(): Promise<unknown>;
}

/** Rows changed before a checkpoint: some 16 MB of log. */
const ROWS_PER_CHECKPOINT = 28_000;
const BRANCHES_PER_CHECKPOINT = 1_000;
/** Of three rows one: more than the quarter at which a delta is merged into its base. */
const MERGE_STEP = 3;
/** Forks that come and go before a collection, and of how many rows one changes in each. */
const FORKS_PER_COLLECTION = 10;
const FORK_STEP = 100;

/** All jobs, on the vault that is open now. They change the large state. */
export function backgroundJobs(states: States): readonly BackgroundJob[] {
  const { vault } = states.lab;
  return [oneBranch(vault), manyBranches(vault), merge(vault, states), collection(vault, states), scrub(vault)];
}

function oneBranch(vault: Vault): BackgroundJob {
  return {
    what: "checkpoint of 16 MB of log",
    async prepare(round) {
      const { branch } = vault.create({ name: `blocks-${round}` });
      await writeRows(vault, branch, rowsUpTo(ROWS_PER_CHECKPOINT));
    },
    run: () => vault.checkpoint(),
  };
}

function manyBranches(vault: Vault): BackgroundJob {
  const each = ROWS_PER_CHECKPOINT / BRANCHES_PER_CHECKPOINT;
  return {
    what: `checkpoint of 16 MB of log in ${BRANCHES_PER_CHECKPOINT.toLocaleString("en")} branches`,
    async prepare(round) {
      for (let no = 0; no < BRANCHES_PER_CHECKPOINT; no++) {
        const name = `crowded-${no}`;
        const branch = vault.head(name) ?? vault.create({ name }).branch;
        const rows = Array.from({ length: each }, (_, row) => rowAt(no * each + row, round));
        await writeRows(vault, branch, rows);
      }
    },
    run: () => vault.checkpoint(),
  };
}

function merge(vault: Vault, { lab, large, rows }: States): BackgroundJob {
  return {
    what: "merge of a third of the state into its base",
    async prepare(round) {
      const changed = scattered(rows, MERGE_STEP, round).map((index) => rowAt(index, 100 + round));
      await writeRows(vault, lab.branch(large), changed);
    },
    run: () => vault.checkpoint(),
  };
}

/** Without a limit to its rate: what it takes from the thread, not how long it lasts. */
function scrub(vault: Vault): BackgroundJob {
  return {
    what: "scrub of all pages",
    prepare: () => vault.checkpoint(),
    async run() {
      const { pages, damaged } = await vault.maintenance.scrub({ bytesPerSecond: Number.MAX_SAFE_INTEGER });
      assert.ok(pages > 0 && damaged.length === 0, "there were pages to read, and all are sound");
    },
  };
}

/** Throws when the last merge was none. Closes the vault to look, and leaves it open as it usually is. */
export async function requireMerged({ lab, large }: States): Promise<void> {
  const { uuid } = lab.vault;
  const { id } = lab.branch(large);
  await lab.close();
  {
    await using store = await lab.openPages();
    assert.equal(treesOfBranch(store, uuid, id).length, 1, "a state that was merged is one tree");
  }
  await lab.reopen();
}

function collection(vault: Vault, { lab, large, rows }: States): BackgroundJob {
  return {
    what: `collection of the pages of ${FORKS_PER_COLLECTION} dropped forks`,
    async prepare(round) {
      for (let no = 0; no < FORKS_PER_COLLECTION; no++) {
        const { branch } = vault.fork(lab.branch(large));
        const changed = scattered(rows, FORK_STEP, no).map((index) => rowAt(index, 200 + round));
        await writeRows(vault, branch, changed);
        await vault.checkpoint();
        await vault.commit([{ type: "drop", branch: branch.id }]).durable;
      }
      await vault.checkpoint();
    },
    async run() {
      const { pages } = await vault.maintenance.collect();
      assert.ok(pages > 0, "there was something to collect");
    },
  };
}
