/**
 * The split, with real shadows and callers: who is answered by whom, what callers see of a candidate that goes wrong, and that
 * only the champion acts.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ArbiterOptions } from "../../../evolution/index.ts";
import type { JudgedTurn } from "../../../evolution/options.ts";
import { splitStage } from "../../../evolution/stages/split.ts";
import { withRuntime } from "../../../runtime/testing.ts";
import type { PlanariaEvent } from "../../../runtime/index.ts";
import { Client, PACE_MS, SAME, SOON, WORDS, edited, notesOf, tried, wordsAgent } from "./support.ts";

const fitness = ({ method, reply }: JudgedTurn): number => (method === "score" ? Math.min(1, Number(reply)) : 0.5);
const scores = "score: (_ctx, value: number) => value";
const FEW: ArbiterOptions = { ...SOON, splitSteps: [0.2, 0.5], splitTurnsMin: 20 };
const JUDGED: ArbiterOptions = { ...FEW, fitness };

describe("a split", () => {
  test("climbs its steps, answers callers by the candidate in its share, and passes", async (t) => {
    const { runtime, words } = await wordsAgent(t);
    const answers = { candidate: 0, champion: 0 };
    const steps = new Set<number>();
    runtime.subscribe(({ event }) => {
      if (event.type === "candidate.progress") steps.add((event["figures"] as { readonly share: number }).share);
    });
    await using client = new Client(async () => {
      const reply = await words.call("score", 0.25);
      answers[reply === 0.25 ? "champion" : "candidate"] += 1;
    }, PACE_MS);
    const source = edited(scores, "score: (_ctx, value: number) => value + 0.5");
    const { ruling, reason, stages } = await tried(runtime, [splitStage], { ...JUDGED, source });
    assert.equal(ruling, "promoted", reason);
    assert.match(reason, /it answered \d+ requests itself at 20 %, 50 %, and did no harm/);
    const figures = stages.at(-1)?.figures;
    assert.ok((figures?.["own"] ?? 0) >= 40, JSON.stringify(figures));
    assert.ok(answers.candidate >= 40 && answers.champion > 20, JSON.stringify(answers));
    assert.deepEqual([...steps], [0.2, 0.5]);
    assert.deepEqual(client.failures, []);
  });

  test("keeps every session with one version, and moves none back as the share grows", async (t) => {
    const { runtime, words } = await wordsAgent(t);
    const seen = new Map<string, string>();
    const session = ({ argument }: { readonly argument: unknown }): string =>
      String(Math.round(Number(argument) * 100) % 40);
    await using _ = new Client(async (request) => {
      const value = (request % 40) / 100;
      const who = (await words.call("score", value)) === value ? "champion" : "candidate";
      seen.set(String(request % 40), `${seen.get(String(request % 40)) ?? ""}${who === "champion" ? "." : "C"}`);
    }, PACE_MS);
    const source = edited(scores, "score: (_ctx, value: number) => value + 0.5");
    const { ruling, reason } = await tried(runtime, [splitStage], { ...JUDGED, session, source });
    assert.equal(ruling, "promoted", reason);
    for (const path of seen.values()) assert.match(path, /^\.*C*\.*C*$/, path); // at the end the promoted version answers all
    assert.ok([...seen.values()].some((path) => /^\.*C{2}/.test(path)));
  });

  test("gives the champion's reply where the candidate fails, and goes back with the first proof", async (t) => {
    const { runtime, words } = await wordsAgent(t);
    const wrong: unknown[] = [];
    await using client = new Client(async () => {
      const reply = await words.call("score", 0.25);
      if (reply !== 0.25) wrong.push(reply);
    }, PACE_MS);
    const source = edited(
      scores,
      'score(_ctx, value: number) { if (value === 0.25) throw new Error("a quarter"); return value; }',
    );
    const decision = await tried(runtime, [splitStage], { ...JUDGED, source });
    assert.deepEqual([decision.verdict, decision.code], ["fail", "EVOLUTION_HARM"], decision.reason);
    assert.deepEqual([client.failures, wrong], [[], []]);
    const { answered } = client;
    while (client.answered < answered + 20) await words.call("total");
    assert.deepEqual(wrong, [], "nor afterwards");
  });

  test("sends no answer that differs where answers must be equal, and fails it at once", async (t) => {
    const { runtime, words } = await wordsAgent(t);
    const totals: number[] = [];
    await using client = new Client(async (request) => {
      const reply = (await words.call("note", "one")) as number;
      totals.push(reply - request);
    }, PACE_MS);
    const source = edited(
      "return ctx.state.counts[word];",
      "return ctx.state.total % 30 === 29 ? -1 : ctx.state.counts[word];",
    );
    const decision = await tried(runtime, [splitStage], { ...FEW, source });
    assert.deepEqual([decision.verdict, decision.code], ["fail", "EVOLUTION_ANSWER_DIFFERS"]);
    assert.ok(
      totals.every((each) => each === 1),
      "every caller got the right count",
    );
    assert.deepEqual(client.failures, []);
  });

  test("lets only the champion act: each message leaves once, whoever answers", async (t) => {
    const { runtime, words } = await wordsAgent(t);
    const other = await runtime.spawn({ id: "other", source: WORDS });
    let asked = 0;
    {
      await using _ = new Client(async () => {
        asked += 1;
        await words.call("tell", "other");
      }, PACE_MS);
      const { ruling, reason } = await tried(runtime, [splitStage], { ...FEW, source: SAME });
      assert.equal(ruling, "promoted", reason);
    }
    await words.call("total"); // what it sent before is with the other by now, or comes before this returns
    assert.equal(await other.call("total"), asked);
  });

  test("is inconclusive where all requests are one session, and says that there are too few", async (t) => {
    const { runtime, words } = await wordsAgent(t);
    await using _ = new Client(notesOf(words), PACE_MS);
    const decisions = [];
    for (const one of ["a", "b", "c", "d"]) {
      const source = SAME.replace("scale;", `scale; // ${one}`).replace(
        "const scale = 1;",
        `const scale = 1; const unused = "${one}"; void unused.length;`,
      );
      decisions.push(
        await tried(runtime, [splitStage], {
          ...FEW,
          splitSteps: [0.05],
          splitTurnsMin: 2,
          session: () => one,
          source,
        }),
      );
    }
    const open = decisions.find(({ verdict }) => verdict === "inconclusive");
    assert.equal(open?.code, "EVOLUTION_BUDGET_OVER");
    assert.match(open.reason, /too few sessions/);
  });

  test("is void where the user's session function fails, with its words", async (t) => {
    const { runtime, words } = await wordsAgent(t);
    await using client = new Client(notesOf(words), PACE_MS);
    const session = (): string => {
      throw new RangeError("who?");
    };
    const decision = await tried(runtime, [splitStage], { ...FEW, session, source: SAME });
    assert.equal(decision.verdict, "void");
    assert.match(decision.reason, /session threw: who\?/);
    assert.deepEqual(client.failures, []);
  });

  test("is inconclusive where nobody asks", async (t) => {
    const { runtime } = await wordsAgent(t);
    const decision = await tried(runtime, [splitStage], { ...FEW, quietMs: 300, source: SAME });
    assert.deepEqual([decision.verdict, decision.code], ["inconclusive", "EVOLUTION_NO_TRAFFIC"]);
    assert.match(decision.reason, /no live turn for 300 ms.*offlineStages.*step 1 of 2 \(20 %\), 0 of 20 requests/);
  });

  test("lets every caller have an answer when the runtime closes amid it", async (t) => {
    const runtime = await withRuntime(t);
    const words = await runtime.spawn({ id: "words", source: WORDS });
    const { promise: begun, resolve } = Promise.withResolvers<void>();
    runtime.subscribe(({ event }: { readonly event: PlanariaEvent }) => {
      if (event.type === "candidate.progress" && (event["figures"] as { readonly own: number }).own > 3) resolve();
    });
    await using client = new Client(notesOf(words), PACE_MS);
    const deciding = tried(runtime, [splitStage], { ...FEW, splitTurnsMin: 100_000, source: SAME });
    const settled = Promise.allSettled([deciding]);
    await begun;
    await runtime.close();
    await settled;
    const codes = new Set(client.failures);
    for (const code of ["RUNTIME_CLOSED", "RUNTIME_AGENT_DOWN", "RUNTIME_AGENT_STOPPED"]) codes.delete(code);
    assert.deepEqual([...codes], [], "no call was left hanging, none saw the candidate");
  });
});

describe("a split whose share follows what is known", () => {
  test("stays within 1 and 50 % and passes as well", async (t) => {
    const { runtime, words } = await wordsAgent(t);
    const shares = new Set<number>();
    runtime.subscribe(({ event }) => {
      if (event.type === "candidate.progress") shares.add((event["figures"] as { readonly share: number }).share);
    });
    await using _ = new Client((request) => words.call("score", (request % 10) / 20), PACE_MS);
    const source = edited(scores, "score: (_ctx, value: number) => value + 0.4");
    const { ruling, reason } = await tried(runtime, [splitStage], {
      ...JUDGED,
      splitTurnsMin: 60,
      share: "thompson",
      source,
    });
    assert.equal(ruling, "promoted", reason);
    assert.ok(
      [...shares].every((share) => share >= 0.01 && share <= 0.5),
      [...shares].join(),
    );
  });
});
