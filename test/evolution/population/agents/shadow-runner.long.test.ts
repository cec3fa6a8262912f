/** What a candidate that never ends costs the search for a better module. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ShadowRunner } from "../../../../evolution/population/agents/shadow-runner.ts";
import { withRuntime } from "../../../../runtime/testing.ts";

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

describe("the runner of whole agents", { timeout: 120_000 }, () => {
  it("asks a candidate that never ends three times, and no more", async (t) => {
    const runtime = await withRuntime(t);
    const ref = await runtime.spawn({ id: "shop", source: PRICES, limits: { cpuMs: 40 } });
    for (let turn = 0; turn < 30; turn++) await ref.call("price", turn);
    const control = runtime.control("shop");
    const calls = control.turns().map((_, number) => [number]);
    const { signal } = new AbortController();
    let asked = 0;
    signal.throwIfAborted = () => void (asked += 1);
    const text = PRICES.replace("return count", "if (count > 3) for (;;); return count");
    const runner = new ShadowRunner(control, control.turns());
    const { outcomes } = await runner.run({ text, entry: "default" }, calls, { fuel: 1, signal });
    const exceeded = { kind: "exceeded", code: "SANDBOX_CPU_EXCEEDED" };
    assert.equal(outcomes.length, 30);
    assert.deepEqual(outcomes[3], { kind: "returned", value: 16 });
    assert.deepEqual(
      outcomes.slice(4),
      outcomes.slice(4).map(() => exceeded),
    );
    assert.equal(asked, 7);
  });
});
