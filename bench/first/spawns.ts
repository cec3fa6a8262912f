/**
 * What an agent costs to have: the time to spawn one, and the memory its isolate takes.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { openLab, spawnMany, timed } from "../probe.ts";
import type { Findings, Tools } from "../suite.ts";
import { duration, figure } from "../suite.ts";

/** Agents over which the memory is averaged. */
const AGENTS = 50;
/** A cell keeps a few isolates ready and makes them again when it is quiet: its memory counts when it stands still. */
const GLANCE_MS = 50;
const STILL_GLANCES = 4;
const STILL_KIB = 256;
/** A cell that does not come to rest cannot be measured, in ms. */
const PATIENCE_MS = 10_000;

/** Spawn, first answer, memory. */
export async function measureSpawns(tools: Tools): Promise<Findings> {
  const times = await measureTimes(tools);
  const memory = await measureMemory(tools);
  return { ...times, figures: [...times.figures, ...memory.figures], notes: [...times.notes, ...memory.notes] };
}

async function measureTimes(tools: Tools): Promise<Findings> {
  const spawns = tools.isQuick ? 15 : 60;
  tools.progress(`${spawns} spawns`);
  await using lab = await openLab();
  const spawnsMs: number[] = [];
  const answersMs: number[] = [];
  await lab.spawn("resident");
  for (let index = 0; index < spawns; index++) {
    const { ms, value: probe } = await timed(() => lab.spawn(`spawn-${index}`));
    spawnsMs.push(ms);
    answersMs.push(ms + (await timed(() => probe.call("add", 1))).ms);
    await lab.runtime.drop(probe.id);
  }
  return {
    figures: [
      duration("spawn of a module, compiled, durable", spawnsMs),
      duration("spawn -> first call answered, durable", answersMs),
    ],
    ratios: [],
    bars: [],
    notes: [],
  };
}

/** How much more the cell has in memory for each agent, several times over with new cells. */
async function measureMemory(tools: Tools): Promise<Findings> {
  if (process.platform !== "linux")
    return { figures: [], ratios: [], bars: [], notes: ["memory per agent needs Linux's /proc"] };
  const cells = tools.isQuick ? 1 : 4;
  tools.progress(`memory of ${AGENTS} agents, in ${cells} new cells`);
  const perAgentKib: number[] = [];
  for (let cell = 0; cell < cells; cell++) perAgentKib.push(await memoryPerAgentKib());
  return {
    figures: [figure(`resident memory per agent, over ${AGENTS} agents in a cell`, "KiB", perAgentKib)],
    ratios: [],
    bars: [],
    notes: [],
  };
}

async function memoryPerAgentKib(): Promise<number> {
  await using lab = await openLab({ cells: 1, agentsPerCell: AGENTS + 1 });
  const first = await lab.spawn("first");
  await first.call("add", 1);
  const { cellPid } = await first.info();
  assert.ok(cellPid !== undefined, "the first agent is not up");
  const before = await restingKib(cellPid);
  const probes = await spawnMany(lab, "more", AGENTS);
  await Promise.all(probes.map((probe) => probe.call("add", 1)));
  const infos = await Promise.all(probes.map((probe) => probe.info()));
  assert.ok(
    infos.every((info) => info.cellPid === cellPid),
    "the agents do not share a cell",
  );
  return ((await restingKib(cellPid)) - before) / AGENTS;
}

/** What the process has in memory once that has not changed for a few glances, in KiB. */
async function restingKib(pid: number): Promise<number> {
  const started = performance.now();
  let kib = residentKib(pid);
  for (let still = 0; still < STILL_GLANCES;) {
    assert.ok(performance.now() - started < PATIENCE_MS, `the memory of process ${pid} does not stand still`);
    await sleep(GLANCE_MS);
    const now = residentKib(pid);
    still = Math.abs(now - kib) < STILL_KIB ? still + 1 : 0;
    kib = now;
  }
  return kib;
}

/** What the process has in memory, in KiB: VmRSS of proc(5). */
function residentKib(pid: number): number {
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  assert.ok(kib !== undefined, `process ${pid} has no resident memory`);
  return Number(kib);
}
