/**
 * How long until a state is there again: all of its pages, verified, against copying as many bytes in memory; and the
 * first key of a fork that is made right after the vault was opened.
 *
 * What is a sample
 * 1. Pages are read by a page store that was just opened, so nothing is cached but by the operating system.
 * 2. Both copies go into memory that was written before: the kernel's zeroing of new pages is not part of it.
 * 3. First key: from the call of `fork` to the value, in a vault that was just opened. Nothing is read before.
 */
import assert from "node:assert/strict";
import type { BranchId } from "../../vault/index.ts";
import type { Findings, Tools } from "../suite.ts";
import { barMedianMs, barWithin, duration, joined, ratio } from "../suite.ts";
import { rowAt } from "./content.ts";
import type { States } from "./states.ts";
import { copyPages, treesOfBranch } from "./stored-state.ts";

const RESTORE_LIMIT = { bar: 4, aim: 1.5 };
const FIRST_KEY_LIMIT = { bar: 0.5, aim: 0.1 };
/** A row takes about 560 bytes; pages add a little. */
const ROW_BYTES_ROOM = 600;

/** Restore and first keys. */
export async function measureRestore(tools: Tools, states: States): Promise<Findings> {
  return joined([await measurePages(tools, states), await measureFirstKeys(tools, states)]);
}

async function measurePages(tools: Tools, { lab, large, rows, size }: States): Promise<Findings> {
  const rounds = tools.isQuick ? 6 : 12;
  tools.progress(`restore of ${size}, verified, and memcpy, in turns`);
  const { uuid } = lab.vault;
  const branch = lab.branch(large).id;
  await lab.close();
  const target = Buffer.alloc(2 * rows * ROW_BYTES_ROOM, 2);
  const { bytes } = await walk(lab, { uuid, branch }, target);
  const source = Buffer.alloc(bytes, 1);
  const restoresMs: number[] = [];
  const copiesMs: number[] = [];
  for (let round = 0; round < rounds; round++) {
    restoresMs.push((await walk(lab, { uuid, branch }, target)).ms);
    const started = performance.now();
    source.copy(target);
    copiesMs.push(performance.now() - started);
  }
  await lab.reopen();
  const share = ratio(`restore of ${size}, every page verified / memcpy of its pages`, restoresMs, copiesMs);
  return {
    figures: [duration(`restore of ${size}: every page read and verified`, restoresMs), duration("memcpy", copiesMs)],
    ratios: [share],
    bars: [barWithin(share, RESTORE_LIMIT)],
    notes: [],
  };
}

interface Place {
  readonly uuid: string;
  readonly branch: BranchId;
}

async function walk(
  lab: States["lab"],
  { uuid, branch }: Place,
  target: Buffer,
): Promise<{ readonly ms: number; readonly bytes: number }> {
  await using store = await lab.openPages();
  const trees = treesOfBranch(store, uuid, branch);
  const started = performance.now();
  const bytes = copyPages(store, trees, target);
  return { ms: performance.now() - started, bytes };
}

async function measureFirstKeys(tools: Tools, { lab, small, large, rows, size }: States): Promise<Findings> {
  const rounds = tools.isQuick ? 6 : 16;
  tools.progress("first key of a fork after opening");
  const sides = [
    { name: small, key: "row", ms: [] as number[] },
    { name: large, key: rowAt(rows >> 1).key, ms: [] as number[] },
  ];
  for (let round = 0; round < 2 * rounds; round++) {
    // One each time: the first to be read would pay for what both need.
    const side = sides[round % 2];
    assert.ok(side !== undefined, "there are two sides");
    await lab.reopen();
    const source = lab.branch(side.name);
    const started = performance.now();
    const { branch } = lab.vault.fork(source);
    const value = branch.get(side.key);
    side.ms.push(performance.now() - started);
    assert.ok(value !== undefined, `${side.name} holds ${side.key}`);
    await lab.vault.commit([{ type: "drop", branch: branch.id }]).durable;
  }
  const [ofSmall, ofLarge] = sides.map(({ name, ms }) =>
    duration(`vault just opened: fork of ${name === small ? "1 KB" : size} -> its first key`, ms, "µs"),
  );
  assert.ok(ofSmall !== undefined && ofLarge !== undefined, "there are two sides");
  return {
    figures: [ofSmall, ofLarge],
    ratios: [],
    bars: [ofSmall, ofLarge].map((each) => barMedianMs(each, FIRST_KEY_LIMIT)),
    notes: [],
  };
}
