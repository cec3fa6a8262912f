/**
 * How long until somebody answers again: after the crash of one isolate, and after kill -9 of a cell with 50 agents.
 *
 * What is a sample
 * 1. An answer counts only when it comes from a new isolate (its first turn); one that the dying isolate still gave does not.
 * 2. The answering turn writes, so its reply has passed the disk.
 * 3. Isolate: from the moment its caller learns of the crash to the next call answered. Cell: from SIGKILL on.
 * 4. At the end every acknowledged write must be there, or there are no figures.
 */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import type { Lab, Probe } from "../probe.ts";
import { openLab, refusalOf, spawnMany, timed } from "../probe.ts";
import type { Findings, Tools } from "../suite.ts";
import { barBelowMs, duration } from "../suite.ts";

/** Agents that share the cell that is killed. */
const NEIGHBOURS = 50;
/** What both recoveries must stay below, in ms. */
const RECOVERY_LIMIT_MS = 100;
/** A recovery that takes longer has failed, in ms: the run stops instead of waiting for ever. */
const PATIENCE_MS = 10_000;
/** Between two looks at whether the spare cell is ready, in ms. Not part of any figure. */
const GLANCE_MS = 20;

/** An agent and how many of its writes were acknowledged. */
interface Patient {
  readonly probe: Probe;
  acknowledged: number;
}

/** One isolate: 60 times over its heap, 60 times killed, in turns. */
export async function measureIsolateCrash(tools: Tools): Promise<Findings> {
  const crashes = tools.isQuick ? 12 : 60;
  tools.progress(`${crashes} heap bombs and ${crashes} killed isolates, in turns`);
  await using lab = await openLab();
  const patient: Patient = { probe: await lab.spawn("fragile", { limits: { heapMb: 16 } }), acknowledged: 0 };
  const bombsMs: number[] = [];
  const afterBombMs: number[] = [];
  const afterKillMs: number[] = [];
  const codes = new Map<string, number>();
  for (let crash = 0; crash < crashes; crash++) {
    const { ms, value: code } = await timed(() => refusalOf(patient.probe.call("exhaust")));
    bombsMs.push(ms);
    codes.set(code, (codes.get(code) ?? 0) + 1);
    afterBombMs.push((await timed(() => answerOfNew(patient))).ms);
    const { ms: killMs } = await timed(async () => {
      await patient.probe.kill();
      await answerOfNew(patient);
    });
    afterKillMs.push(killMs);
  }
  await requireNothingLost([patient]);
  const afterBomb = duration("isolate over its heap -> next call answered", afterBombMs);
  const afterKill = duration("isolate killed -> next call answered", afterKillMs);
  const ends = [...codes].map(([code, count]) => `${count} × ${code}`).join(", ");
  return {
    figures: [afterBomb, afterKill, duration("  (the bomb itself, 16 MiB heap: call -> refusal)", bombsMs)],
    ratios: [],
    bars: [afterBomb, afterKill].map((figure) => barBelowMs(figure, RECOVERY_LIMIT_MS)),
    notes: [`heap bombs ended with ${ends}; no acknowledged write was lost over ${2 * crashes} crashes`],
  };
}

/** One cell with 50 agents, killed again and again while a spare stands by, as it does in a runtime at rest. */
export async function measureCellKill(tools: Tools): Promise<Findings> {
  const kills = tools.isQuick ? 4 : 20;
  tools.progress(`${kills} × kill -9 of a cell with ${NEIGHBOURS} agents`);
  await using lab = await openLab({ cells: 1, agentsPerCell: NEIGHBOURS });
  const probes = await spawnMany(lab, "neighbour", NEIGHBOURS);
  const patients = probes.map((probe): Patient => ({ probe, acknowledged: 0 }));
  const firstMs: number[] = [];
  const allMs: number[] = [];
  for (let kill = 0; kill < kills; kill++) {
    const pid = await sharedCell(lab, probes);
    const started = performance.now();
    process.kill(pid, "SIGKILL");
    const answers = patients.map((patient) => answerOfNew(patient));
    await Promise.race(answers);
    firstMs.push(performance.now() - started);
    await Promise.all(answers);
    allMs.push(performance.now() - started);
  }
  await requireNothingLost(patients);
  const all = duration(`cell killed -> all ${NEIGHBOURS} agents answered`, allMs);
  return {
    figures: [duration(`cell killed -> first of ${NEIGHBOURS} agents answered`, firstMs), all],
    ratios: [],
    bars: [barBelowMs(all, RECOVERY_LIMIT_MS)],
    notes: [`cell kills: SIGKILL, the spare cell ready; no acknowledged write of ${kills * NEIGHBOURS} was lost`],
  };
}

/** Writes until a new isolate has answered. A refusal (the message was in work as the cell died) is tried again, at once. */
async function answerOfNew(patient: Patient): Promise<void> {
  const started = performance.now();
  while (performance.now() - started < PATIENCE_MS) {
    const reply = await patient.probe.call("add", 1).catch((error: unknown) => {
      if (codeOf(error) === "SANDBOX_CELL_LOST") return undefined;
      throw error;
    });
    if (reply !== undefined) patient.acknowledged += 1;
    if (reply?.turns === 1) return;
  }
  throw new Error(`${patient.probe.id} was not answered by a new isolate within ${PATIENCE_MS} ms`);
}

/** The one cell in which all of them live, once the spare stands ready. */
async function sharedCell(lab: Lab, probes: readonly Probe[]): Promise<number> {
  const started = performance.now();
  while (lab.runtime.cells().length < 2) {
    assert.ok(performance.now() - started < PATIENCE_MS, "no spare cell came up");
    await sleep(GLANCE_MS);
  }
  const infos = await Promise.all(probes.map((probe) => probe.info()));
  const pids = new Set(infos.map(({ cellPid }) => cellPid));
  const [pid] = pids;
  assert.ok(pids.size === 1 && pid !== undefined, `the agents are not up in one cell, but in ${[...pids].join(", ")}`);
  return pid;
}

/** More writes than were acknowledged are possible (one that was in work); fewer are a loss. */
async function requireNothingLost(patients: readonly Patient[]): Promise<void> {
  for (const { probe, acknowledged } of patients) {
    const { count } = await probe.call("add", 0);
    assert.ok(count >= acknowledged, `${probe.id} remembers ${count} of ${acknowledged} acknowledged writes`);
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}
