/**
 * Streaming sessions under a storm of crashes, at length; see sessions.ts.
 *
 *     npm run test:sessions                       500 sessions, 2 events/s each, a crash every 10 ms for 60 s
 *       --sessions 200 --rate 10 --every 20       others
 *       --seconds 300                             of storm; a quarter of it is quiet before
 *       --seed 7                                  the crashes of that seed
 *
 * Prints the figures and exits with 1 when an event was lost or came twice.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { percentile } from "../../bench/statistics.ts";
import { runSessions } from "./sessions.ts";
import type { SessionsReport } from "./sessions.ts";

const { values } = parseArgs({
  options: {
    sessions: { type: "string", default: "500" },
    rate: { type: "string", default: "2" },
    every: { type: "string", default: "10" },
    seconds: { type: "string", default: "60" },
    seed: { type: "string", default: `${Date.now() % 0x7fff_ffff}` },
  },
});
const { sessions, rate, every, seconds, seed } = values;
const folder = await mkdtemp(join(tmpdir(), "planaria-sessions-"));
try {
  const stormMs = Number(seconds) * 1000;
  const report = await runSessions({
    seed: Number(seed),
    vault: join(folder, "vault"),
    sessions: Number(sessions),
    rate: Number(rate),
    quietMs: stormMs / 4,
    stormMs,
    everyMs: Number(every),
  });
  process.stdout.write(`${told(report, stormMs)}\nseed ${seed}\n`);
  process.exitCode = report.wrong.length === 0 ? 0 : 1;
} finally {
  await rm(folder, { recursive: true, force: true });
}

function told(report: SessionsReport, stormMs: number): string {
  const { wrong, acknowledged, heard, crashes, ends, repeated, quiet, others, struck } = report;
  const perSecond = Math.round((others.length + struck.length) / (stormMs / 1000));
  const lines = [
    `${sessions} sessions: ${acknowledged} events acknowledged, ${heard} read; ${perSecond} a second in the storm`,
    `crashes:   ${counted(crashes)}`,
    `ends:      ${counted(ends)}`,
    `repeated:  ${counted(repeated)}`,
    `quiet:     ${latencies(quiet)}`,
    `others:    ${latencies(others)}`,
    `struck:    ${latencies(struck)}`,
    `${wrong.length} events or sessions lost or repeated`,
    ...wrong.slice(0, 20),
  ];
  return lines.join("\n");
}

function counted(counts: ReadonlyMap<string, number>): string {
  const all = [...counts.values()].reduce((sum, count) => sum + count, 0);
  return `${all} (${[...counts].map(([what, count]) => `${count} ${what}`).join(", ")})`;
}

function latencies(samples: readonly number[]): string {
  if (samples.length === 0) return "none";
  const at = (share: number): string => percentile(samples, share).toFixed(1);
  return `${samples.length} answers, p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, most ${at(1)} ms`;
}
