/** The world within an attack: usual, hostile or refusing, the same for both, and written down. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { AttackMessage } from "../../../evolution/attacks/attack.ts";
import { ANSWERS_MAX, keptAttack, parseAttack } from "../../../evolution/attacks/attack.ts";
import { parseLine, toLines } from "../../../evolution/attacks/lines.ts";
import { Outside } from "../../../evolution/attacks/outside.ts";
import { documentedAnswer, subjectOf, usualAnswers } from "../../../evolution/attacks/subject.ts";
import type { RecordedTurn } from "../../../runtime/index.ts";
import { decode, encode, HOST } from "../../../sandbox/index.ts";
import { hostCallText } from "../../../sandbox/host-text.ts";

const BYTES_MAX = 1 << 20;
const message: AttackMessage = { kind: "call", method: "ask", text: "1" };
const hostText = (name: string, verb: string, argument = "1") => hostCallText({ name, verb, args: `[${argument}]` });
const text = (value: unknown) => encode(value, { bytesMax: BYTES_MAX });

function turn(asks: RecordedTurn["asks"]): RecordedTurn {
  const result = { ok: true, reply: "1" } as const;
  return { kind: "call", method: "ask", text: "1", nowMs: 0, seed: 0, asks, result, cpuMs: 1, beforeSeq: 0 };
}

const outsideOf = (over: Partial<ConstructorParameters<typeof Outside>[0]> = {}) =>
  new Outside({ usual: new Map(), simulate: undefined, bytesMax: BYTES_MAX, ...over });

/** What each of many worlds says to these questions. */
function worlds(outside: Outside, count: number, verb: string, words: string): readonly (string | undefined)[] {
  return Array.from({ length: count }, (_, seed) => {
    outside.begin(message, seed);
    const said = outside.simulate("candidate")({ verb, text: words });
    assert.equal(outside.simulate("control")({ verb, text: words }), said);
    outside.end();
    return said;
  });
}

describe("what a question is about", () => {
  it("is its verb, with the capability or the step, whatever else it says", () => {
    assert.equal(subjectOf(HOST, hostText("fetch", "get")), "host fetch.get");
    assert.equal(subjectOf(HOST, hostText("fetch", "get", "2")), "host fetch.get");
    assert.equal(subjectOf("call", "anything"), "call");
    for (const hostile of ["", "\u0000", "9".repeat(1_000)]) assert.equal(subjectOf(HOST, hostile), "host");
    assert.ok(subjectOf("v".repeat(10_000), "").length <= 200);
  });

  it("is usually told what was recorded, the newest first; a few different ones", () => {
    const ask = (value: unknown) => ({ verb: "call", text: "x", answer: { ok: true, text: text(value) } as const });
    const refused = { verb: "call", text: "x", answer: { ok: false, code: "NO", message: "" } as const };
    const stream = { verb: HOST, text: hostText("llm", "chat"), answer: { ok: true, text: "~1" } as const };
    const value = { verb: HOST, text: hostText("llm", "chat"), answer: { ok: true, text: `=${text("hi")}` } as const };
    const turns = [turn([ask(1), refused, stream]), turn([ask(2)]), turn([ask(1), value])];
    const usual = usualAnswers(turns);
    assert.deepEqual(
      [...usual],
      [
        ["call", ["1", "2"]],
        ["host llm.chat", ['"hi"']],
      ],
    );
    const many = usualAnswers(Array.from({ length: 100 }, (_, index) => turn([ask(index)])));
    assert.equal(many.get("call")?.length, 8);
    assert.deepEqual(usualAnswers([turn([ask("x".repeat(40_000))])]).size, 0);
  });

  it("has the shape that is documented where nobody asked before, and none for what makes or changes others", () => {
    assert.equal((decode(documentedAnswer("host fetch.call")!, { bytesMax: 1_000 }) as { status: number }).status, 200);
    assert.equal(documentedAnswer("host weather.now"), "null");
    assert.equal(documentedAnswer("step.begin price"), "null");
    for (const verb of ["spawn", "propose", "stop", "callous"]) assert.equal(documentedAnswer(verb), undefined);
  });
});

describe("made-up answers", () => {
  const usual = new Map([["call", [text({ items: [1, 2], next: "more" })]]]);

  it("are usual ones, ones with a hostile place, hostile ones and refusals, the same for both and for a seed", () => {
    const said = worlds(outsideOf({ usual }), 200, "call", "x");
    assert.deepEqual(worlds(outsideOf({ usual }), 200, "call", "y"), said);
    const honest = usual.get("call")![0];
    const count = (is: (each: string | undefined) => boolean) => said.filter(is).length;
    assert.ok(count((each) => each === honest) > 60);
    assert.ok(count((each) => each === undefined) > 5);
    const changed = said.filter((each) => each !== undefined && each !== honest);
    assert.ok(
      changed.some((each) => each!.includes('"next":"more"') && !each!.includes("[1,2]")),
      "one place",
    );
    assert.ok(
      changed.some((each) => !each!.includes("next")),
      "all of it",
    );
    assert.ok(
      changed.some((each) => each!.length > 10_000),
      "huge",
    );
    for (const each of said) if (each !== undefined) decode(each, { bytesMax: BYTES_MAX });
  });

  it("fit into an answer, however hostile", () => {
    for (const each of worlds(outsideOf({ usual, bytesMax: 500 }), 100, "call", "x"))
      assert.ok((each ?? "").length <= 500);
  });

  it("are none between two messages, where the owner simulates, and beyond so many", () => {
    const outside = outsideOf({ usual, simulate: ({ verb }) => (verb === "propose" ? '"own"' : undefined) });
    const say = outside.simulate("candidate");
    assert.equal(say({ verb: "call", text: "x" }), undefined);
    outside.begin(message, 1);
    assert.equal(say({ verb: "propose", text: "x" }), '"own"');
    assert.deepEqual(outside.told("candidate"), []);
    for (let nth = 0; nth < 100; nth++) say({ verb: "call", text: "x" });
    for (let nth = 0; nth < 100; nth++) outside.simulate("control")({ verb: HOST, text: hostText("a", "b") });
    assert.ok((outside.end()?.answers?.length ?? 0) <= ANSWERS_MAX);
    assert.equal(say({ verb: "call", text: "x" }), undefined);
  });

  it("are written down: the message says them again without a seed, and to whoever begins anew", () => {
    const outside = outsideOf({ usual });
    const ask = () => ["call", "call", "call"].map((verb) => outside.simulate("control")({ verb, text: "x" }));
    for (let seed = 0; seed < 20; seed++) {
      outside.begin(message, seed);
      const first = ask();
      outside.again("control");
      assert.deepEqual(ask(), first);
      const told = outside.end()!;
      assert.equal(told.answers?.length, 3);
      outside.begin(told, undefined);
      assert.deepEqual([...ask(), ...ask()], [...first, undefined, undefined, undefined]);
      assert.equal(outside.end(), told);
    }
  });

  it("stay away from a message that asks nothing", () => {
    const outside = outsideOf({ usual });
    outside.begin(message, 1);
    assert.equal(outside.end(), message);
  });
});

describe("an attack with answers", () => {
  const found = { timeMs: 1, what: "x" };
  const answers = [{ subject: "call", text: "[1]" }, { subject: "call" }];

  it("is another one than the same without, and is carried as a line", () => {
    const [plain, scripted] = [[message], [{ ...message, answers }]].map((messages) =>
      keptAttack({ agent: "a", messages, found }),
    );
    assert.notEqual(plain!.id, scripted!.id);
    assert.deepEqual(parseLine(toLines([scripted!]).trim()), scripted);
    assert.equal("answers" in plain!.messages[0]!, false);
  });

  for (const [what, hostile] of [
    ["answers without a subject", [{ text: "1" }]],
    ["answers that are no objects", ["call", null]],
    ["an answer that is no encoded value", [{ subject: "call", text: "{" }]],
    ["an answer that is no text", [{ subject: "call", text: 1 }]],
    ["too many answers", Array.from({ length: ANSWERS_MAX + 1 }, () => ({ subject: "call" }))],
    ["a subject too long", [{ subject: "s".repeat(1_000) }]],
    ["answers too long", [{ subject: "call", text: text("x".repeat(300_000)) }]],
  ] as const) {
    it(`is none with ${what}`, () => {
      assert.equal(typeof parseAttack({ agent: "a", messages: [{ ...message, answers: hostile }], found }), "string");
    });
  }
});
