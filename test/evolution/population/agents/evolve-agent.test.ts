/** An agent's module is searched for on some of its recorded turns, and judged by the arbiter on the others. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Arbiter, evolveAgent } from "../../../../evolution/index.ts";
import type { Mutator } from "../../../../evolution/index.ts";
import { replayStage } from "../../../../evolution/stages/replay.ts";
import { compileStage } from "../../../../evolution/stages/compile.ts";
import type { Stage } from "../../../../evolution/index.ts";
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
});
