/** An agent's module is searched for on some of its recorded turns, and judged by the arbiter on the others. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Arbiter, evolveAgent } from "../../../../evolution/index.ts";
import type { JudgedTurn, Mutator } from "../../../../evolution/index.ts";
import { replayStage } from "../../../../evolution/stages/replay.ts";
import { compileStage } from "../../../../evolution/stages/compile.ts";
import type { Stage } from "../../../../evolution/index.ts";
import { ShadowRunner } from "../../../../evolution/population/agents/shadow-runner.ts";
import { withRuntime } from "../../../../runtime/testing.ts";
import { code } from "../../../support/evolution-error.ts";

const PRICES = `
import { agent } from "planaria/agent";
export default agent({
  version: 1,
  state: () => ({ sold: 0 }),
  on: {
    price(ctx, count: number) { ctx.state.sold += count; return count * 3 + 7; },
  },
});
`;

/** The same; it hears what became of its versions. */
const LISTENING = PRICES.replace("({ sold: 0 })", "({ sold: 0, heard: [] as string[] })").replace(
  "  on: {",
  `  on: {
    verdict(ctx, { ruling }: { ruling: string }) { ctx.state.heard.push(ruling); },
    heard: { reads: true, handle: (ctx) => ctx.state.heard },`,
);

/** Writes another number where one stands between the handler's words. */
const numbers: Mutator = {
  id: "numbers",
  kind: "numeric",
  async *propose({ parent, random }, count) {
    const places = [...parent.text.matchAll(/(?<=count \* |\+ )\d+/g)];
    for (let number = 0; number < count; number++) {
      const place = places[random.next32() % places.length];
      if (place === undefined) return;
      const text = String(random.next32() % 9);
      yield { edits: [{ start: place.index, end: place.index + place[0].length, text }] };
    }
  },
};

describe("evolving an agent", { timeout: 120_000 }, () => {
  it("finds a better module on the older turns, and the arbiter judges it on the others alone", async (t) => {
    const runtime = await withRuntime(t);
    const ref = await runtime.spawn({ id: "shop", source: PRICES });
    for (let turn = 0; turn < 80; turn++) await ref.call("price", 1 + (turn % 10));
    const boundary = runtime.control("shop").turns()[40]?.beforeSeq;
    const seen: number[] = [];
    const looks: Stage = {
      name: "looks",
      run: async (trial) => {
        seen.push(...trial.traffic().map(({ beforeSeq }) => beforeSeq));
        return { verdict: "pass", reason: "it looked" };
      },
    };
    const fitness = ({ argument, reply }: { readonly argument: unknown; readonly reply?: unknown }): number =>
      1 / (1 + Math.abs(Number(reply) - (Number(argument) * 3 + 5)));
    await using arbiter = await Arbiter.start(runtime, { fitness, rigor: "quick" }, [compileStage, looks, replayStage]);
    const told: string[] = [];
    const { search, decision } = await evolveAgent({
      runtime,
      arbiter,
      agent: "shop",
      fitness,
      mutators: [numbers],
      islands: 1,
      populationPerIsland: 6,
      seed: 5,
      budget: { evaluations: 40 },
      onEvent: ({ type }) => void told.push(type),
    });
    assert.match(search.best.text, /count \* 3 \+ 5;/);
    assert.equal(search.why, "goal");
    assert.equal(decision?.candidatesTried, search.evaluations);
    assert.equal(seen.length, 40);
    assert.ok(boundary !== undefined && seen.every((seq) => seq >= boundary));
    assert.equal(decision.ruling, "promoted", decision.reason);
    assert.equal(await ref.call("price", 2), 11);
    assert.ok(told.includes("generation.ended"));
  });

  it("proposes nothing where nothing better was found, and refuses an agent that nobody asked", async (t) => {
    const runtime = await withRuntime(t);
    const ref = await runtime.spawn({ id: "shop", source: PRICES });
    await using arbiter = await Arbiter.start(runtime, {}, [compileStage]);
    const common = { runtime, arbiter, agent: "shop", mutators: [numbers], islands: 1, populationPerIsland: 4 };
    const search = { ...common, fitness: () => undefined, budget: { evaluations: 10 } };
    await assert.rejects(evolveAgent(search), code("EVOLUTION_OPTIONS_INVALID"));
    for (let turn = 0; turn < 40; turn++) await ref.call("price", turn);
    const { decision } = await evolveAgent(search);
    assert.equal(decision, undefined);
  });

  it("counts a cell that is lost from outside against nobody", async (t) => {
    const runtime = await withRuntime(t);
    const ref = await runtime.spawn({ id: "shop", source: PRICES });
    for (let turn = 0; turn < 12; turn++) await ref.call("price", turn);
    const control = runtime.control("shop");
    const { cellPid: own } = await ref.info();
    const others = new Set<number>();
    runtime.subscribe(({ event }) => {
      if (event.type === "cell.spawned" && event.pid !== own) others.add(event.pid);
      if (event.type === "cell.exited") others.delete(event.pid);
    });
    const calls = control.turns().map((_, number) => [number]);
    const runner = new ShadowRunner(control, control.turns());
    const program = { text: PRICES, entry: "default" };
    const { outcomes: undisturbed } = await runner.run(program, calls, { fuel: 1 });
    const { signal } = new AbortController();
    let turns = 0;
    // Asked before each turn: behind the fifth, every cell but the agent's own is killed.
    signal.throwIfAborted = () => {
      if (++turns === 6) for (const pid of others) process.kill(pid, "SIGKILL");
    };
    const { outcomes } = await runner.run(program, calls, { fuel: 1, signal });
    assert.ok(turns > calls.length, "a cell was killed, and turns were run once more");
    assert.deepEqual(outcomes, undisturbed);
    assert.equal((await ref.info()).cellPid, own);
  });

  it("changes nothing but what may change, and tells the agent what became of it where the agent is the author", async (t) => {
    const runtime = await withRuntime(t);
    const ref = await runtime.spawn({ id: "shop", source: LISTENING });
    for (let turn = 0; turn < 80; turn++) await ref.call("price", 1 + (turn % 10));
    const fitness = ({ method, argument, reply }: JudgedTurn) =>
      method === "price" ? 1 / (1 + Math.abs(Number(reply) - (Number(argument) * 3 + 5))) : undefined;
    await using arbiter = await Arbiter.start(runtime, { fitness, rigor: "quick" }, [compileStage, replayStage]);
    const seen: string[] = [];
    const { decision } = await evolveAgent({
      runtime,
      arbiter,
      agent: "shop",
      author: "agent:shop",
      evolvable: (text) => {
        seen.push(text);
        const start = text.indexOf("+ 7") + 2;
        return [{ start, end: start + 1 }];
      },
      fitness,
      mutators: [numbers],
      islands: 1,
      populationPerIsland: 4,
      seed: 5,
      budget: { evaluations: 9 },
    });
    assert.deepEqual(seen, [LISTENING]);
    assert.match(decision?.source ?? "", /return count \* 3 \+ [0-9];/);
    assert.equal(decision?.author, "agent:shop");
    assert.equal(decision.ruling, "promoted", decision.reason);
    assert.deepEqual(await ref.call("heard", null), ["promoted"]);
  });

  it("proposes nothing once it is called off", async (t) => {
    const runtime = await withRuntime(t);
    const ref = await runtime.spawn({ id: "shop", source: PRICES });
    for (let turn = 0; turn < 40; turn++) await ref.call("price", turn);
    await using arbiter = await Arbiter.start(runtime, {}, [compileStage]);
    const off = new AbortController();
    let own: number | undefined;
    const { search, decision } = await evolveAgent({
      runtime,
      arbiter,
      agent: "shop",
      fitness: ({ argument, reply }) => 1 / (1 + Math.abs(Number(reply) - (Number(argument) * 3 + 5))),
      mutators: [numbers],
      islands: 1,
      populationPerIsland: 4,
      budget: { evaluations: 1_000 },
      signal: off.signal,
      onEvent: (event) => {
        if (event.type === "generation.ended" && event.bestScore > (own ??= event.bestScore)) off.abort();
      },
    });
    assert.equal(search.why, "aborted");
    assert.ok(search.best.score > (search.seeds[0]?.score ?? 1), "there was something to propose");
    assert.equal(decision, undefined);
    assert.deepEqual(arbiter.decisions(), []);
  });
});
