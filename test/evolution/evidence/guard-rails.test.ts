/**
 * What the guard rails say of pairs made by hand: each verdict with its code, the measurement that fails itself, and that an equal
 * candidate is not accused however often one looks.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { concludeEvidence } from "../../../evolution/evidence/conclusion.ts";
import type { Conclusion } from "../../../evolution/evidence/conclusion.ts";
import type { Evidence } from "../../../evolution/evidence/guard-rails.ts";
import { addPair, emptyEvidence, restarted } from "../../../evolution/evidence/guard-rails.ts";
import type { EvidenceSettings } from "../../../evolution/evidence/settings.ts";
import { parseArbiterOptions } from "../../../evolution/options.ts";
import type { Pair } from "../../../evolution/pairs/pair.ts";
import { seededRandom } from "../../../runtime/index.ts";
import { answers, answersText, exceeds, live, liveFailed, loses, pairOf, settings, text, throws } from "./support.ts";

/** Weighs pairs until they say something, and says how many it took. */
function weighed(
  pair: (number: number) => Pair,
  { most, ...given }: Partial<EvidenceSettings> & { readonly most: number },
): { readonly at: number; readonly end: Conclusion; readonly evidence: Evidence } {
  const evidence = emptyEvidence({ ...settings, ...given });
  for (let number = 1; number <= most; number++) {
    addPair(evidence, pair(number));
    const end = concludeEvidence(evidence, { isOver: number === most });
    if (end.verdict !== "open") return { at: number, end, evidence };
  }
  return { at: most, end: concludeEvidence(evidence, { isOver: true }), evidence };
}

const equal = (number: number): Pair => pairOf(live(number), answers(number), answers(number), number);
const judged = { answers: "judged", fitness: () => 0.5 } as const;

describe("a candidate whose answers must be equal", () => {
  test("passes when the proof of no harm and of its CPU time is complete, and not one pair before", () => {
    const { at, end } = weighed(equal, { most: 3_000 });
    assert.deepEqual([at, end.verdict], [608, "pass"]);
    assert.deepEqual(
      end.lines.map(({ name, says }) => `${name}: ${says}`),
      ["failures: open", "effects: open", "slow: open", "no harm: no harm", "cpu: no harm"],
    );
  });

  test("needs fewer pairs for a wider margin, and more where alpha was spent", () => {
    const wide = weighed(equal, { most: 3_000, marginPoints: 0.05 }).at;
    const spent = weighed(equal, { most: 3_000, marginPoints: 0.05, alpha: 0.001 }).at;
    assert.deepEqual([wide, spent], [150, 282], "the first waits for its CPU time: a hundred pairs after the warm-up");
  });

  const atOnce: readonly (readonly [what: string, ran: Pair["candidate"], code: string, reason: RegExp])[] = [
    ["another answer", answers("other"), "EVOLUTION_ANSWER_DIFFERS", /turn 7 \(search\): a different answer/],
    ["a text that is no value", answersText("~["), "EVOLUTION_ANSWER_DIFFERS", /a different answer/],
    ["an error", throws("x is not a function"), "EVOLUTION_HARM", /threw TypeError: x is not a function/],
    ["an endless loop", exceeds("SANDBOX_CPU_EXCEEDED"), "EVOLUTION_HARM", /SANDBOX_CPU_EXCEEDED/],
    ["a full heap", exceeds("SANDBOX_HEAP_EXCEEDED"), "EVOLUTION_MEMORY", /SANDBOX_HEAP_EXCEEDED/],
  ];
  for (const [what, ran, code, reason] of atOnce) {
    test(`fails at once for ${what}, with both answers side by side`, () => {
      const { at, end } = weighed((n) => (n === 7 ? pairOf(live(n), ran, answers(n), n) : equal(n)), { most: 50 });
      assert.deepEqual([at, end.verdict, end.code], [7, "fail", code]);
      assert.match(end.reason, reason);
      assert.deepEqual([end.difference?.turn, end.difference?.expected], [7, "7"]);
    });
  }

  test("fails at once for an effect that the running version does not have, though the answer is the same", () => {
    const sent = { verb: "cast", hash: "ab", nth: 1, isMatched: false, how: "sent" } as const;
    const other = (n: number): Pair => pairOf(live(n), answers(n, { effects: [sent] }), answers(n), n);
    const { end } = weighed((n) => (n === 3 ? other(n) : equal(n)), { most: 50 });
    assert.deepEqual([end.verdict, end.code], ["fail", "EVOLUTION_HARM"]);
    assert.match(end.reason, /turn 3 .*other effects.*cast/);
    const both = (n: number): Pair =>
      pairOf(live(n), answers(n, { effects: [sent] }), answers(n, { effects: [sent] }), n);
    assert.equal(weighed(both, { most: 50 }).end.verdict, "open", "the running version sends the same");
  });

  test("is not blamed where the running version does not repeat itself, and an answer that is equal once cleaned is equal", () => {
    const noisy = (n: number): Pair => pairOf(live("a"), answers("b"), answers("c"), n);
    const { end } = weighed((n) => (n % 50 === 0 ? noisy(n) : equal(n)), { most: 200 });
    assert.deepEqual([end.verdict, end.figures["noise"]], ["open", 4]);
    const stamped = (n: number): Pair => pairOf(live({ n, at: 1 }), answers({ n, at: 2 }), answers({ n, at: 3 }), n);
    const clean = (reply: unknown): unknown => ({ ...(reply as object), at: 0 });
    assert.equal(weighed(stamped, { most: 60 }).end.verdict, "void", "all of it is noise");
    assert.deepEqual(weighed(stamped, { most: 60, clean }).end.figures["noise"], 0);
  });

  test("an error in both, as live, is no difference; an answer where there was an error is one", () => {
    const failing = (n: number): Pair => pairOf(liveFailed(), throws("other words"), throws("words"), n);
    assert.equal(weighed(failing, { most: 60 }).end.verdict, "open");
    const answering = (n: number): Pair => pairOf(liveFailed(), answers(1), throws("words"), n);
    assert.equal(weighed(answering, { most: 60 }).end.code, "EVOLUTION_ANSWER_DIFFERS");
  });
});

describe("what costs too much", () => {
  const random = seededRandom(7);
  const noise = (): number => 0.8 + (0.4 * random.next32()) / 2 ** 32;
  const costing =
    (ratio: number) =>
    (n: number): Pair =>
      pairOf(live(n), answers(n, { cpuMs: 2 * ratio * noise() }), answers(n, { cpuMs: 2 * noise() }), n);

  test("a candidate that takes half as long again fails soon; one that is a little quicker is shown to be (seed 7)", () => {
    const slow = weighed(costing(1.5), { most: 2_000 });
    assert.deepEqual([slow.end.verdict, slow.end.code, slow.at < 200], ["fail", "EVOLUTION_TOO_SLOW", true]);
    const quick = weighed(costing(0.8), { most: 2_000 });
    const cpu = quick.end.lines.find(({ name }) => name === "cpu");
    assert.deepEqual([quick.end.verdict, cpu?.says], ["pass", "gain"]);
  });

  test("rare slow turns are found though the mean hardly moves (seed 7)", () => {
    const rare = (n: number): Pair =>
      pairOf(live(n), answers(n, { cpuMs: n % 40 === 0 ? 60 : 2 }), answers(n, { cpuMs: 2 }), n);
    const { end } = weighed(rare, { most: 1_400, cpuRatioMax: 1.5 });
    assert.deepEqual([end.verdict, end.code], ["fail", "EVOLUTION_TOO_SLOW"]);
    assert.match(end.reason, /slower than nearly all/);
  });

  test("differences below the clock's grain are none", () => {
    const tiny = (n: number): Pair => pairOf(live(n), answers(n, { cpuMs: 0.002 }), answers(n, { cpuMs: 0.001 }), n);
    assert.equal(weighed(tiny, { most: 2_000 }).end.verdict, "pass");
  });

  test("a heap with more garbage in it is no leak and not too large", () => {
    const litter = (n: number): Pair => {
      const heapBytes = (2 << 20) + ((n * 2_754) % (900 << 10));
      return pairOf(
        live(n),
        answers(n, { heapBytes: heapBytes + (n % 90) * 60_000 }),
        answers(n, { heapBytes: 2 << 20 }),
        n,
      );
    };
    assert.equal(weighed(litter, { most: 700 }).end.verdict, "pass");
    const creep = (n: number): Pair =>
      pairOf(live(n), answers(n, { heapBytes: (2 << 20) + n * 2_754 }), answers(n, { heapBytes: 2 << 20 }), n);
    assert.notEqual(weighed(creep, { most: 300 }).end.verdict, "fail");
  });

  test("a heap that is half as large again fails, one that leaks fails, and a reload begins a new series", () => {
    const fat = (n: number): Pair =>
      pairOf(live(n), answers(n, { heapBytes: 30 << 20 }), answers(n, { heapBytes: 20 << 20 }), n);
    assert.equal(weighed(fat, { most: 1_400 }).end.code, "EVOLUTION_MEMORY");
    const soon = weighed(fat, { most: 1_400, marginPoints: 0.05 }).end;
    assert.equal(soon.code, "EVOLUTION_MEMORY", "also where all else is proved after 150 pairs");
    const leaking = (n: number): Pair =>
      pairOf(live(n), answers(n, { heapBytes: (20 << 20) + n * 8_000 }), answers(n, { heapBytes: 20 << 20 }), n);
    assert.match(weighed(leaking, { most: 1_400 }).end.reason, /grows by 8000 bytes per request/);
    const evidence = emptyEvidence(settings);
    for (let n = 1; n <= 1_000; n++) {
      addPair(evidence, fat(n));
      if (n % 100 === 0) restarted(evidence);
    }
    assert.equal(concludeEvidence(evidence, { isOver: false }).verdict, "pass", "six looks at a heap are too few");
  });
});

describe("a candidate whose answers are judged", () => {
  const scored =
    (gain: number) =>
    (n: number): Pair =>
      pairOf(live(0.5), answers(0.5 + gain + (n % 2 === 0 ? 0.2 : -0.2)), answers(0.5), n);
  const fitness = ({ reply }: { readonly reply?: unknown }): number => Number(reply);

  test("passes with other answers once their gain is proved, and with more of it where it is one of many", () => {
    const one = weighed(scored(0.1), { answers: "judged", fitness, most: 3_000, marginPoints: 0.05 });
    assert.equal(one.end.verdict, "pass", one.end.reason);
    assert.match(one.end.reason, /fitness up by 0\.(09|10)/);
    const lineOf = (end: Conclusion): number => end.lines.find(({ name }) => name === "fitness")?.threshold ?? 0;
    const many = weighed(scored(0.1), {
      answers: "judged",
      fitness,
      most: 3_000,
      marginPoints: 0.05,
      candidatesTried: 50,
    });
    assert.equal(Math.round(100 * (lineOf(many.end) - lineOf(one.end))), Math.round(100 * Math.log(50)));
  });

  test("stays open without a gain, and passes without one when it is proved cheaper and no worse", () => {
    const same = weighed(scored(0), { answers: "judged", fitness, most: 2_000 });
    assert.deepEqual(
      [same.end.verdict, same.end.reason],
      ["open", "no gain is proved, neither in fitness nor in CPU time"],
    );
    const cheap = (n: number): Pair => pairOf(live(0.5), answers(0.5, { cpuMs: 1 }), answers(0.5, { cpuMs: 2 }), n);
    assert.equal(weighed(cheap, { answers: "judged", fitness, most: 3_000 }).end.verdict, "pass");
  });

  test("has to prove a lower cost by as much more as a gain in fitness, where it is one of many; the two ways share alpha", () => {
    const cheap = (n: number): Pair =>
      pairOf(live(0.5), answers(0.5, { cpuMs: n % 2 === 0 ? 1.82 : 2.15 }), answers(0.5, { cpuMs: 2 }), n);
    const needed = (candidatesTried: number): number =>
      weighed(cheap, { answers: "judged", fitness, most: 10_000, marginPoints: 0.05, candidatesTried }).at;
    assert.ok(needed(1) < 2_000);
    assert.ok(needed(100_000) > 1.5 * needed(1), `${needed(100_000)} against ${needed(1)}`);
    const end = weighed(scored(0.1), { answers: "judged", fitness, most: 200, marginPoints: 0.05 }).end;
    const threshold = end.lines.find(({ name }) => name === "fitness")?.threshold ?? 0;
    assert.equal(threshold.toFixed(3), Math.log(2 / 0.05).toFixed(3));
  });

  test("passes for less CPU time with half of its turns judged, within the turns that rigor quick mirrors", () => {
    const { mirrorTurnsMax, marginPoints } = parseArbiterOptions({ rigor: "quick" });
    const half = ({ argument }: { readonly argument: unknown }): number | undefined =>
      argument === "even" ? 0.5 : undefined;
    const cheap = (n: number): Pair => {
      const turn = live(0.5, { text: text(n % 2 === 0 ? "even" : "odd") });
      return pairOf(turn, answers(0.5, { cpuMs: 1 }), answers(0.5, { cpuMs: 2 }), n);
    };
    const { end } = weighed(cheap, { answers: "judged", fitness: half, most: mirrorTurnsMax, marginPoints });
    assert.equal(end.verdict, "pass", end.reason);
  });

  test("is accused at harmAlpha, whatever alpha a promotion may spend", () => {
    const often = (n: number): Pair => (n % 3 === 0 ? pairOf(live(n), throws("no"), answers(n), n) : equal(n));
    const { end, at } = weighed(often, { ...judged, alpha: 0.4, harmAlpha: 1e-9, most: 60 });
    assert.deepEqual([at, end.verdict], [60, "open"], "twenty failures are ln E 11.6, and 20.7 are asked for");
  });

  test("fails when it fails more often, proved by pairs in which only it failed", () => {
    const failing = (n: number): Pair => (n % 10 === 0 ? pairOf(live(n), throws("no"), answers(n), n) : equal(n));
    const { end, at } = weighed(failing, { ...judged, most: 500 });
    assert.deepEqual([end.verdict, end.code, at < 150], ["fail", "EVOLUTION_HARM", true]);
    assert.equal(end.difference?.actual, "threw TypeError: no");
  });

  test("fails for what the user calls a failure", () => {
    const isFailure = ({ reply }: { readonly reply?: unknown }): boolean => reply === "sorry";
    const sorry = (n: number): Pair => (n % 5 === 0 ? pairOf(live(n), answers("sorry"), answers(n), n) : equal(n));
    assert.equal(weighed(sorry, { ...judged, isFailure, most: 500 }).end.code, "EVOLUTION_HARM");
    assert.equal(weighed(sorry, { ...judged, most: 500 }).end.verdict, "open");
  });

  test("fails when its fitness falls", () => {
    const { end } = weighed(scored(-0.2), { answers: "judged", fitness, most: 3_000 });
    assert.deepEqual([end.verdict, end.code], ["fail", "EVOLUTION_HARM"]);
    assert.match(end.reason, /fitness changes by -0\.2/);
  });

  test("fails for a full heap at once, and for its fourth crash", () => {
    const once = (n: number): Pair => pairOf(live(n), exceeds("SANDBOX_HEAP_EXCEEDED"), answers(n), n);
    assert.equal(weighed(once, { ...judged, most: 5 }).end.code, "EVOLUTION_MEMORY");
    const loops = (n: number): Pair =>
      n % 100 === 0 ? pairOf(live(n), exceeds("SANDBOX_CPU_EXCEEDED"), answers(n), n) : equal(n);
    const { at, end } = weighed(loops, { ...judged, most: 500 });
    assert.deepEqual([at, end.code], [400, "EVOLUTION_HARM"]);
    assert.match(end.reason, /hit a limit 4 times/);
  });

  test("fails for effects that are refused, where the running version's are not", () => {
    const refused = { verb: "call", hash: "cd", nth: 1, isMatched: false, how: "refused" } as const;
    const other = (n: number): Pair => pairOf(live(n), answers(n, { effects: [refused] }), answers(n), n);
    const { end } = weighed((n) => (n % 5 === 0 ? other(n) : equal(n)), { ...judged, most: 300 });
    assert.deepEqual([end.verdict, end.code], ["fail", "EVOLUTION_HARM"]);
    assert.match(end.reason, /other effects than the live agent/);
  });
});

describe("a measurement that fails itself", () => {
  test("is void where the control does not repeat the live answers, once there are enough of them or no more come", () => {
    const noisy = (n: number): Pair => pairOf(live("a"), answers("b"), answers("c"), n);
    const every10 = (n: number): Pair => (n % 10 === 0 ? noisy(n) : equal(n));
    assert.deepEqual([weighed(every10, { most: 500 }).at, weighed(every10, { most: 500 }).end.verdict], [100, "void"]);
    assert.equal(weighed(every10, { most: 40 }).end.verdict, "void");
    assert.equal(weighed(every10, { most: 20 }).end.verdict, "open", "two of twenty are no noise level");
  });

  test("is void and broken where the control fails what was answered live", () => {
    const { end } = weighed((n) => pairOf(live(n), answers(n), throws("n"), n), { most: 50 });
    assert.deepEqual([end.verdict, end.code], ["void", "EVOLUTION_MEASUREMENT_BROKEN"]);
  });

  test("is void where cells and clocks fail, and nobody is blamed for those pairs", () => {
    const exit = { pid: 1, reason: "killed" } as never; // not read by the guard rails
    const nobodys = [loses(), loses({ exit, isOwnDoing: true, isAlone: false }), exceeds("SANDBOX_WALL_EXCEEDED")];
    for (const ran of nobodys) {
      const { end } = weighed((n) => (n % 10 === 0 ? pairOf(live(n), ran, answers(n), n) : equal(n)), { most: 60 });
      assert.deepEqual([end.verdict, end.code, end.figures["voids"]], ["void", undefined, 6]);
    }
    const own = loses({ exit, isOwnDoing: true, isAlone: true });
    assert.equal(weighed((n) => pairOf(live(n), own, answers(n), n), { most: 1 }).end.code, "EVOLUTION_HARM");
  });

  const faults: readonly (readonly [what: string, given: Partial<EvidenceSettings>, reason: RegExp])[] = [
    [
      "fitness throws",
      {
        fitness: () => {
          throw new RangeError("oh");
        },
      },
      /fitness threw: oh/,
    ],
    ["fitness gives no number", { fitness: () => Number.NaN }, /fitness returned NaN for search/],
    ["fitness is out of range", { fitness: () => 2 }, /fitness returned 2/],
    [
      "isFailure throws",
      {
        isFailure: () => {
          throw new Error("no");
        },
      },
      /isFailure threw: no/,
    ],
    [
      "clean throws",
      {
        clean: () => {
          throw new Error("dirty");
        },
      },
      /clean threw: dirty/,
    ],
    [
      "isFailure gives no yes or no",
      { isFailure: (() => "no") as unknown as NonNullable<EvidenceSettings["isFailure"]> }, // a program that is not typed
      /isFailure returned no for search: it must be true or false/,
    ],
    [
      "isFailure is asynchronous",
      { isFailure: (async () => false) as unknown as NonNullable<EvidenceSettings["isFailure"]> }, // likewise
      /isFailure returned \[object Promise\]/,
    ],
  ];
  for (const [what, given, reason] of faults) {
    test(`is void where ${what} for the running version's answers, and says so`, () => {
      const pair = pairOf(live(1), answers(1), answers(2));
      const { end } = weighed(() => pair, { ...given, answers: "judged", most: 1 });
      assert.equal(end.verdict, "void");
      assert.match(end.reason, reason);
    });
  }

  test("is void where clean throws for the running version's answer, also when only the candidate's made it be asked", () => {
    const clean = (): never => {
      throw new Error("dirty");
    };
    for (const answersAre of ["equal", "judged"] as const) {
      const { end } = weighed((n) => pairOf(live(1), answers(2), answers(1), n), {
        clean,
        answers: answersAre,
        most: 1,
      });
      assert.equal(end.verdict, "void");
      assert.match(end.reason, /clean threw: dirty/);
    }
    const picky = (reply: unknown): unknown => (reply as { readonly at: number }).at.toFixed(0);
    const pair = pairOf(live({ at: 1 }), answers(null), answers({ at: 1 }));
    assert.equal(weighed(() => pair, { clean: picky, most: 1 }).end.code, "EVOLUTION_HARM", "it takes the live answer");
  });

  test("is not void for an answer of the candidate that the user's functions cannot take: that is a failure", () => {
    const fitness = ({ reply }: { readonly reply?: unknown }): number => (reply as { readonly score: number }).score;
    const good = { score: 0.5 };
    const broken = (n: number): Pair =>
      n % 2 === 0
        ? pairOf(live(good), answersText("~["), answers(good), n)
        : pairOf(live(good), answers(null), answers(good), n);
    const { end } = weighed(broken, { answers: "judged", fitness, most: 100 });
    assert.deepEqual([end.verdict, end.code], ["fail", "EVOLUTION_HARM"]);
  });
});

describe("an equal candidate on a machine that is not quiet", () => {
  const RUNS = 60;
  const PAIRS = 1_500;
  for (const seed of [11]) {
    test(`is accused in at most 4 of ${RUNS} runs of ${PAIRS} looks each (seed ${seed})`, (t) => {
      const random = seededRandom(seed);
      const chance = (): number => random.next32() / 2 ** 32;
      const cpuMs = (): number => 1.5 * Math.exp(chance() + chance() - 1) * (chance() < 0.01 ? 20 : 1);
      let accused = 0;
      for (let run = 0; run < RUNS; run++) {
        const side = (n: number): Pair["candidate"] =>
          chance() < 0.02 ? throws("flaky", { cpuMs: cpuMs() }) : answers(n, { cpuMs: cpuMs() });
        const evidence = emptyEvidence({ ...settings, ...judged });
        let verdict = "open";
        for (let n = 1; n <= PAIRS && verdict === "open"; n++) {
          addPair(evidence, pairOf(live(n), side(n), side(n), n));
          if (n % 10 === 0) verdict = concludeEvidence(evidence, { isOver: false }).verdict;
        }
        if (verdict === "fail") accused += 1;
      }
      t.diagnostic(`${accused} of ${RUNS}`);
      // Four rails at 1 % each: 2.4 of 60 expected at the most, and the tests spend far less.
      assert.ok(accused <= 4, `${accused} of ${RUNS}`);
    });
  }

  test("the evidence is plain data and bounded", () => {
    const evidence = emptyEvidence(settings);
    for (let n = 1; n <= 5_000; n++) addPair(evidence, equal(n));
    assert.ok(JSON.stringify(evidence).length < 16_384);
    assert.equal(text(1), "1");
  });
});

describe("where the user's fitness has no opinion", () => {
  const mixed = {
    answers: "judged",
    fitness: ({ method }: { readonly method: string }) => (method === "route" ? 0.5 : undefined),
  } as const;

  test("the answer must be equal all the same", () => {
    const { at, end } = weighed((number) => pairOf(live(number), answers("other"), answers(number), number), {
      most: 50,
      ...mixed,
    });
    assert.deepEqual([at, end.verdict, end.code], [1, "fail", "EVOLUTION_ANSWER_DIFFERS"]);
  });

  test("equal answers count for no fitness", () => {
    const { evidence } = weighed(equal, { most: 50, ...mixed });
    assert.deepEqual([evidence.pairs, evidence.fitness?.pairs], [50, 0]);
  });
});
