/** Programs in a cell's place that do what no honest cell does. Each ends its cell, and nothing else. */
import { strict as assert } from "node:assert";
import { describe, it } from "node:test";
import { Cell, type CellOptions, type TurnRead } from "../../sandbox/index.ts";
import { HEAD } from "./hostile-program.ts";
import { Actor, brief, isRunning, OPTIONS, plainLayers, Program, recorder, until } from "./support.ts";

async function startProgram(
  code: string,
  changes: Partial<CellOptions["limits"]> = {},
  timeMs = 50,
): Promise<{ cell: Cell; program: Program; actor: Actor }> {
  const program = new Program(HEAD + code);
  const options = { ...OPTIONS, limits: { ...OPTIONS.limits, frameBytesMax: 65_536, ...changes } };
  const cell = await Cell.startWith(options, await plainLayers(), program.file);
  // Small limits: a text that never ends is over them soon, also on a busy machine.
  const limits = {
    wallMs: timeMs,
    cpuMs: timeMs,
    loadMs: timeMs,
    stateBytesMax: 1_000,
    replyBytesMax: 1_000,
    messageBytesMax: 1_000,
  };
  const onRead = (read: TurnRead): void => actor.resident.answer(read.turn, read.ask, { ok: true, text: "1" });
  const actor: Actor = new Actor(cell, { limits, onRead });
  return { cell, program, actor };
}

describe("a cell that sends what no honest cell sends is killed for bad_frame:", () => {
  const cases: readonly [what: string, code: string, outcomes: readonly string[]][] = [
    ["bytes that are no frame", `placed(() => pipe.write("HTTP/1.1 200 OK\\r\\n\\r\\n"));`, []],
    ["a greeting after the greeting", `placed(() => send(record(16, 0, 0, "{}")));`, []],
    ["a record for an empty slot", `placed(() => send(record(19, 7, 1, "D")));`, []],
    ["a confirmation that nobody waits for", `placed(() => send(record(22, 1, 0)));`, []],
    ["the end of a turn before loading", `placed(() => send(done(1)));`, []],
    ["loading twice", `placed(() => send(loaded, loaded));`, []],
    ["a turn that was not given", `placed(() => send(loaded, done(9)));`, []],
    ["turns out of order", `placed(() => send(loaded, done(2)));`, []],
    ["a second answer to one turn", `placed(() => send(loaded, done(1), done(1)));`, ["done 1"]],
    ["another turn's number inside", `placed(() => send(loaded, done(1, 2)));`, []],
    ["a text that is no envelope", `placed(() => send(loaded, record(19, 1, 1, "garbage")));`, []],
    ["an ask as the last word", `placed(() => send(loaded, record(19, 1, 1, "W" + pack("1", "0", "0"))));`, []],
    [
      "an ask without an entry",
      `const ask = record(20, 1, 1, "W" + pack("1", "1", "0", "1", "call", "", "x")); placed(() => send(loaded, ask, ask));`,
      [],
    ],
    [
      "a text that never ends",
      `const piece = record(19, 1, 1, "x".repeat(60000), 1);
       const flood = () => { while (pipe.writableLength < 1e6) send(piece); setImmediate(flood); };
       placed(() => { send(loaded); flood(); });`,
      [],
    ],
    ["a read of rows as the last word", `placed(() => send(loaded, record(19, 1, 1, reads(1, 1))));`, []],
    ["one read twice", `placed(() => send(loaded, record(20, 1, 1, reads(1, 2, 0))));`, []],
    ["more reads than a turn may make, at once", `placed(() => send(loaded, record(20, 1, 1, reads(1, 9))));`, []],
    ["rows of another agent's table", `placed(() => send(loaded, record(20, 1, 1, reads(1, 1, 1, "t\\0x"))));`, []],
    ["a key of the state as a table", `placed(() => send(loaded, record(20, 1, 1, reads(1, 1, 1, "s:"))));`, []],
    ["a page that never ends", `placed(() => send(loaded, record(20, 1, 1, reads(1, 1, 1, "t", "99999"))));`, []],
    [
      "more reads than a turn may make, one after the other",
      `let ask = 0;
       placed(() => { send(loaded, record(20, 1, 1, reads(++ask, 1))); pipe.on("data", () => send(record(20, 1, 1, reads(++ask, 1)))); });`,
      [],
    ],
    ["an end without a reason", `placed(() => send(loaded, record(21, 1, 1, "BECAUSE\\n")));`, []],
  ];
  for (const [what, code, outcomes] of cases) {
    it(what, async () => {
      // Time enough that no busy machine ends it for being silent before it has said too much.
      const { cell, program, actor } = await startProgram(code, {}, 10_000);
      using _ = program;
      const turns = await Promise.all([actor.call("add"), actor.call("add")]);
      const exit = await cell.exited;
      assert.equal(exit.reason, "bad_frame");
      assert.match(exit.detail, /honest/);
      const lost = turns.slice(outcomes.length);
      assert.deepEqual(turns.slice(0, outcomes.length).map(brief), outcomes);
      assert(lost.every((outcome) => outcome.kind === "lost" && outcome.code === "SANDBOX_CELL_LOST"));
      await until(() => !isRunning(cell.pid));
    });
  }
});

describe("of a cell that was killed for what it sent", () => {
  const cases: readonly [what: string, code: string, suspects: readonly string[]][] = [
    ["one agent's words name it", `placed(() => send(loaded, record(19, 1, 1, "garbage")));`, ["actor"]],
    ["nobody's words name nobody", `placed(() => send(loaded, record(19, 7, 1, "D")));`, []],
  ];
  for (const [what, code, suspects] of cases) {
    it(what, async () => {
      const { cell, program, actor } = await startProgram(code);
      using _ = program;
      await actor.call("add");
      assert.deepEqual((await cell.exited).suspects, suspects);
    });
  }
});

describe("a cell that does not do its work is killed:", () => {
  const cases: readonly [what: string, code: string, reason: string, changes: Partial<CellOptions["limits"]>][] = [
    ["silent", "", "hung", { heartbeatMs: 100 }],
    ["alive, but nothing ever ends", "setInterval(() => send(beat), 10);", "hung", { heartbeatMs: 100 }],
    ["deaf, with its pipe closed", "placed(() => { pipe.destroy(); setInterval(() => {}, 1000); });", "crashed", {}],
    [
      "larger than its memory limit",
      "const all = []; setInterval(() => { all.push(Buffer.alloc(4e6, 1)); send(beat); }, 1);",
      "memory",
      { memoryMb: 40 },
    ],
  ];
  for (const [what, code, reason, changes] of cases) {
    it(what, async () => {
      const { cell, program, actor } = await startProgram(code, changes);
      using _ = program;
      assert.match(brief(await actor.call("add")), /^lost SANDBOX_CELL_LOST/);
      assert.equal((await cell.exited).reason, reason);
      await until(() => !isRunning(cell.pid));
    });
  }
});

describe("an agent whose turn waits for what it never asked", () => {
  it("loses its isolate, and its neighbours keep the cell", async () => {
    const { cell, program, actor } = await startProgram(
      `placed(() => send(loaded, record(20, 1, 1, "W" + pack("1", "0", "0"))));`,
    );
    using _ = program;
    assert.match(brief(await actor.call("add")), /^lost SANDBOX_DISPOSED/);
    assert.equal(isRunning(cell.pid), true);
    cell.kill("the test is over");
    await cell.exited;
  });
});

describe("a cell that cannot start", () => {
  it("says so with what it printed", async () => {
    using program = new Program('throw new Error("no such luck")');
    const { events, onEvent } = recorder();
    const start = Cell.startWith({ ...OPTIONS, onEvent }, await plainLayers(), program.file);
    await assert.rejects(start, { code: "SANDBOX_CELL_START_FAILED", message: /no such luck/ });
    assert.deepEqual([...new Set(events.map(({ type }) => type))], ["cell.stderr"]);
  });

  it("says so when a program in front of node fails", async () => {
    using program = new Program("");
    const layers = { ...(await plainLayers()), prlimit: "/nonexistent/prlimit" };
    await assert.rejects(Cell.startWith(OPTIONS, layers, program.file), { code: "SANDBOX_CELL_START_FAILED" });
  });

  it("says so when it greets with anything but a greeting", async () => {
    using program = new Program(HEAD.replace('send(record(16, 0, 0, "{}"));', "send(beat);"));
    const start = Cell.startWith(OPTIONS, await plainLayers(), program.file);
    await assert.rejects(start, { code: "SANDBOX_CELL_START_FAILED" });
  });
});

describe("what a cell prints", () => {
  it("arrives as an event, and is cut when it is too much", async () => {
    using program = new Program(
      `${HEAD} require("node:fs").writeSync(2, "x".repeat(100000)); placed(() => process.abort());`,
    );
    const { events, onEvent } = recorder();
    const cell = await Cell.startWith({ ...OPTIONS, onEvent }, await plainLayers(), program.file);
    const actor = new Actor(cell);
    await actor.call("add");
    assert.equal((await cell.exited).reason, "crashed");
    const printed = events.filter((event) => event.type === "cell.stderr");
    assert(printed.length > 0 && printed.at(-1)?.isTruncated);
    assert.equal(
      printed.reduce((sum, { text }) => sum + text.length, 0),
      16_384,
    );
  });
});
