/**
 * The states most parts measure: one of 1 KB and one of 100 MB in the same vault, each in pages, and nothing in tables.
 */
import type { Tools } from "../suite.ts";
import { objectOf, rowAt, rowCountOf, rowsUpTo, valueOf } from "./content.ts";
import { onlyWhenAsked, VaultLab, writeRows } from "./lab.ts";

/** Two states to compare. The vault may be closed and opened again; ask the lab for the branch each time. */
export interface States extends AsyncDisposable {
  readonly lab: VaultLab;
  /** Names of the branches. */
  readonly small: "small";
  readonly large: "large";
  /** Rows in the large one; `rowAt` gives each. */
  readonly rows: number;
  /** What to call the large one. */
  readonly size: string;
}

const BYTES_SMALL = 1_000;
const MEGABYTE = 1_000_000;

/** Builds both: 100 MB, or 10 MB for a glance. */
export async function buildStates(tools: Tools): Promise<States> {
  const megabytes = tools.isQuick ? 10 : 100;
  const rows = rowCountOf(megabytes * MEGABYTE);
  tools.progress(`writing a state of ${megabytes} MB`);
  const lab = await VaultLab.open(onlyWhenAsked);
  try {
    const { vault } = lab;
    const { branch } = vault.create({ name: "large" });
    await writeRows(vault, branch, rowsUpTo(rows));
    await createSmall(lab);
    await vault.checkpoint();
    await lab.reopen();
  } catch (error) {
    await lab[Symbol.asyncDispose]();
    throw error;
  }
  const size = `${megabytes} MB`;
  return { lab, small: "small", large: "large", rows, size, [Symbol.asyncDispose]: () => lab[Symbol.asyncDispose]() };
}

/** The large state as a JavaScript object. */
export function objectOfLarge({ rows }: States): Record<string, string> {
  return objectOf(rows);
}

const HUGE_VALUE_BYTES = 64_000;
const HUGE_VALUES = 16_000;
/** A machine that takes longer is spared. */
const BUILD_LIMIT_MS = 60_000;

/** A state of 1 GB in long values beside one of 1 KB, or undefined when that takes too long here. */
export async function buildHuge(tools: Tools): Promise<VaultLab | undefined> {
  tools.progress("writing a state of 1 GB");
  const lab = await VaultLab.open();
  const started = performance.now();
  try {
    const { branch } = lab.vault.create({ name: "huge" });
    for (let index = 0; index < HUGE_VALUES; index++) {
      const op = { put: rowAt(index).key, value: valueOf(HUGE_VALUE_BYTES, index) };
      const commit = lab.vault.commit([{ type: "write", branch: branch.id, ops: [op] }], { durability: "os" });
      if (index % 16 === 0) await commit.durable;
      if (performance.now() - started < BUILD_LIMIT_MS) continue;
      await lab[Symbol.asyncDispose]();
      return undefined;
    }
    await createSmall(lab);
    await lab.vault.checkpoint();
    return lab;
  } catch (error) {
    await lab[Symbol.asyncDispose]();
    throw error;
  }
}

async function createSmall({ vault }: VaultLab): Promise<void> {
  const ops = [{ put: "row", value: valueOf(BYTES_SMALL, 0) }];
  await vault.create({ name: "small", ops }).commit.durable;
}
