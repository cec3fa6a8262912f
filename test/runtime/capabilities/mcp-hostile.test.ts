/** `mcp` against hostile programs: each harms the call that met it and nothing else, and leaves no process behind. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, it } from "node:test";
import { systemClock, type Clock } from "../../../vault/index.ts";
import { until } from "../../sandbox/support.ts";
import { withoutJobs } from "../../support/jobs.ts";
import { mcpWith, programServer, textOf } from "../../support/mcp.ts";
import { processesWith } from "../../support/processes.ts";

const skip = await withoutJobs();
const code = (name: string, message = /./) => ({ name: "RuntimeError", code: `RUNTIME_CAPABILITY_${name}`, message });
const newWord = (): string => `mcp${randomBytes(8).toString("hex")}`;

describe("a hostile server", { skip }, () => {
  it("that ends, floods or writes without end fails the call, is ended, and is begun again for the next", async () => {
    const word = newWord();
    const { ask, end, notes } = mcpWith(programServer("good", {}, word));
    await assert.rejects(ask("call", "s", "die"), code("OUTCOME_UNKNOWN", /s is gone: it ended with code 3/));
    await assert.rejects(ask("call", "s", "flood"), code("FAILED", /talks without being asked/));
    await assert.rejects(ask("call", "s", "long"), code("TOO_LARGE", /a message of more than 2097152 bytes/));
    assert.equal(textOf(await ask("call", "s", "count")), "1");
    assert.equal(notes.length, 3);
    await end();
    assert.deepEqual(processesWith(word), []);
  });

  it("that says garbage, or asks for a model, files and users, gets nothing and answers all the same", async (t) => {
    const { ask, end, notes } = mcpWith(programServer("good"));
    t.after(end);
    assert.equal(textOf(await ask("call", "s", "garbage")), "after garbage");
    const [model, files, user, ping] = JSON.parse(textOf(await ask("call", "s", "ask")));
    assert.deepEqual([model.code, files.code, user.code, ping], [-32601, -32601, -32601, {}]);
    assert.deepEqual(
      notes,
      ["sampling/createMessage", "roots/list", "elicitation/create"].map((what) => `s: it asked for ${what}: refused`),
    );
    await assert.rejects(ask("call", "s", "wants"), code("FAILED"));
    await assert.rejects(ask("call", "s", "deep"), code("FAILED", /nested deeper than 64/));
    assert.equal(textOf(await ask("call", "s", "count")), "1");
  });

  it("that lets the time pass in silence is ended with the call; one that speaks meanwhile is not", async () => {
    const { clock, fire } = handClock(7_777);
    const { ask, end } = mcpWith(programServer("good", { timeoutMs: 7_777 }), { clock });
    assert.equal(textOf(await ask("call", "s", "count")), "1");
    const kept = ask("call", "s", "silent");
    assert.equal(textOf(await ask("call", "s", "count")), "2");
    await fire();
    await assert.rejects(kept, code("TIMEOUT", /s: no answer within 7777 ms/));
    assert.equal(textOf(await ask("call", "s", "count")), "3");
    const hung = ask("call", "s", "silent");
    await fire();
    await assert.rejects(hung, code("TIMEOUT"));
    assert.equal(textOf(await ask("call", "s", "count")), "1");
    await end();
  });

  const openings: readonly (readonly [string, ReturnType<typeof code>])[] = [
    ["crash", code("UNAVAILABLE", /ended with code 7/)],
    ["dies-of-list", code("UNAVAILABLE", /ended with code 4/)],
    ["babble", code("FAILED", /talks without being asked/)],
    ["old", code("FAILED", /no MCP, or of a version that is not known/)],
    ["endless-list", code("TOO_LARGE", /more than 32 pages/)],
  ];
  for (const [kind, error] of openings) {
    it(`that cannot be begun with is told as such: ${kind}`, async () => {
      const word = newWord();
      const { ask, end } = mcpWith(programServer(kind, {}, word));
      await assert.rejects(ask("tools", "s"), error);
      await end();
      assert.deepEqual(processesWith(word), []);
    });
  }

  for (const kind of ["silent", "deaf"]) {
    it(`that is not ready in time is ended: ${kind}`, async () => {
      const word = newWord();
      const { clock, fire } = handClock(20_000);
      const { ask, end } = mcpWith(programServer(kind, {}, word), { clock });
      const asked = ask("tools", "s");
      await until(() => processesWith(word).length > 0);
      await fire();
      await assert.rejects(asked, code("UNAVAILABLE", /s was not ready within 20000 ms/));
      assert.deepEqual(processesWith(word), []);
      await end();
    });
  }

  it("that will not end, nor what it started, ends with the life of the agent", async () => {
    const word = newWord();
    const { clock, fire } = handClock(2_000); // between SIGTERM and SIGKILL
    const { ask, end } = mcpWith(programServer("stubborn", {}, word), { clock });
    await ask("call", "s", "count");
    const ended = end();
    await fire();
    await ended;
    assert.deepEqual(processesWith(word), []);
  });

  it("that will not end is waited for before it is begun again", async () => {
    const word = newWord();
    const grace = handClock(2_000);
    const { clock, fire } = handClock(7_777, grace.clock);
    const { ask, end } = mcpWith(programServer("stubborn", { timeoutMs: 7_777 }, word), { clock });
    await ask("call", "s", "count");
    const alone = processesWith(word).length;
    const hung = ask("call", "s", "silent");
    await fire();
    await assert.rejects(hung, code("TIMEOUT"));
    const next = ask("call", "s", "count");
    const other = mcpWith(programServer("good")); // For as long as it takes to begin one.
    await other.ask("call", "s", "count");
    assert.equal(processesWith(word).length, alone);
    await grace.fire();
    assert.equal(textOf(await next), "1");
    await other.end();
    const ended = end();
    await grace.fire();
    await ended;
  });

  it("that ends again and again is left alone for a while", async (t) => {
    const { ask, end } = mcpWith({ program: { file: "/bin/false" }, tools: { allow: ["echo"] } });
    t.after(end);
    for (let tries = 0; tries < 5; tries++) await assert.rejects(ask("tools", "s"), code("UNAVAILABLE", /with code 1/));
    await assert.rejects(ask("tools", "s"), code("UNAVAILABLE", /begun 5 times within 60 s/));
  });

  it("that is not there is unavailable, in words without a path", async (t) => {
    const { ask, end, notes } = mcpWith({ program: { file: "/no/such/program" }, tools: { allow: ["echo"] } });
    t.after(end);
    await assert.rejects(ask("tools", "s"), code("UNAVAILABLE", /^s cannot be started: [^/]*$/));
    assert.match(notes.join(), /no\/such\/program/);
  });
});

/** A clock whose timers of one length fire when the test says so. */
function handClock(
  delayMs: number,
  base: Clock = systemClock,
): { readonly clock: Clock; fire(this: void): Promise<void> } {
  const waiting = new Set<() => void>();
  const after: Clock["after"] = (ms, tell) => {
    if (ms !== delayMs) return base.after(ms, tell);
    waiting.add(tell);
    return { cancel: () => void waiting.delete(tell) };
  };
  const fire = async (): Promise<void> => {
    await until(() => waiting.size > 0);
    for (const tell of waiting) tell();
    waiting.clear();
  };
  return { clock: { now: () => base.now(), monotonicMs: () => base.monotonicMs(), after }, fire };
}
