/**
 * Checking rows: each of them decodes, and there are as many as the global row says.
 */
import type { CheckProblem } from "./check-log.ts";
import { VaultError } from "./errors.ts";
import { ARENA_PREFIX, BRANCH_PREFIX, GLOBAL_KEY, LANDMARK_PREFIX, NAME_PREFIX } from "./rows.ts";
import { decodeArena, decodeBranch, decodeGlobal, decodeLandmark, decodeName } from "./rows.ts";
import type { GlobalRow, Row } from "./rows.ts";
import type { Roots } from "./roots.ts";
import type { Slices } from "./slices.ts";
import type { PageStore } from "./store.ts";

/** What the rows say. */
export interface RowCheck {
  readonly rows: number;
  readonly roots: readonly Roots[];
  readonly problems: readonly CheckProblem[];
}

const ROWS_PER_STEP = 100;

/** Reads all rows. No checkpoint may run meanwhile. */
export async function checkRows(store: PageStore, slices: Slices): Promise<RowCheck> {
  const roots: Roots[] = [];
  const problems: CheckProblem[] = [];
  const counts = new Map<string, number>();
  const readers: readonly (readonly [prefix: Buffer, read: (row: Row) => void])[] = [
    [BRANCH_PREFIX, (row) => void roots.push(decodeBranch(row).roots)],
    [LANDMARK_PREFIX, (row) => void roots.push(decodeLandmark(row).roots)],
    [NAME_PREFIX, (row) => void decodeName(row)],
    [ARENA_PREFIX, (row) => void decodeArena(row)],
  ];
  for (const [prefix, read] of readers) {
    let count = 0;
    for await (const row of rowsOf(store, prefix, slices)) {
      count++;
      unlessDamaged(problems, () => read(row));
    }
    counts.set(prefix.toString("latin1"), count);
  }
  const bytes = store.readMeta(GLOBAL_KEY);
  if (bytes !== undefined) {
    unlessDamaged(problems, () => problems.push(...miscounts(decodeGlobal([GLOBAL_KEY, bytes]), counts)));
  }
  const rows = [...counts.values()].reduce((sum, count) => sum + count, bytes === undefined ? 0 : 1);
  return { rows, roots, problems };
}

async function* rowsOf(store: PageStore, prefix: Buffer, slices: Slices): AsyncGenerator<Row, void> {
  for (let after: Uint8Array | undefined; ;) {
    const rows = store.rangeMeta(
      prefix,
      after === undefined ? { limit: ROWS_PER_STEP } : { after, limit: ROWS_PER_STEP },
    );
    for (const row of rows) yield row;
    after = rows.at(-1)?.[0];
    if (after === undefined) return;
    await slices.pause();
  }
}

function unlessDamaged(problems: CheckProblem[], read: () => void): void {
  try {
    read();
  } catch (error) {
    if (!(error instanceof VaultError)) throw error;
    problems.push({ where: "rows", message: error.message, details: error.details });
  }
}

function miscounts(global: GlobalRow, counts: ReadonlyMap<string, number>): readonly CheckProblem[] {
  const expected = { B: global.branches, N: global.names, S: global.landmarks };
  return Object.entries(expected).flatMap(([prefix, count]) => {
    const found = counts.get(prefix) ?? 0;
    if (found === count) return [];
    const message = `there are ${found} rows ${prefix} where there should be ${count}`;
    return [{ where: "rows" as const, message, details: { prefix, expected: count, found } }];
  });
}
