/**
 * What a call costs, by durability: the round trip of a writing call made alone, and calls per second when many are on
 * their way. The durabilities take turns.
 */
import type { Lab, Probe } from "../probe.ts";
import { openLab } from "../probe.ts";
import type { Findings, Tools } from "../suite.ts";
import { duration, figure, ratio } from "../suite.ts";

const durabilities = ["memory", "os", "disk"] as const;
type Durability = (typeof durabilities)[number];

/** Agents that are called at once, and calls on their way to each. */
const AGENTS = 8;
const CALLS_EACH = 16;

/** Round trips and throughput. */
export async function measureCalls(tools: Tools): Promise<Findings> {
  await using lab = await openLab();
  tools.progress("call round trips");
  const trips = await roundTrips(lab, tools);
  tools.progress("calls per second");
  const rates = await throughput(lab, tools);
  return {
    figures: [
      ...durabilities.map((kind) => duration(`call round trip, one write, durability ${kind}`, trips[kind], "µs")),
      ...durabilities.map((kind) =>
        figure(`calls, ${AGENTS} agents × ${CALLS_EACH} on their way, durability ${kind}`, "calls/s", rates[kind]),
      ),
    ],
    ratios: [ratio("call round trip: disk / memory", trips.disk, trips.memory)],
    bars: [],
    notes: [],
  };
}

async function roundTrips(lab: Lab, tools: Tools): Promise<Record<Durability, number[]>> {
  const [memory, os, disk] = [
    await lab.spawn("trip-memory", { durability: "memory" }),
    await lab.spawn("trip-os", { durability: "os" }),
    await lab.spawn("trip-disk", { durability: "disk" }),
  ];
  const tasks = {
    memory: () => memory.call("add", 1),
    os: () => os.call("add", 1),
    disk: () => disk.call("add", 1),
  };
  return tools.micro(tasks, { rounds: tools.isQuick ? 2 : 6, sliceMs: tools.isQuick ? 100 : 250 });
}

async function throughput(lab: Lab, tools: Tools): Promise<Record<Durability, number[]>> {
  const rates: Record<Durability, number[]> = { memory: [], os: [], disk: [] };
  const crowds = { memory: await crowd(lab, "memory"), os: await crowd(lab, "os"), disk: await crowd(lab, "disk") };
  const rounds = tools.isQuick ? 3 : 8;
  const sliceMs = tools.isQuick ? 100 : 300;
  for (const kind of durabilities) await callsPerSecond(crowds[kind], sliceMs); // warm: not a sample
  for (let round = 0; round < rounds; round++) {
    for (const kind of durabilities) rates[kind].push(await callsPerSecond(crowds[kind], sliceMs));
  }
  return rates;
}

function crowd(lab: Lab, durability: Durability): Promise<readonly Probe[]> {
  const ids = Array.from({ length: AGENTS }, (_, index) => `crowd-${durability}-${index}`);
  return Promise.all(ids.map((id) => lab.spawn(id, { durability })));
}

/** Calls answered per second while each agent always has its calls on their way. */
async function callsPerSecond(probes: readonly Probe[], sliceMs: number): Promise<number> {
  const started = performance.now();
  const end = started + sliceMs;
  const lines = probes.flatMap((probe) => Array.from({ length: CALLS_EACH }, () => callUntil(probe, end)));
  const counts = await Promise.all(lines);
  const calls = counts.reduce((sum, count) => sum + count, 0);
  return (calls * 1_000) / (performance.now() - started);
}

async function callUntil(probe: Probe, end: number): Promise<number> {
  let count = 0;
  while (performance.now() < end) {
    await probe.call("add", 1);
    count += 1;
  }
  return count;
}
