/** What a guest says is hostile until it is parsed. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { pack, unpack } from "../../sandbox/envelope.ts";
import { SandboxError } from "../../sandbox/errors.ts";
import { UNDEFINED_TEXT } from "../../sandbox/codec.ts";
import { parseOutput } from "../../sandbox/guest-output.ts";
import * as protocol from "../../sandbox/protocol.ts";
import { GUEST_LIMITS } from "../support/guest.ts";

const LIMITS = {
  ...GUEST_LIMITS,
  stateBytesMax: 100,
  replyBytesMax: 50,
  messageBytesMax: 50,
  logBytesPerTurnMax: 20,
  tableBytesPerTurnMax: 60,
  rowBytesMax: 30,
};
const parse = (kind: string, ...segments: readonly string[]) => parseOutput(kind + pack(segments), LIMITS);
const invalid = (error: unknown): boolean => error instanceof SandboxError && error.code === "SANDBOX_ENVELOPE_INVALID";

describe("what goes into a guest", () => {
  it("begins with its kind and unpacks to its parts", () => {
    const load = protocol.loadText({ limits: LIMITS, agent: "me", text: "be kind", state: new Map([["k", "1"]]) });
    assert.equal(load[0], protocol.LOAD);
    assert.deepEqual(unpack(load, { segmentsMax: 9 }, 1), [
      JSON.stringify(LIMITS),
      "me",
      "be kind",
      "",
      "",
      "",
      "k",
      "1",
    ]);
    const turn = protocol.turnText({ id: 7, kind: "call", method: "add", text: "1", nowMs: 1.5, seed: 2 });
    assert.deepEqual([turn[0], ...unpack(turn, { segmentsMax: 9 }, 1)], ["T", "7", "call", "add", "1", "1.5", "2", ""]);
    const good = protocol.answerText(7, 1, { ok: true, text: "5" });
    assert.deepEqual([good[0], ...unpack(good, { segmentsMax: 9 }, 1)], ["A", "7", "1", "1", "5", ""]);
    const bad = protocol.answerText(7, 1, { ok: false, code: "C", message: "m" });
    assert.deepEqual([bad[0], ...unpack(bad, { segmentsMax: 9 }, 1)], ["A", "7", "1", "0", "C", "m"]);
  });
});

describe("what comes out of a guest", () => {
  it("is parsed when it is honest", () => {
    const declared = { version: 1, methods: [{ name: "a", reads: true }], hasMigrate: false, hasStop: true };
    assert.deepEqual(parse("L", JSON.stringify(declared), "0"), { kind: "loaded", declared, logs: [] });
    assert.deepEqual(
      parse(
        "D",
        "1",
        "5",
        "2",
        "2",
        "1",
        "1",
        "k",
        "=1",
        "x",
        "-",
        "t",
        "a",
        "=2",
        "t",
        "b",
        "-",
        "cast",
        "t",
        "info",
        "hi",
        "12:5",
      ),
      {
        kind: "done",
        id: 1,
        reply: "5",
        ops: [
          ["k", "1"],
          ["x", undefined],
        ],
        rows: [
          ["t", "a", "2"],
          ["t", "b", undefined],
        ],
        outbox: [{ verb: "cast", text: "t" }],
        logs: [{ level: "info", text: "hi", at: "12:5" }],
      },
    );
    assert.deepEqual(parse("T", "1", "", "Error", "m", "s", "0"), {
      kind: "threw",
      id: 1,
      fault: { name: "Error", message: "m", stack: "s" },
      logs: [],
    });
    assert.deepEqual(
      parse("W", "1", "1", "1", "3", "call", "1:pay", "t", "4", "down", "notes", "k", "z", "l", "", "512"),
      {
        kind: "wait",
        id: 1,
        asks: [{ ask: 3, verb: "call", step: "1:pay", text: "t" }],
        reads: [{ ask: 4, kind: "down", table: "notes", key: "k", to: "z", after: "l", prefix: "", rowsMax: 512 }],
      },
    );
    assert.deepEqual(parse("F", "C", "Error", "m", "s"), {
      kind: "fault",
      fault: { code: "C", name: "Error", message: "m", stack: "s" },
      logs: [],
    });
    const logs = [{ level: "warn", text: "hi", at: "" }];
    assert.deepEqual(parse("S", "1", "warn", "hi", ""), { kind: "said", logs });
    assert.deepEqual(parse("L", JSON.stringify(declared), "1", "warn", "hi", ""), { kind: "loaded", declared, logs });
    assert.deepEqual(parseOutput(protocol.RESUME_TEXT, LIMITS), { kind: "resume" });
  });

  it("a turn that replies nothing says so in however small a limit of replies", () => {
    const text = `D${pack(["1", UNDEFINED_TEXT, "0", "0", "0", "0"])}`;
    assert.equal(parseOutput(text, { ...LIMITS, replyBytesMax: 1 }).kind, "done");
  });

  const op = (key: string, text: string) => ["D", "1", "", "1", "0", "0", "0", key, text] as const;
  const rows = (...keys: readonly string[]) => keys.flatMap((key) => ["t", key, `=${"x".repeat(25)}`]);
  const row = (...segments: readonly string[]) => ["D", "1", "", "0", "1", "0", "0", ...segments] as const;
  const read = (...segments: readonly string[]) => ["W", "1", "0", "1", "1", ...segments] as const;
  const lies: readonly (readonly [what: string, ...segments: readonly string[]])[] = [
    ["an unknown kind", "Z"],
    ["an end too early", "D", "1", "5", "0", "0", "0"],
    ["something behind its end", "D", "1", "5", "0", "0", "0", "0", "more"],
    ["an id that is no number", "D", "x", "5", "0", "0", "0", "0"],
    ["a negative count", "D", "1", "5", "-1", "0", "0", "0"],
    ["a count in hexadecimal", "D", "1", "5", "0x1", "0", "0", "0"],
    ["a huge count of changes", "D", "1", "5", "99999999", "0", "0", "0"],
    ["a huge count of messages", "D", "1", "5", "0", "0", "99999999", "0"],
    ["a huge count of lines", "D", "1", "5", "0", "0", "0", "99999999"],
    ["a huge count of asks", "W", "1", "99999999", "0"],
    ["a reply over its limit", "D", "1", "x".repeat(51), "0", "0", "0", "0"],
    ["a reply over its limit in bytes", "D", "1", "ü".repeat(26), "0", "0", "0", "0"],
    ["a state over its limit", ...op("k", `=${"x".repeat(101)}`)],
    [
      "a state over its limit in two keys",
      "D",
      "1",
      "",
      "2",
      "0",
      "0",
      "0",
      "a",
      `=${"x".repeat(60)}`,
      "b",
      `=${"x".repeat(60)}`,
    ],
    ["the same key twice", "D", "1", "", "2", "0", "0", "0", "k", "=1", "k", "-"],
    ["an empty key", ...op("", "=1")],
    ["a key that is too long", ...op("k".repeat(513), "=1")],
    ["a key with half a character", ...op("\ud800", "=1")],
    ["the key __proto__", ...op("__proto__", "=1")],
    ["a change that is neither put nor delete", ...op("k", "1")],
    ["four messages where three may leave", "D", "1", "", "0", "0", "4", "0", ...Array.from({ length: 8 }, () => "v")],
    ["a message over its limit", "D", "1", "", "0", "0", "1", "0", "cast", "x".repeat(5000)],
    ["a verb that is no word", "D", "1", "", "0", "0", "1", "0", "cast it", "x"],
    ["a level that does not exist", "D", "1", "", "0", "0", "0", "1", "fatal", "x", ""],
    ["log lines over their bytes", "D", "1", "", "0", "0", "0", "1", "info", "x".repeat(21), ""],
    ["a log line from nowhere", "D", "1", "", "0", "0", "0", "1", "info", "x", "agent.js:1:1"],
    ["four asks where three may be open", "W", "1", "4", "0", ...Array.from({ length: 12 }, () => "1")],
    ["a huge count of rows", "D", "1", "5", "0", "99999999", "0", "0"],
    ["a row of a table with no name", ...row("", "k", "=1")],
    ["a row of a table whose name ends early", ...row("a\0b", "k", "=1")],
    ["a row without a key", ...row("t", "", "=1")],
    ["a row with a key that is too long", ...row("t", "k".repeat(447), "=1")],
    ["a row with half a character", ...row("t", "\ud800", "=1")],
    ["a row that is neither put nor deleted", ...row("t", "k", "1")],
    ["a row over its limit", ...row("t", "k", `=${"x".repeat(31)}`)],
    ["rows over the bytes of a turn", "D", "1", "", "0", "3", "0", "0", ...rows("a", "b", "c")],
    ["a row twice", "D", "1", "", "0", "2", "0", "0", ...rows("a", "a")],
    ["six reads where five may be open", "W", "1", "0", "6", ...Array.from({ length: 48 }, () => "1")],
    ["a huge count of reads", "W", "1", "0", "99999999"],
    ["a read of an unknown kind", ...read("drop", "t", "k", "", "", "", "1")],
    ["a read of another table's rows by its name", ...read("get", "t\0k", "k", "", "", "", "1")],
    ["a read of a state key by its table's name", ...read("get", "../s:", "k", "", "", "", "1")],
    ["a read of a row without a key", ...read("get", "t", "", "", "", "", "1")],
    ["a read with a key that is too long", ...read("has", "t", "k".repeat(447), "", "", "", "1")],
    ["a page behind a key that is too long", ...read("up", "t", "", "", "k".repeat(447), "", "1")],
    ["a page with an end that is too long", ...read("up", "t", "", "k".repeat(447), "", "", "1")],
    ["a page with half a character", ...read("down", "t", "", "", "", "\udc00", "1")],
    ["a page of no rows", ...read("up", "t", "", "", "", "", "0")],
    ["a page without end", ...read("down", "t", "", "", "", "", "513")],
    ["a fault with a long name", "F", "", "n".repeat(257), "", ""],
    ["a fault with a long message", "F", "", "", "m".repeat(8193), ""],
    ["a fault with a long stack", "F", "", "", "", "s".repeat(16385)],
    ["a declaration that is no JSON", "L", "{"],
    ["a declaration that is no record", "L", "null"],
    ["a version that is none", "L", '{"version":0,"methods":[],"hasMigrate":true,"hasStop":true}'],
    ["methods that are no list", "L", '{"version":1,"methods":{},"hasMigrate":true,"hasStop":true}'],
    ["a method without a name", "L", '{"version":1,"methods":[{"reads":true}],"hasMigrate":true,"hasStop":true}'],
    ["a declaration with holes", "L", '{"version":1,"methods":[]}'],
  ];
  for (const [what, kind = "", ...segments] of lies) {
    it(`is refused: ${what}`, () => assert.throws(() => parse(kind, ...segments), invalid));
  }

  it("is refused when it is no envelope", () => {
    for (const text of ["", "D", "D5\nabc", "R1\na", "{}"]) {
      assert.throws(() => parseOutput(text, LIMITS), invalid, JSON.stringify(text));
    }
  });

  it("is refused or parsed, whatever it is, and never anything else", () => {
    const segment = fc.oneof(fc.string(), fc.constantFrom("0", "1", "2", "=", "-", "info", "cast", "k"));
    const texts = fc.tuple(fc.constantFrom("L", "D", "T", "W", "R", "F", "X"), fc.array(segment));
    fc.assert(
      fc.property(texts, ([kind, segments]) => {
        try {
          parse(kind, ...segments);
        } catch (error) {
          assert.ok(invalid(error), String(error));
        }
      }),
      { numRuns: 3000 },
    );
  });
});

describe("an address", () => {
  it("carries agent, method and argument", () => {
    const address = { agent: "bob", method: "hey", text: '{"a":1}' };
    assert.deepEqual(protocol.unpackAddress(protocol.packAddress(address)), address);
  });

  it("is refused with more or fewer parts", () => {
    for (const parts of [[], ["a", "b"], ["a", "b", "c", "d"]]) {
      assert.throws(() => protocol.unpackAddress(pack(parts)), invalid);
    }
    assert.throws(() => protocol.unpackAddress("junk"), invalid);
  });
});
