/** A shadow is where a live agent is as far as its code can see: no deeper stack gives it away. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { withRuntime } from "../../runtime/testing.ts";

const SOURCE = `
import { agent } from "planaria/agent";
let depth = 0;
function down() { depth += 1; down(); }
export default agent({
  version: 1,
  state: () => ({}),
  on: {
    depth() {
      depth = 0;
      try { down(); } catch { return depth; }
    },
  },
});
`;

describe("a shadow", () => {
  it("can call itself as deep as the live agent can, within a hundredth", async (t) => {
    const runtime = await withRuntime(t);
    const agent = await runtime.spawn({ id: "deep", source: SOURCE });
    await agent.call("depth", undefined);
    const live = Number(await agent.call("depth", undefined));
    const control = runtime.control("deep");
    const turn = control.turns().at(-1);
    assert.ok(turn !== undefined && turn.result.ok);
    await using shadow = await control.shadow({ artifact: control.code.artifact });
    await shadow.run(turn);
    const { outcome } = await shadow.run(turn);
    assert.equal(outcome.kind, "done");
    const onTrial = Number(outcome.kind === "done" && outcome.reply);
    assert.ok(Math.abs(onTrial / live - 1) < 0.01, `${onTrial} on trial, ${live} live`);
  });
});
