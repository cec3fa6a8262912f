/** The audit as a command: its words, a small one to its end, and one that is stopped while candidates are on trial. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { arbiterAudit } from "../../../evolution/experiments/arbiter-audit.ts";
import { auditWords } from "../../../evolution/experiments/arbiter-audit/words.ts";
import type { ProgressUpdate, SeedContext, SeedReport } from "../../../evolution/experiments/frame/experiment.ts";
import { runCommand } from "../../../evolution/experiments/frame.ts";

const defaults = { bad: 9, good: 2 };

describe("words of the audit", () => {
  it("are taken out, and the others are left to the frame", () => {
    const argv = ["--seed", "3", "--bad", "5", "--good=0", "--lanes", "4", "--json"];
    const rest = ["--seed", "3", "--workers", "4", "--json"];
    assert.deepEqual(auditWords(argv, defaults), { kind: "size", size: { bad: 5, good: 0 }, rest });
    assert.deepEqual(auditWords([], defaults), { kind: "size", size: defaults, rest: [] });
  });

  for (const [argv, says] of [
    [["--bad", "many"], /--bad takes a number from 0 to 10000: many/],
    [["--bad", "-1"], /--bad takes/],
    [["--good"], /--good takes .*: nothing/],
    [["--good", "10001"], /--good takes/],
    [["--bad", "0", "--good", "0"], /nothing to audit/],
  ] as const)
    it(`${argv.join(" ")} is refused`, () => {
      const words = auditWords(argv, defaults);
      assert.equal(words.kind, "refused");
      assert.match(words.kind === "refused" ? words.message : "", says);
    });

  it("that only the frame knows are refused by the frame", async () => {
    let said = "";
    const streams = { out: () => undefined, err: (text: string) => void (said += text) };
    const words = auditWords(["--lanes", "none"], defaults);
    assert.ok(words.kind === "size");
    assert.equal(await runCommand(arbiterAudit(defaults), words.rest, streams, new AbortController().signal), 2);
    assert.match(said, /--workers takes a number/);
  });
});

/** Runs it and gives the first update to `onProgress`. */
async function run(
  size: { readonly bad: number; readonly good: number },
  over: Partial<SeedContext> & { readonly onProgress?: (update: ProgressUpdate) => void },
): Promise<SeedReport> {
  const { onProgress, ...context } = over;
  return await arbiterAudit(size).run({
    seed: 1,
    budget: { kind: "evaluations", evaluations: 100 },
    workers: 2,
    data: undefined,
    vault: undefined,
    signal: new AbortController().signal,
    progress: (update) => onProgress?.(update),
    ...context,
  });
}

describe("the audit as an experiment", () => {
  it("tells what became of each candidate, and takes a budget as a number of them", async () => {
    const updates: ProgressUpdate[] = [];
    const report = await run(
      { bad: 4, good: 0 },
      { budget: { kind: "evaluations", evaluations: 1 }, onProgress: (update) => void updates.push(update) },
    );
    assert.equal(report.evaluations, 1);
    assert.equal(report.figures.harmful, 0);
    assert.equal(report.figures.lost, 0);
    assert.ok(Number.isNaN(report.figures.promoted), "no good candidate, no share");
    assert.deepEqual(updates, [{ evaluations: 1, best: "of 1 candidates, 0 of 1 bad and 0 of 0 good promoted" }]);
    assert.match(
      report.notes.join("\n"),
      /1 of 1 candidates judged to their end; \d+ live requests acknowledged, 0 failed, 0 lost/,
    );
    assert.match(report.notes.join("\n"), /the arbiter +0 of 1/);
  });

  it("that is stopped gives up what is on trial, counts what was judged, and has lost nothing", async () => {
    const stop = new AbortController();
    const report = await run({ bad: 4, good: 4 }, { signal: stop.signal, onProgress: () => stop.abort() });
    assert.equal(report.evaluations, 1, "the other lane's candidate is not counted");
    assert.equal(report.figures.lost, 0);
    assert.match(report.notes.join("\n"), /1 of 8 candidates judged to their end/);
  });

  it("whose time is over before anything was judged says so", async () => {
    const report = await run({ bad: 2, good: 0 }, { budget: { kind: "ms", ms: 1 } });
    assert.equal(report.evaluations, 0);
    assert.equal(report.figures.lost, 0);
    assert.match(report.notes.join("\n"), /0 of 2 candidates judged/);
  });
});
