/**
 * The adversary behind a handler's first question: answers of the world that are made up, the same for both, and kept with the attack.
 */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Attacks } from "../../../evolution/attacks.ts";
import { adversaryStage } from "../../../evolution/stages/adversary.ts";
import type { Runtime } from "../../../runtime/index.ts";
import { withRuntime } from "../../../runtime/testing.ts";
import { changed, saidOf } from "./trial.ts";

const SEED = Number(process.env["SEED"] ?? 11);
/** What does not end is stopped by the wall clock; little CPU time is enough to know it for what it is, on a busy machine too. */
const LIMITS = { cpuMs: 25, wallMs: 250 };

const cleanUps: (() => Promise<void>)[] = [];
after(async () => {
  for (const cleanUp of cleanUps) await cleanUp();
});

describe(`what a handler does behind its first question (seed ${SEED})`, () => {
  const SHOP = `
import { agent } from "planaria/agent";
export default agent({
  version: 1,
  state: () => ({ last: [] as number[], asked: 0 }),
  on: {
    async quote(ctx, item: string) {
      const answer: any = await ctx.call("stock", "find", String(item));
      const prices = Array.isArray(answer?.prices) ? answer.prices : [];
      let sum = 0;
      for (const price of prices) sum += Number(price) || 0;
      ctx.state.last = prices.map((price: unknown) => Number(price) || 0);
      return sum;
    },
    last: { reads: true, handle: (ctx) => ctx.state.last.length },
  },
});
`;
  const STOCK = `
import { agent } from "planaria/agent";
export default agent({
  version: 1,
  state: () => ({ asked: 0 }),
  on: {
    find(ctx, item: string) { ctx.state.asked += 1; return { item, prices: [1, 2, item.length], total: 3 }; },
    asked: (ctx) => ctx.state.asked,
  },
});
`;
  const SUM = "let sum = 0;";
  let own: Runtime;

  before(async () => {
    own = await withRuntime({ after: (cleanUp) => void cleanUps.push(cleanUp) });
    await own.spawn({ id: "stock", source: STOCK });
    const shop = await own.spawn({ id: "shop", source: SHOP, limits: LIMITS });
    for (const item of ["pear", "apple", "fig"]) await shop.call("quote", item);
    await shop.call("last");
  });

  const store = (name: string): Promise<Attacks> =>
    Attacks.open({ events: own.events, journal: () => own.journal(`shop-${name}`) });

  for (const [what, name, source, reason] of [
    [
      "does not end on what it is told",
      "hangs",
      changed(SHOP, SUM, `${SUM} for (let at = 0; "total" in Object(answer) && at !== answer.total; at++);`),
      /it does not end after quote\(/,
    ],
    [
      "writes what it cannot read",
      "writes",
      changed(SHOP, "prices.map((price: unknown) => Number(price) || 0)", "answer?.prices"),
      /it no longer answers last after quote\(/,
    ],
    [
      "obeys what it is told",
      "obeys",
      changed(SHOP, SUM, `${SUM} if (answer !== null && !Array.isArray(answer?.prices)) await ctx.stop("stock");`),
      /it asks the outside \(stop\)/,
    ],
  ] as const) {
    it(`is attacked, too: a candidate that ${what} fails, and what it was told is kept`, async () => {
      const attacks = await store(name);
      const parts = { runtime: own, agent: "shop", seed: SEED, attacks };
      const said = await saidOf(adversaryStage, { ...parts, source });
      assert.deepEqual([said.verdict, said.code], ["fail", "EVOLUTION_ATTACK_SUCCEEDED"], said.reason);
      assert.match(said.reason, reason);
      const kept = attacks.of("shop");
      assert.ok(
        kept.some(({ messages }) => (messages[0]?.answers?.length ?? 0) > 0),
        JSON.stringify(kept),
      );
      // It fails every later one by what is kept alone, whatever its seed.
      const again = await saidOf(adversaryStage, { ...parts, source, seed: SEED + 1, options: { generatedCases: 0 } });
      assert.deepEqual([again.verdict, again.figures?.["generated"]], ["fail", 0], again.reason);
      const honest = changed(SHOP, "sum += Number(price) || 0", "sum = sum + (Number(price) || 0)");
      const well = await saidOf(adversaryStage, { ...parts, source: honest, options: { generatedCases: 0 } });
      assert.equal(well.verdict, "pass", well.reason);
    });
  }

  it("is told what is documented of capabilities that nobody has asked yet", async () => {
    const looks = `
import { agent } from "planaria/agent";
export default agent({
  version: 1,
  state: () => ({}),
  on: {
    async look(ctx, url: string) {
      if (url === "") return 0;
      const page: any = await ctx.host.fetch("https://shop.invalid/");
      const answer: any = await ctx.host.llm.chat({ messages: [{ role: "user", content: String(page?.text) }] });
      return String(answer?.text).length;
    },
  },
});
`;
    const given = { fetch: { allow: ["https://shop.invalid"] } };
    const ref = await own.spawn({ id: "looks", source: looks, limits: LIMITS, host: given });
    await ref.call("look", "");
    const hangs = changed(looks, "return String", "for (let at = 0; at !== answer?.text.length; at++); return String");
    const attacks = await store("looks");
    const said = await saidOf(adversaryStage, { runtime: own, agent: "looks", source: hangs, seed: SEED, attacks });
    assert.equal(said.verdict, "fail", said.reason);
    assert.match(said.reason, /it does not end after look\(/);
    const subjects = attacks.of("looks").flatMap(({ messages }) => messages[0]?.answers?.map(({ subject }) => subject));
    assert.ok(subjects.includes("host llm.chat"), subjects.join());
    assert.ok(
      subjects.some((subject) => subject?.startsWith("host fetch")),
      subjects.join(),
    );
  });

  it("fails no candidate that is as good, or more careful, and nobody is asked", async () => {
    const asked = await own.ref("stock").call("asked");
    for (const [index, source] of [
      changed(SHOP, "sum += Number(price) || 0", "sum = sum + (Number(price) || 0)"),
      changed(SHOP, SUM, `${SUM} if (prices.length === 0) await ctx.call("stock", "find", "pear").catch(() => 0);`),
      changed(SHOP, SUM, `${SUM} if (prices.length > 1000) throw new RangeError("too many prices");`),
    ].entries()) {
      const attacks = await store(`good-${index}`);
      const said = await saidOf(adversaryStage, { runtime: own, agent: "shop", source, seed: SEED, attacks });
      assert.equal(said.verdict, "pass", said.reason);
    }
    assert.equal(await own.ref("stock").call("asked"), asked);
  });
});
