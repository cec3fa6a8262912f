/** The frame of experiments: words in, report out, whatever the search does; files of searches, refused before anything is searched. */
import assert from "node:assert/strict";
import { mkdtemp, mkdtempDisposable, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { budgetText, parseBudget, parseExperimentArguments } from "../../../evolution/experiments/frame/arguments.ts";
import type { Experiment, SeedContext, SeedReport } from "../../../evolution/experiments/frame/experiment.ts";
import { ProgressLine } from "../../../evolution/experiments/frame/progress.ts";
import { medianOf } from "../../../evolution/experiments/frame/report.ts";
import { runCommand } from "../../../evolution/experiments/frame.ts";
import { EvolutionError } from "../../../evolution/errors.ts";
import { arbiterAudit } from "../../../evolution/experiments/arbiter-audit.ts";
import { binPacking } from "../../../evolution/experiments/bin-packing.ts";
import { circlePacking } from "../../../evolution/experiments/circle-packing.ts";
import { helpText } from "../../../evolution/experiments/frame/help.ts";
import { evolveSearch } from "../../../evolution/experiments/frame/search.ts";
import { sortingNetworkRed } from "../../../evolution/experiments/sorting-network-red.ts";
import { readRecord } from "../../../evolution/report/read.ts";
import { bitProblem, flipEach, someBits } from "../population/toy.ts";

const defaults = { seeds: [1], budget: { kind: "ms", ms: 1_000 }, workers: 2 } as const;

function experimentOf(run: (context: SeedContext) => Promise<SeedReport>, over: Partial<Experiment> = {}): Experiment {
  return {
    name: "guess",
    what: "Guesses a number.",
    needs: [],
    figures: [{ id: "guess", title: "the guess", unit: "", better: "higher", digits: 2 }],
    published: [{ who: "somebody", value: "41", protocol: "one guess" }],
    caveats: ["guesses are guesses"],
    defaults: { seeds: [1, 2], budget: { kind: "evaluations", evaluations: 10 } },
    canResume: false,
    run,
    ...over,
  };
}

const guessing = async ({ seed }: SeedContext): Promise<SeedReport> => ({
  figures: { guess: seed * 1.5 },
  evaluations: 10,
  notes: [`a note of ${seed}`],
  details: { seed },
});

async function runWith(experiment: Experiment, argv: readonly string[], signal = new AbortController().signal) {
  const said = { out: "", err: "" };
  const streams = { out: (text: string) => void (said.out += text), err: (text: string) => void (said.err += text) };
  return { code: await runCommand(experiment, argv, streams, signal), ...said };
}

describe("words of an experiment", () => {
  it("are taken as they are meant", () => {
    const argv = ["--seeds", "1..3", "--budget", "10m", "--workers", "4", "--json", "--data", "x"];
    assert.deepEqual(parseExperimentArguments(argv, defaults), {
      kind: "run",
      seeds: [1, 2, 3],
      budget: { kind: "ms", ms: 600_000 },
      workers: 4,
      data: "x",
      areWorkersSaid: true,
      isJson: true,
      vault: undefined,
      events: undefined,
      report: undefined,
    });
    assert.deepEqual(parseExperimentArguments(["--seed", "7"], defaults), {
      kind: "run",
      ...defaults,
      seeds: [7],
      data: undefined,
      areWorkersSaid: false,
      isJson: false,
      vault: undefined,
      events: undefined,
      report: undefined,
    });
  });
  for (const argv of [
    ["--budget", "10"],
    ["--budget", "0s"],
    ["--budget", "1.5h"],
    ["--seeds", "5..1"],
    ["--seeds", "0..100"],
    ["--seeds", "1,1"],
    ["--seeds", "a"],
    ["--seed", "4294967296"],
    ["--seed", "1", "--seeds", "1..2"],
    ["--workers", "0"],
    ["--workers", "65"],
    ["--wokers", "1"],
    ["more"],
  ]) {
    it(`refuse ${argv.join(" ")}`, () => assert.equal(parseExperimentArguments(argv, defaults).kind, "refused"));
  }
  for (const text of ["90s", "10m", "2h", "20000e", "15ms"]) {
    it(`write a budget of ${text} as they read it`, () => {
      const budget = parseBudget(text);
      assert.ok(budget);
      assert.equal(budgetText(budget), text);
    });
  }
});

describe("an experiment as a command", () => {
  it("reports every seed, the median and the spread, and what others published beside them", async () => {
    const { code, out, err } = await runWith(experimentOf(guessing), ["--seeds", "1..3"]);
    assert.equal(code, 0);
    assert.match(out, /seed 1: 1\.50, seed 2: 3\.00, seed 3: 4\.50/);
    assert.match(out, /median 3\.00, from 1\.50 to 4\.50/);
    assert.match(out, /published {2}somebody: 41 \(one guess\)/);
    assert.match(out, /a note of 2/);
    assert.equal(err, "");
  });
  it("writes one JSON object when it is asked to", async () => {
    const { out } = await runWith(experimentOf(guessing), ["--json"]);
    const report: unknown = JSON.parse(out);
    assert.deepEqual((report as { figures: unknown }).figures, { guess: { median: 2.25, min: 1.5, max: 3 } });
  });
  it("says what it was given wrong, and exits with 2", async () => {
    const { code, err, out } = await runWith(experimentOf(guessing), ["--budget", "much"]);
    assert.equal(code, 2);
    assert.match(err, /a budget is a time like 90s/);
    assert.equal(out, "");
  });
  it("helps", async () => {
    const { code, out } = await runWith(experimentOf(guessing), ["--help"]);
    assert.equal(code, 0);
    assert.match(out, /--seeds <1\.\.5>/);
  });
  it("refuses a vault that it has no use for", async () => {
    const { code, err } = await runWith(experimentOf(guessing), ["--vault", "somewhere"]);
    assert.equal(code, 2);
    assert.match(err, /EVOLUTION_OPTIONS_INVALID/);
  });
  it("a stopped run reports what was found, names the seeds it did not run, and exits with 130", async () => {
    const stop = new AbortController();
    const experiment = experimentOf(async (context) => {
      stop.abort();
      return await guessing(context);
    });
    const { code, out } = await runWith(experiment, ["--seeds", "1..3"], stop.signal);
    assert.equal(code, 130);
    assert.match(out, /seed 1: 1\.50\n/);
    assert.match(out, /not run: seeds 2, 3/);
    assert.match(out, /did not have its whole budget/);
  });
  it("a fault of its own is not hidden", async () => {
    const experiment = experimentOf(async () => await Promise.reject(new TypeError("a bug")));
    await assert.rejects(runWith(experiment, []), TypeError);
  });
  it("an error with a code ends it with 1", async () => {
    const experiment = experimentOf(
      async () => await Promise.reject(new EvolutionError("EVOLUTION_DATA_INVALID", "line 3")),
    );
    const { code, err } = await runWith(experiment, []);
    assert.equal(code, 1);
    assert.match(err, /line 3 \[EVOLUTION_DATA_INVALID\]/);
  });
});

describe("data of an experiment", () => {
  const need = { file: "things/*.jsonl", origin: "somewhere", licence: "MIT" };
  it("that is missing is asked for: what, from where, under which licence", async () => {
    for (const argv of [[], ["--data", "no-such-folder"]]) {
      const { code, err } = await runWith(experimentOf(guessing, { needs: [need] }), argv);
      assert.equal(code, 1);
      assert.match(err, /things\/\*\.jsonl {2}\(somewhere; MIT\)/);
      assert.match(err, /--data <folder>/);
      assert.match(err, /EVOLUTION_DATA_MISSING/);
    }
  });
  it("may lie in the folder itself", async () => {
    const folder = await mkdtemp(join(tmpdir(), "planaria-data-"));
    try {
      await writeFile(join(folder, "a.jsonl"), "{}");
      const { code } = await runWith(experimentOf(guessing, { needs: [need] }), ["--data", folder]);
      assert.equal(code, 0);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

describe("the line of progress", () => {
  it("comes at most every two seconds, with rate, best and what is left", () => {
    const line = new ProgressLine({ seed: 3, budget: { kind: "ms", ms: 10_000 }, nowMs: 0 });
    assert.equal(line.next({ evaluations: 10, best: "x" }, 1_999), undefined);
    assert.match(
      line.next({ evaluations: 400, best: "x" }, 4_000) ?? "",
      /seed 3 .* 400 runs {2}100\/s {2}best x {2}6 s left/,
    );
    assert.equal(line.next({ evaluations: 500, best: "x" }, 5_000), undefined);
  });
  it("tells what is left of a count", () => {
    const line = new ProgressLine({ seed: 1, budget: { kind: "evaluations", evaluations: 300 }, nowMs: 0 });
    assert.match(line.next({ evaluations: 100, best: "x" }, 2_000) ?? "", / 4 s left$/);
  });
});

describe("a median", () => {
  it("is the middle one, or between the two middle ones", () => {
    assert.equal(medianOf([3, 1, 2]), 2);
    assert.equal(medianOf([4, 1, 2, 3]), 2.5);
    assert.ok(Number.isNaN(medianOf([])));
  });
});

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

const temp = () => mkdtempDisposable(join(tmpdir(), "planaria-frame-"));

describe("files of an experiment", () => {
  it("each search of each seed has a log and a report of its own", async () => {
    await using folder = await temp();
    const argv = ["--events", join(folder.path, "run.jsonl"), "--report", join(folder.path, "run.html")];
    const { code, err } = await runWith(ones(["left", "right"]), argv);
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
    assert.equal((await runWith(ones(["only"]), argv)).code, 0);
    const first = await readRecord(events);
    assert.equal((await runWith(ones(["only"]), argv)).code, 0);
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
    assert.equal((await runWith(experiment, ["--seed", "1", ...argv])).code, 0);
    assert.equal((await runWith(experiment, ["--seed", "1", ...argv])).code, 0);
    const { remarks, events: told } = await readRecord(events);
    assert.match(String(remarks), /begun 2 times/);
    assert.equal(told.filter(({ type }) => type === "run.started").length, 1);
    assert.equal((await runWith(experiment, ["--seed", "2", ...argv])).code, 0);
    const { remarks: none, events: other } = await readRecord(events);
    assert.deepEqual(none, []);
    assert.ok(other[0]?.type === "run.started" && other[0].seed === 2);
  });

  it("a report alone leaves no log behind", async () => {
    await using folder = await temp();
    assert.equal((await runWith(ones(["only"]), ["--seed", "1", "--report", join(folder.path, "a.html")])).code, 0);
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
      const { code, err } = await runWith(experiment, ["--seed", "1", ...argvIn(folder.path)]);
      assert.equal(code, 2);
      assert.match(err, says);
      assert.equal(experiment.runs, 0);
      assert.deepEqual(await readdir(folder.path), ["notes.txt"]);
      assert.equal(await readFile(join(folder.path, "notes.txt"), "utf8"), "buy milk\n");
    });

  it("are refused where the search keeps no log", async () => {
    const { code, err } = await runWith(circlePacking, ["--events", "a.jsonl"]);
    assert.equal(code, 2);
    assert.match(err, /keeps no log: leave --events and --report out/);
  });

  it("a disk that is full ends the run with a code and its file", async () => {
    const { code, err } = await runWith(ones(["only"]), ["--seed", "1", "--events", "/dev/full"]);
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
    const { code, out } = await runWith(experiment, ["--seed", "1"], stop.signal);
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
    const { code, err } = await runWith(circlePacking, ["--workers", "2"]);
    assert.equal(code, 2);
    assert.match(err, /leave --workers out/);
  });
});
