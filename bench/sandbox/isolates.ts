/**
 * Isolates that come and go: 10,000 in one cell after the other leave its memory as it was, and 1,000 that are thrown away
 * while their code runs cost no cell.
 */
import { setTimeout as after } from "node:timers/promises";
import { Cell, compile, type CellOptions, type PlaceOptions, type Resident } from "../../sandbox/index.ts";
import { AGENT_LIMITS } from "../../runtime/limit-options.ts";
import { systemClock } from "../../runtime/clock.ts";
import { figure, type Bar, type Findings, type Tools } from "../suite.ts";
import { residentMb } from "./memory.ts";

const CELL: Omit<CellOptions, "lane" | "clock"> = {
  profile: "hardened",
  osSandbox: "auto",
  poolSize: 1,
  poolRefillSize: 0,
  poolHeapMb: AGENT_LIMITS.heapMb,
  limits: { memoryMb: 1_024, isolatesMax: 25, frameBytesMax: 1 << 20, heartbeatMs: 1_000 },
  onEvent: () => {},
};
const AT_ONCE = 10;
/** Isolates after which the cell has what it keeps for good. */
const WARM = 500;
/** What a cell may hold more after all of them than after the first ones, in MiB. */
const GROWTH_MB = 32;

const SOURCE = `export default {
  version: 1,
  state: () => ({ list: [1, 2, 3] }),
  on: { work: (ctx) => ctx.state.list.map((item) => item * 2), spin: () => { for (;;); } },
}`;

/** Both counts. */
export async function measureIsolates(tools: Tools): Promise<Findings> {
  const artifact = await compile({ source: SOURCE, name: "isolate.agent.ts" });
  const crowd = await comeAndGo(tools, artifact);
  const disposed = await disposeRunning(tools, artifact);
  return { figures: crowd.figures, ratios: [], bars: [crowd.bar, disposed], notes: [] };
}

type Artifact = PlaceOptions["artifact"];

async function comeAndGo(
  { isQuick, progress }: Tools,
  artifact: Artifact,
): Promise<{ readonly figures: Findings["figures"]; readonly bar: Bar }> {
  const count = isQuick ? 2_000 : 10_000;
  progress(`${count} isolates made, used and thrown away in one cell`);
  await using cell = await Cell.start({ ...CELL, lane: "sync", clock: systemClock });
  const residents: number[] = [];
  let warmMb = 0;
  for (let made = 0; made < count; made += AT_ONCE) {
    await Promise.all(Array.from({ length: AT_ONCE }, () => useOne(cell, artifact)));
    if (made === WARM) warmMb = residentMb(cell.pid);
    if (made >= WARM) residents.push(residentMb(cell.pid));
  }
  await settledDown(cell);
  const grownMb = residentMb(cell.pid) - warmMb;
  return {
    figures: [figure(`resident memory of a cell while ${count} isolates come and go`, "MiB", residents)],
    bar: {
      what: `a cell after ${count} isolates against after ${WARM}`,
      value: `${grownMb.toFixed(1)} MiB more`,
      limit: `${GROWTH_MB} MiB`,
      isMet: grownMb <= GROWTH_MB,
    },
  };
}

async function useOne(cell: Cell, artifact: Artifact): Promise<void> {
  const resident = place(cell, artifact);
  await resident.run({ id: 1, kind: "init", method: "", text: "", nowMs: 0, seed: 0 });
  await resident.run({ id: 2, kind: "call", method: "work", text: "1", nowMs: 0, seed: 0 });
  resident.dispose();
}

async function disposeRunning({ isQuick, progress }: Tools, artifact: Artifact): Promise<Bar> {
  const count = isQuick ? 200 : 1_000;
  progress(`${count} isolates thrown away while they run`);
  await using cell = await Cell.start({ ...CELL, lane: "async", clock: systemClock });
  let disposed = 0;
  for (; disposed < count && cell.isAlive; disposed++) {
    const resident = place(cell, artifact);
    await resident.loaded;
    const running = resident.run({ id: 1, kind: "call", method: "spin", text: "1", nowMs: 0, seed: 0 });
    await after(disposed % 4);
    resident.dispose();
    await running;
    await settledDown(cell);
  }
  return {
    what: `of ${count} isolates that were thrown away while they ran, cells lost`,
    value: cell.isAlive && disposed === count ? "0" : `1, after ${disposed}`,
    limit: "0",
    isMet: cell.isAlive && disposed === count,
  };
}

/** Waits until all isolates of the cell are gone. */
async function settledDown(cell: Cell): Promise<void> {
  while (cell.isAlive && cell.residents > 0) await after(1);
}

function place(cell: Cell, artifact: Artifact): Resident {
  return cell.place({
    agent: "isolate",
    artifact,
    limits: AGENT_LIMITS,
    text: "",
    life: "",
    host: "",
    state: [],
    onAsk: () => {},
    onRead: () => {},
    onTaken: () => {},
  });
}
