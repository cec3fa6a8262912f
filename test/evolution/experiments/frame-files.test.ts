/** The files of an experiment's searches: one of each kind for each search, refused before anything is searched. */
import assert from "node:assert/strict";
import { mkdtempDisposable, readdir, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { arbiterAudit } from "../../../evolution/experiments/arbiter-audit.ts";
import { binPacking } from "../../../evolution/experiments/bin-packing.ts";
import { circlePacking } from "../../../evolution/experiments/circle-packing.ts";
import type { Experiment, SeedContext, SeedReport } from "../../../evolution/experiments/frame/experiment.ts";
import { helpText } from "../../../evolution/experiments/frame/help.ts";
import { evolveSearch } from "../../../evolution/experiments/frame/search.ts";
import { runCommand } from "../../../evolution/experiments/frame.ts";
import { sortingNetworkRed } from "../../../evolution/experiments/sorting-network-red.ts";
import { readRecord } from "../../../evolution/report/read.ts";
import { bitProblem, flipEach, someBits } from "../population/toy.ts";

/** Bits that become ones, by the real engine. */
function ones(searches: readonly string[], over: Partial<Experiment> = {}): Experiment & { runs: number } {
  const experiment = {
    name: "ones",
    what: "Makes bits ones.",
    needs: [],
    figures: [{ id: "ones", title: "ones", unit: "", better: "higher", digits: 2 }],
    published: [],
    caveats: [],
    defaults: { seeds: [1, 2], budget: { kind: "evaluations", evaluations: 60 } },
    canResume: false,
    searches,
    runs: 0,
    async run(context: SeedContext): Promise<SeedReport> {
      experiment.runs += 1;
      let best = 0;
      for (const name of searches) {
        const { problem, runner } = bitProblem(name, [someBits(16, 1)], 16, (block, text) => Number(text[block]));
        const budget = { evaluations: 60 };
        const found = await evolveSearch(context, name, { problem, runner, mutators: [flipEach], islands: 1, budget });
        best = found.best.score;
      }
      return { figures: { ones: best }, evaluations: 60, notes: [], details: {} };
    },
    ...over,
  } satisfies Experiment & { runs: number };
  return experiment;
}

async function run(experiment: Experiment, argv: readonly string[], signal = new AbortController().signal) {
  const said = { out: "", err: "" };
  const streams = { out: (text: string) => void (said.out += text), err: (text: string) => void (said.err += text) };
  return { code: await runCommand(experiment, argv, streams, signal), ...said };
}

const temp = () => mkdtempDisposable(join(tmpdir(), "planaria-frame-"));

describe("files of an experiment", () => {
  it("each search of each seed has a log and a report of its own", async () => {
    await using folder = await temp();
    const argv = ["--events", join(folder.path, "run.jsonl"), "--report", join(folder.path, "run.html")];
    const { code, err } = await run(ones(["left", "right"]), argv);
    assert.equal(code, 0);
    const names = ["left", "right"].flatMap((search) => [1, 2].map((seed) => `run.${search}.seed-${seed}`));
    const files = names.flatMap((name) => [`${name}.html`, `${name}.jsonl`]);
    assert.deepEqual((await readdir(folder.path)).toSorted(), files.toSorted());
    const { events, measured, context } = await readRecord(join(folder.path, "run.right.seed-2.jsonl"));
    const [started] = events;
    assert.ok(started?.type === "run.started");
    assert.deepEqual([started.runId, started.seed], ["right-2", 2]);
    assert.equal(events.at(-1)?.type, "run.ended");
    assert.ok(measured !== undefined && context?.options["budget of the seed"] === "60e");
    assert.match(await readFile(join(folder.path, "run.left.seed-1.html"), "utf8"), /run left-1, seed 1/);
    assert.match(err, /report .*run\.left\.seed-1\.html: \d+ kB/);
  });

  it("one search of one seed has the names that were given, and what was there is replaced", async () => {
    await using folder = await temp();
    const [events, report] = [join(folder.path, "a.jsonl"), join(folder.path, "a.html")];
    const argv = ["--seed", "1", "--events", events, "--report", report];
    assert.equal((await run(ones(["only"]), argv)).code, 0);
    const first = await readRecord(events);
    assert.equal((await run(ones(["only"]), argv)).code, 0);
    const again = await readRecord(events);
    assert.deepEqual(again.events, first.events, "the same seed decides the same");
    assert.deepEqual(again.remarks, [], "nothing of the run before is left in it");
    assert.deepEqual((await readdir(folder.path)).toSorted(), ["a.html", "a.jsonl"]);
  });

  it("a run that is kept adds to its log when it is taken up again; another run begins it anew", async () => {
    await using folder = await temp();
    const events = join(folder.path, "a.jsonl");
    const argv = ["--vault", join(folder.path, "vault"), "--events", events];
    const experiment = ones(["only"], { canResume: true });
    assert.equal((await run(experiment, ["--seed", "1", ...argv])).code, 0);
    assert.equal((await run(experiment, ["--seed", "1", ...argv])).code, 0);
    const { remarks, events: told } = await readRecord(events);
    assert.match(String(remarks), /begun 2 times/);
    assert.equal(told.filter(({ type }) => type === "run.started").length, 1);
    assert.equal((await run(experiment, ["--seed", "2", ...argv])).code, 0);
    const { remarks: none, events: other } = await readRecord(events);
    assert.deepEqual(none, []);
    assert.ok(other[0]?.type === "run.started" && other[0].seed === 2);
  });

  it("a report alone leaves no log behind", async () => {
    await using folder = await temp();
    assert.equal((await run(ones(["only"]), ["--seed", "1", "--report", join(folder.path, "a.html")])).code, 0);
    assert.deepEqual(await readdir(folder.path), ["a.html"]);
  });

  for (const [what, argvIn, says] of [
    [
      "in a folder that is not there",
      (at: string) => ["--events", join(at, "no/a.jsonl")],
      /no such folder: make it first/,
    ],
    [
      "with a report in a folder that is not there",
      (at: string) => ["--report", join(at, "no/a.html")],
      /no such folder/,
    ],
    ["that are folders", (at: string) => ["--report", at], /is a folder: give a file/],
    ["that hold something else", (at: string) => ["--events", join(at, "notes.txt")], /no log of a search/],
    ["that are one", (at: string) => ["--events", join(at, "a"), "--report", join(at, "a")], /give two/],
    ["without a name", () => ["--events="], /has a name/],
  ] as const)
    it(`${what} are refused before anything is searched`, async () => {
      await using folder = await temp();
      await writeFile(join(folder.path, "notes.txt"), "buy milk\n");
      const experiment = ones(["only"]);
      const { code, err } = await run(experiment, ["--seed", "1", ...argvIn(folder.path)]);
      assert.equal(code, 2);
      assert.match(err, says);
      assert.equal(experiment.runs, 0);
      assert.deepEqual(await readdir(folder.path), ["notes.txt"]);
      assert.equal(await readFile(join(folder.path, "notes.txt"), "utf8"), "buy milk\n");
    });

  it("are refused where the search keeps no log", async () => {
    const { code, err } = await run(circlePacking, ["--events", "a.jsonl"]);
    assert.equal(code, 2);
    assert.match(err, /keeps no log: leave --events and --report out/);
  });

  it("a disk that is full ends the run with a code and its file", async () => {
    const { code, err } = await run(ones(["only"]), ["--seed", "1", "--events", "/dev/full"]);
    assert.equal(code, 1);
    assert.match(err, /log \/dev\/full cannot be written: ENOSPC.*\[EVOLUTION_LOG_FAILED\]/);
  });

  it("Ctrl-C before anything was found is no fault, and says so", async () => {
    const stop = new AbortController();
    const experiment = ones(["only"], {
      run: async ({ signal }) => {
        stop.abort();
        return await Promise.reject(signal.reason as Error);
      },
    });
    const { code, out } = await run(experiment, ["--seed", "1"], stop.signal);
    assert.equal(code, 130);
    assert.match(out, /\n {2}none\n/);
    assert.match(out, /not run: seeds 1/);
    assert.doesNotMatch(out, /did not have its whole budget/);
  });
});

describe("the help of an experiment", () => {
  it("offers what it takes, and nothing else", () => {
    assert.match(helpText(binPacking), /--events <file>[^]*run\.weibull5k\.seed-1\.html/);
    assert.doesNotMatch(helpText(circlePacking), /--(?:events|report|vault|workers|data)/);
  });

  it("of the audit promises no equal result, and says what its budget is", () => {
    const help = helpText(arbiterAudit({ bad: 1, good: 1 }));
    assert.doesNotMatch(help, /same result/);
    assert.match(help, /the first so many of its candidates \(60e\)/);
    assert.match(help, /--workers <n> +agents that are audited side by side/);
    assert.match(help, /--bad <n>[^]*--good <n>/);
  });

  it("of networks against inputs says that a time is no budget of a network", () => {
    assert.match(helpText(sortingNetworkRed), /a time after which no further pair begins/);
  });

  it("workers that would do nothing are refused", async () => {
    const { code, err } = await run(circlePacking, ["--workers", "2"]);
    assert.equal(code, 2);
    assert.match(err, /leave --workers out/);
  });
});
