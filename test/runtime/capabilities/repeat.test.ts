/** Recorded streams as a turn that comes again is given them: in batches that its guest takes, however many parts there were. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { keptParts, repeated } from "../../../runtime/capabilities/repeat.ts";
import type { RuntimeError } from "../../../runtime/index.ts";
import { withRuntime } from "../../../runtime/testing.ts";
import { batchOf, BATCH_PARTS_MAX } from "../../../sandbox/host-text.ts";
import { capabilityOf } from "../../support/host-agent.ts";

describe("a recorded stream", () => {
  for (const count of [0, 1, BATCH_PARTS_MAX, BATCH_PARTS_MAX + 1, 3 * BATCH_PARTS_MAX]) {
    it(`of ${count} parts is given out in batches, the last of which says so`, async () => {
      const parts = Array.from({ length: count }, (_, index) => `${index}`);
      const outcome = { code: "ok", bytes: 1, durationMs: 1 };
      const again = repeated({ outcome, answer: keptParts(parts) }, "c.v");
      assert.ok("parts" in again);
      const read: string[] = [];
      for (let number = 0; ; number++) {
        const [end, ...more] = batchOf(await again.parts.batch(number));
        read.push(...more);
        if (end === "0") break;
        assert.equal(more.length, BATCH_PARTS_MAX);
      }
      assert.deepEqual(read, parts);
    });
  }

  it("of many parts reaches an agent whose message comes again", async (t) => {
    let calls = 0;
    const tool = capabilityOf("tool", {
      async *parts() {
        calls += 1;
        for (let index = 0; index < 1_500; index++) yield `w${index}`;
      },
    });
    const runtime = await withRuntime(t, { capabilities: [tool] });
    const source = `export default { version: 1, state: () => ({}), on: { do: async (ctx) => {
      let [count, last] = [0, ""];
      for await (const part of ctx.host.tool.parts()) { count += 1; last = part; }
      throw new Error(count + " parts, the last " + last);
    } } };`;
    const agent = await runtime.spawn({ id: "a", source, host: { tool: {} } });
    for (let time = 0; time < 2; time++) {
      await assert.rejects(agent.call("do", undefined, { id: "once" }), ({ details }: RuntimeError) => {
        assert.equal(details["message"], "1500 parts, the last w1499");
        return true;
      });
    }
    assert.equal(calls, 1);
  });
});
