/**
 * An attacker who owns the process of a cell with shadows in it: what he may say, what it costs him, and that no live agent and no
 * branch but the forks in that cell feels it.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { TestContext } from "node:test";
import type { Runtime, Shadow } from "../../runtime/index.ts";
import { withRuntime } from "../../runtime/testing.ts";
import { Cell } from "../../sandbox/index.ts";
import type { CellOptions } from "../../sandbox/index.ts";
import { HEAD, HONEST_AT_FIRST } from "../sandbox/hostile-program.ts";
import { plainLayers, Program } from "../sandbox/support.ts";
import { COUNTER } from "../support/agents.ts";
import { dropAll, reply, turnOf } from "../support/shadows.ts";

describe("who owns a cell of shadows", () => {
  /** Two shadows of `victim` in a cell that a program owns; another agent's live state beside it. */
  async function owned(t: TestContext, attack: string): Promise<{ runtime: Runtime; shadows: readonly Shadow[] }> {
    const program = new Program(HEAD + HONEST_AT_FIRST + attack);
    t.after(() => program[Symbol.dispose]());
    const layers = await plainLayers();
    const startCell = (options: CellOptions): Promise<Cell> =>
      options.lane === "async" ? Cell.startWith(options, layers, program.file) : Cell.start(options);
    const runtime = await withRuntime(t, { cells: 1, osSandbox: "off" }, { startCell });
    for (const id of ["victim", "innocent"])
      await (await runtime.spawn({ id, source: COUNTER, profile: "hardened" })).call("add", 7);
    const control = runtime.control("victim");
    const { artifact } = control.code;
    const shadows = [await control.shadow({ artifact }), await control.shadow({ artifact })];
    return { runtime, shadows };
  }

  async function unharmed(runtime: Runtime): Promise<void> {
    assert.deepEqual(runtime.ids(), ["innocent", "victim"]);
    for (const id of runtime.ids()) assert.equal(await runtime.ref(id).call("read"), 7);
  }

  const lies: readonly (readonly [what: string, attack: string, detail: RegExp, isNamed: boolean])[] = [
    [
      "answers in the name of an agent that is not there",
      `const attack = (slot, ticket, id) => send(record(19, slot + 7, 1, settledText(1)));`,
      /empty slot/,
      false,
    ],
    [
      "answers twice",
      `const attack = (slot, ticket, id) => send(record(19, slot, ticket, settledText(id)), record(19, slot, ticket, settledText(id)));`,
      /not outstanding/,
      true,
    ],
    [
      "writes rows of what is no table of its own",
      `const attack = (slot, ticket, id) => send(record(19, slot, ticket,
         "D" + pack(String(id), "1", "0", "1", "0", "0", "t\\0x", "key", "=1")));`,
      /table's name/,
      true,
    ],
    [
      "asks for rows of what is no table of its own",
      `const attack = (slot, ticket, id) => send(record(20, slot, ticket,
         "W" + pack(String(id), "0", "1", "1", "get", "a:spec", "x", "", "", "", "1")));`,
      /honest/,
      true,
    ],
  ];
  for (const [what, attack, detail, isNamed] of lies) {
    it(`and ${what} loses the cell, and no live agent feels it`, async (t) => {
      const { runtime, shadows } = await owned(t, attack);
      const [culprit, other] = shadows;
      assert.equal(reply((await culprit?.run(turnOf("add", 1))) ?? assert.fail()), 1, "honest at first");
      const turn = await culprit?.run(turnOf("attack"));
      // An answer that came twice was heard once; the turn behind it is lost.
      const lost = turn?.loss === undefined ? await culprit?.run(turnOf("add", 1)) : turn;
      assert.equal(lost?.outcome.kind, "lost");
      const exit = culprit?.lost;
      assert.deepEqual([exit?.reason, exit?.suspects], ["bad_frame", isNamed ? [culprit?.name] : []]);
      assert.match(exit?.detail ?? "", detail);
      assert.equal(other?.lost, exit);
      await dropAll(shadows);
      await unharmed(runtime);
    });
  }

  it("may write what it likes, but it stands in the fork, as the state of the agent that it is a shadow of", async (t) => {
    const op = `"a:spec", "={}", "a:current", "={}", "i:1", "=1"`;
    const { runtime, shadows } = await owned(
      t,
      `const attack = (slot, ticket, id) => send(record(19, slot, ticket, "D" + pack(String(id), "1", "3", "1", "1", "0", ${op},
         "rows", "k", "=1", "cast", pack("innocent", "add", "1"))));`,
    );
    const [culprit] = shadows;
    const turn = (await culprit?.run(turnOf("attack"))) ?? assert.fail();
    assert.equal(turn.outcome.kind, "done");
    assert.deepEqual(
      [...(culprit?.state() ?? [])].map(([key]) => key),
      ["state.a:current", "state.a:spec", "state.count", "state.i:1", "state.last", "table.rows.k"],
    );
    assert.deepEqual(
      turn.effects.map(({ verb, how }) => [verb, how]),
      [["cast", "sent"]],
    );
    await dropAll(shadows);
    await unharmed(runtime);
  });

  it("may answer for the other shadows in it: which is why what counts is tried alone", async (t) => {
    const { runtime, shadows } = await owned(
      t,
      `let other; const attack = (slot, ticket, id) => { if (other === undefined) { other = [slot, ticket, id]; return; }
         send(record(19, other[0], other[1], settledText(other[2], '"forged"')), record(19, slot, ticket, settledText(id))); };`,
    );
    const [first, second] = await Promise.all(shadows.map((shadow) => shadow.run(turnOf("attack"))));
    assert.deepEqual([reply(first ?? assert.fail()), reply(second ?? assert.fail())], ["forged", 1]);
    await dropAll(shadows);
    await unharmed(runtime);
  });
});
