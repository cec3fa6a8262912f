/**
 * An attacker who owns the process of a cell, inside the real launch, goes for the Guardian through the only thing it has: the
 * pipe. Each time the cell alone ends, for the right reason; agents in other cells are answered all the while; and its own
 * agents go on in another cell, with whatever was acknowledged.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { TestContext } from "node:test";
import type { AgentRef, PlanariaEvent, Runtime, SpawnOptions } from "../../runtime/index.ts";
import { withRuntime } from "../../runtime/testing.ts";
import { Cell } from "../../sandbox/index.ts";
import type { CellExit } from "../../sandbox/index.ts";
import { findLayers } from "../../sandbox/layers.ts";
import { COUNTER, codeOf } from "../support/agents.ts";
import { HEAD, HONEST_AT_FIRST } from "./hostile-program.ts";
import { Program, withoutBubblewrap } from "./support.ts";

const skip = await withoutBubblewrap();
/** The machine may be busy; what is tested here is that answers come, not when. */
const PATIENT = { timeoutMs: 60_000 };

/** A runtime whose first cell is owned by a program, with an agent in it; and an agent in a cell of its own. */
class Siege implements Disposable {
  readonly runtime: Runtime;
  readonly victim: AgentRef;
  readonly innocent: AgentRef;
  readonly events: PlanariaEvent[] = [];
  readonly #program: Program;
  readonly #ended = Promise.withResolvers<CellExit>();
  #isOver = false;

  private constructor(program: Program, parts: Pick<Siege, "runtime" | "victim" | "innocent">) {
    this.#program = program;
    this.runtime = parts.runtime;
    this.victim = parts.victim;
    this.innocent = parts.innocent;
    const [owned] = this.runtime.cells();
    this.runtime.subscribe(
      ({ event }) => {
        this.events.push(event);
        if (event.type === "cell.exited" && event.cell === owned?.id) this.#ended.resolve(event.exit);
      },
      { after: 0 },
    );
    void this.#ended.promise.then(() => (this.#isOver = true));
  }

  static async begin(t: TestContext, attack: string, options: Partial<SpawnOptions> = {}): Promise<Siege> {
    const program = new Program(HEAD + HONEST_AT_FIRST + attack);
    const layers = await findLayers();
    let started = 0;
    const settings = { cells: 1, agentsPerCell: 2, cellMemoryMb: 400 };
    const runtime = await withRuntime(t, settings, {
      startCell: (cell) => (++started === 1 ? Cell.startWith(cell, layers, program.file) : Cell.start(cell)),
    });
    const victim = await runtime.spawn({ id: "victim", source: COUNTER, intensity: 100, ...options });
    const innocent = await runtime.spawn({ id: "innocent", source: COUNTER, domain: "elsewhere" });
    assert.notEqual((await victim.info()).cell, (await innocent.info()).cell);
    return new Siege(program, { runtime, victim, innocent });
  }

  /** The program attacks. Resolves with how its cell ended, once the innocent was answered and the victim lives elsewhere. */
  async attack(): Promise<CellExit> {
    const refused = codeOf(this.victim.call("attack", undefined, PATIENT));
    let answered = 0;
    while (!this.#hasEnded) assert.equal(await this.innocent.call("add", 1, PATIENT), ++answered);
    const exit = await this.#ended.promise;
    // The message is not lost with the cell: it is run again in an honest one, where nobody has such a method. Unless it was the
    // agent's own words that no honest guest says: whoever waits for those is told.
    const isItsOwn = exit.reason === "bad_frame" && exit.suspects.includes("victim");
    assert.equal(await refused, isItsOwn ? "SANDBOX_CELL_LOST" : "SANDBOX_METHOD_UNKNOWN");
    assert.equal(await this.victim.call("echo", 7, PATIENT), 7);
    assert.equal(await this.innocent.call("add", 1, PATIENT), answered + 1);
    assert.deepEqual(this.exits, [exit.reason], "no other cell ended");
    return exit;
  }

  /** Why cells ended so far. */
  get exits(): readonly string[] {
    return this.events.flatMap((event) => (event.type === "cell.exited" ? [event.exit.reason] : []));
  }

  get #hasEnded(): boolean {
    return this.#isOver;
  }

  [Symbol.dispose](): void {
    this.#program[Symbol.dispose]();
  }
}

describe(
  "who owns a cell and goes for the Guardian loses the cell, and nothing else is lost:",
  { skip, concurrency: 3 },
  () => {
    const cases: readonly [what: string, attack: string, reason: string, detail: RegExp][] = [
      [
        "signs of life without end",
        `const many = Array.from({ length: 1000 }, () => beat);
       const flood = () => { while (pipe.writableLength < 1e6) send(...many); setImmediate(flood); };
       const attack = flood;`,
        "bad_frame",
        /so often/,
      ],
      [
        "a long text in the smallest pieces, each of which would cost the Guardian more than it costs the cell",
        `const attack = (slot, ticket) => { const many = Array.from({ length: 10000 }, () => record(19, slot, ticket, "x", 1));
         const flood = () => { while (pipe.writableLength < 1e6) send(...many); setImmediate(flood); }; flood(); };`,
        "bad_frame",
        /small piece/,
      ],
      [
        "a frame of four gigabytes",
        `const attack = () => { const head = Buffer.alloc(8, 255); pipe.write(head); pipe.write(Buffer.alloc(1e6)); };`,
        "bad_frame",
        /frame of 4294967295 bytes/,
      ],
      ["noise", `const attack = () => pipe.write(require("node:crypto").randomBytes(1e6));`, "bad_frame", /honest/],
      [
        "an answer in the name of an agent that lives elsewhere",
        `const attack = (slot, ticket, id) => send(record(19, slot + 1, 1, settledText(1)));`,
        "bad_frame",
        /empty slot/,
      ],
      [
        "a reply over its limit",
        `const attack = (slot, ticket, id) => {
         const text = settledText(id, "1".repeat(2 ** 21));
         for (let at = 0; at < text.length; at += 1e6)
           send(record(19, slot, ticket, text.slice(at, at + 1e6), at + 1e6 < text.length ? 1 : 0));
       };`,
        "bad_frame",
        /honest/,
      ],
      [
        "more questions than a turn may ask",
        `const ask = (no) => [String(no + 1), "call", "", "x"];
       const attack = (slot, ticket, id) => send(record(20, slot, ticket,
         "W" + pack(String(id), "300", "0", ...Array.from({ length: 300 }, (_, no) => ask(no)).flat())));`,
        "bad_frame",
        /asks more often than it may/,
      ],
      [
        "a log without end",
        `const attack = (slot, ticket, id) => send(record(19, slot, ticket, "D" + pack(String(id), "1", "0", "0", "0", "9999999")));`,
        "bad_frame",
        /honest/,
      ],
      [
        "an answer that comes byte by byte and never ends, with a sign of life before",
        `const attack = (slot, ticket) => { const text = record(19, slot, ticket, "D".repeat(1e6));
         const frame = Buffer.concat([Buffer.alloc(8), text]);
         frame.writeUInt32LE(text.length, 0); frame.writeUInt32LE(1, 4);
         let at = 0; setInterval(() => pipe.write(frame.subarray(at, ++at)), 5); };`,
        "hung",
        /nothing came to an end/,
      ],
      ["half of the pipe closed", `const attack = () => pipe.end();`, "crashed", /closed its pipe/],
      [
        "memory",
        `const all = []; const attack = () => setInterval(() => { all.push(Buffer.alloc(8e6, 1)); send(beat); }, 5);`,
        "memory",
        /grew by/,
      ],
      ["its own end", `const attack = () => process.abort();`, "crashed", /./],
    ];
    for (const [what, attack, reason, detail] of cases) {
      it(what, async (t) => {
        using siege = await Siege.begin(t, attack);
        const exit = await siege.attack();
        assert.equal(exit.reason, reason, exit.detail);
        assert.match(exit.detail, detail);
      });
    }
  },
);

describe("who owns a cell may", { skip }, () => {
  it("print as much as it likes: all but the beginning goes nowhere, and it is told so", async (t) => {
    using siege = await Siege.begin(
      t,
      `const attack = (slot, ticket, id) => {
         let end = "";
         const print = () => {
           try { for (let no = 0; no < 100; no++) require("node:fs").writeSync(2, "x".repeat(10000)); setImmediate(print); }
           catch (error) { if (error.code === "EAGAIN") setImmediate(print); else send(record(19, slot, ticket, settledText(id, JSON.stringify(error.code)))); }
         };
         print();
       };`,
    );
    assert.match(String(await siege.victim.call("attack", undefined, PATIENT)), /^(EPIPE|ECONNRESET)$/);
    const printed = siege.events.flatMap((event) => (event.type === "cell.stderr" ? [event.text.length] : []));
    assert.equal(
      printed.reduce((sum, length) => sum + length, 0),
      16_384,
    );
    assert.deepEqual(siege.exits, []);
  });

  it("answer byte by byte: then it is merely slow", async (t) => {
    using siege = await Siege.begin(
      t,
      `const attack = (slot, ticket, id) => {
         const body = record(19, slot, ticket, settledText(id, '"slow"'));
         const head = Buffer.alloc(8); head.writeUInt32LE(body.length, 0); head.writeUInt32LE(1, 4);
         const frame = Buffer.concat([head, body]);
         let at = 0;
         const drip = () => { if (at < frame.length) pipe.write(frame.subarray(at, ++at), () => setImmediate(drip)); };
         drip();
       };`,
    );
    assert.equal(await siege.victim.call("attack", undefined, PATIENT), "slow");
    assert.equal(await siege.innocent.call("add", 1, PATIENT), 1);
  });

  it("never confirm that an isolate is gone: then it gets no more agents, and they live elsewhere", async (t) => {
    using siege = await Siege.begin(t, "confirms = false; const attack = () => {};");
    const answers: unknown[] = [];
    for (let life = 0; life < 6; life++) {
      answers.push(await siege.victim.call("echo", 7, PATIENT));
      await siege.victim.kill();
    }
    // Two agents may live there, so two more may be on their way out.
    assert.deepEqual(answers, [1, 1, 1, 1, 7, 7]);
    assert.deepEqual(siege.exits, []);
  });

  it("stop reading, until it is killed for it: what waits for it in the Guardian is bounded by what is handed out ahead", async (t) => {
    using siege = await Siege.begin(
      t,
      `const attack = () => { isDeaf = true; pipe.pause(); setInterval(() => send(beat), 20); };`,
      { limits: { heapMb: 128 } }, // a hundred texts of a megabyte come in the second cell faster than they are collected
    );
    const before = process.memoryUsage().arrayBuffers;
    let most = 0;
    const watch = setInterval(() => (most = Math.max(most, process.memoryUsage().arrayBuffers - before)), 10);
    t.after(() => clearInterval(watch));
    const attacked = siege.attack();
    const large = "x".repeat(1_000_000);
    const calls = Array.from({ length: 100 }, () => siege.victim.call("echo", large, PATIENT));
    assert.equal((await attacked).reason, "hung");
    clearInterval(watch);
    // 32 messages of a megabyte each, in frames of up to a megabyte more; 100 of them wait in the mailbox, as text.
    assert.ok(most > 10e6 && most < 80e6, `${most} bytes waited`);
    for (const reply of await Promise.all(calls)) assert.ok(reply === large);
  });
});
