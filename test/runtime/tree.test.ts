/**
 * What a runtime says of itself: its tree, its cells, its log lines.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { inspect } from "node:util";
import { withRuntime } from "../../runtime/testing.ts";
import { COUNTER } from "../support/agents.ts";

describe("the tree of a runtime", () => {
  it("shows every agent under the root: running, asleep in the vault and parked, with figures that are measured", async (t) => {
    const runtime = await withRuntime(t);
    const up = await runtime.spawn({ id: "up", source: COUNTER });
    await up.call("add", 1);
    await up.fork({ id: "asleep" });
    const failing = await runtime.spawn({ id: "parked", source: COUNTER, intensity: 0 });
    failing.cast("fail", "once is too often");
    await failing.call("read").catch(() => undefined); // whatever it answers: behind the cast
    const tree = runtime.tree();
    assert.deepEqual([tree.id, tree.strategy], ["root", "one_for_one"]);
    const statuses = Object.fromEntries(tree.children.map(({ id, status }) => [id, status]));
    assert.deepEqual(statuses, { asleep: "asleep", parked: "parked", up: "up" });
    assert.match(String(tree), /parked {2}parked: fail threw RangeError: once is too often$/m);
    assert.equal((await failing.info()).reason?.name, "fault");
    const info = await up.info();
    assert.ok(info.heapBytes > 100_000 && info.heapBytes < info.heapLimitBytes);
    assert.deepEqual([info.mailbox, info.restarts, info.version, info.profile], [0, 0, 1, "trusted"]);
    assert.ok(runtime.cells().some(({ pid }) => pid === info.cellPid));
  });
});

describe("a tree with supervisors", () => {
  it("is nested, prints itself with lines that say who is whose, and is plain data as JSON", async (t) => {
    const runtime = await withRuntime(t);
    await runtime.spawn({ id: "alone", source: COUNTER });
    await runtime.supervise({
      id: "shop",
      strategy: "rest_for_one",
      children: [
        { id: "stock", source: COUNTER },
        { id: "tills", strategy: "dynamic", template: { source: COUNTER } },
        { id: "ads", children: [{ id: "banner", source: COUNTER }], restart: "transient" },
      ],
    });
    const tills = runtime.supervisor("shop/tills");
    await tills.startChild({ id: "one" });
    await tills.startChild({ id: "two" });
    await tills.terminateChild("two");
    await runtime.supervisor("shop/ads").stop();
    await runtime.ref("shop/tills/one").kill();
    await runtime.ref("shop/tills/one").call("read");
    const shape = String(runtime.tree()).replace(/, heap [^]*?(?=\n|$)/g, "");
    assert.equal(
      shape,
      [
        "root  one_for_one",
        "├─ alone  up",
        "└─ shop  rest_for_one, up",
        "   ├─ stock  up",
        "   ├─ tills  dynamic, up",
        "   │  ├─ one  up, 1 restart",
        "   │  └─ two  down",
        "   └─ ads  one_for_one, down",
        "      └─ banner  down: shop/ads was told to stop (shutdown)",
      ].join("\n"),
    );
    assert.equal(inspect(runtime.tree()), String(runtime.tree()));
    const data: unknown = JSON.parse(JSON.stringify(runtime.tree()));
    assert.partialDeepStrictEqual(data, {
      type: "supervisor",
      id: "root",
      children: [
        { id: "alone", status: "up", restarts: 0 },
        { id: "shop", strategy: "rest_for_one", children: [{ id: "shop/stock", heapLimitBytes: 32 << 20 }, {}, {}] },
      ],
    });
  });
});

describe("the log of a runtime", () => {
  it("has a line for what its agents did and logged", async (t) => {
    const lines: string[] = [];
    const logDestination = { write: (line: string) => void lines.push(line) };
    const runtime = await withRuntime(t, { logLevel: "info" }, { logDestination });
    const counter = await runtime.spawn({ id: "counter", source: COUNTER });
    await counter.call("say", "hello from inside");
    await counter.kill();
    await counter.call("read");
    const messages = lines.map((line) => (JSON.parse(line) as { readonly msg: string }).msg);
    for (const message of ["runtime.opened", "agent.spawned", "agent.logged", "agent.exited", "agent.restarted"]) {
      assert.ok(messages.includes(message), `${message} is missing in ${messages.join(", ")}`);
    }
    assert.ok(lines.some((line) => line.includes("hello from inside")));
  });
});
