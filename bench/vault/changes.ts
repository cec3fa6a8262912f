/**
 * What a changed fork costs: 1 % of its rows, at scattered places, change; a checkpoint writes them. How much that takes on
 * disk against the bytes that changed, and how long it takes to find the changes again, against looking at everything.
 */
import assert from "node:assert/strict";
import type { BranchId, View } from "../../vault/index.ts";
import type { Findings, Tools } from "../suite.ts";
import { barAtLeast, barWithin, duration, figure, joined, ratio } from "../suite.ts";
import { rowAt, rowBytes, scattered } from "./content.ts";
import { writeRows } from "./lab.ts";
import type { States } from "./states.ts";
import { ownDiskBytes } from "./stored-state.ts";

const DISK_LIMIT = { bar: 1.2, aim: 1.05 };
const DIFF_LIMIT = { bar: 20, aim: 50 };
/** One row of a hundred. */
const STEP = 100;

interface Changed {
  readonly id: BranchId;
  readonly name: string;
  readonly rows: number;
  readonly bytes: number;
}

/** Forks with changes, their disk and their differences. They are dropped at the end. */
export async function measureChanges(tools: Tools, states: States): Promise<Findings> {
  const { lab, size } = states;
  const count = tools.isQuick ? 4 : 8;
  tools.progress(`${count} forks of ${size} with 1 % changed`);
  const forks: Changed[] = [];
  for (let no = 0; no < count; no++) forks.push(await forkAndChange(states, no));
  const disk = await measureDisk(tools, states, forks);
  const diff = measureDiff(tools, states, forks);
  await lab.vault.commit(forks.map(({ id }) => ({ type: "drop", branch: id }))).durable;
  await lab.vault.checkpoint();
  return joined([disk, diff]);
}

async function forkAndChange({ lab, large, rows }: States, no: number): Promise<Changed> {
  const { vault } = lab;
  const name = `changed-${no}`;
  const { branch, commit } = vault.fork(lab.branch(large), { name });
  await commit.durable;
  const changes = scattered(rows, STEP, no).map((index) => rowAt(index, no + 1));
  await writeRows(vault, branch, changes);
  await vault.checkpoint();
  const bytes = changes.reduce((sum, row) => sum + rowBytes(row), 0);
  return { id: branch.id, name, rows: changes.length, bytes };
}

/** Looks at the pages each fork has written, with the vault closed. */
async function measureDisk(tools: Tools, { lab, size }: States, forks: readonly Changed[]): Promise<Findings> {
  tools.progress("disk per fork");
  await lab.close();
  const shares: number[] = [];
  {
    await using store = await lab.openPages();
    for (const { id, bytes } of forks) shares.push(ownDiskBytes(store, id) / bytes);
  }
  await lab.reopen();
  const perFork = figure(`disk per fork of ${size} / bytes changed in it (1 %, scattered)`, "×", shares);
  const share = { what: perFork.what, value: perFork.summary.median };
  return { figures: [perFork], ratios: [share], bars: [barWithin(share, DISK_LIMIT)], notes: [] };
}

function measureDiff(tools: Tools, { lab, large, size }: States, forks: readonly Changed[]): Findings {
  tools.progress("diff against a full scan, in turns");
  const { vault } = lab;
  const before = lab.branch(large);
  const diffsMs: number[] = [];
  const scansMs: number[] = [];
  for (const { name, rows } of [forks[0], ...forks].filter((fork) => fork !== undefined)) {
    const after = lab.branch(name);
    scansMs.push(timedCount(() => countByScan(before, after), rows));
    diffsMs.push(timedCount(() => [...vault.diff(before, after)].length, rows));
  }
  // The first of each has loaded the pages.
  const scans = scansMs.slice(1);
  const diffs = diffsMs.slice(1);
  const speed = ratio(`1 % of ${size} changed: full scan of both / diff`, scans, diffs);
  return {
    figures: [duration(`diff, 1 % of ${size} changed`, diffs), duration(`full scan of both, ${size}`, scans)],
    ratios: [speed],
    bars: [barAtLeast(speed, DIFF_LIMIT)],
    notes: [],
  };
}

function timedCount(count: () => number, expected: number): number {
  const started = performance.now();
  const found = count();
  const ms = performance.now() - started;
  assert.equal(found, expected, "every change is found, and nothing else");
  return ms;
}

/** How many values differ between two views with the same keys, by reading both from end to end. */
function countByScan(before: View, after: View): number {
  const others = after.range()[Symbol.iterator]();
  let changes = 0;
  for (const [key, value] of before.range()) {
    const other = others.next();
    assert.ok(other.done !== true && other.value[0] === key, "a change of values takes no key away");
    if (Buffer.compare(value, other.value[1]) !== 0) changes++;
  }
  return changes;
}
