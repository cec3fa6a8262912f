/**
 * The story as text: what a reader sees with and without a terminal.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { stripVTControlCharacters } from "node:util";
import { columns, duration, entry, parting, wrap } from "../../../evolution/demo/layout.ts";
import { trialHeading, trialLines } from "../../../evolution/demo/render.ts";
import type { TrialResult } from "../../../evolution/demo/result.ts";
import { Screen } from "../../../evolution/demo/screen.ts";
import { newPhase, reportOf } from "../../../evolution/demo/tally.ts";

const plain = { width: 60, paint: (_style: string, text: string) => text };

/** The escape sequence that makes text green. */
const green = "\u001B[32m";

/** Paper that remembers what was written on it. */
class Sheet {
  text = "";
  readonly isTTY: boolean;
  readonly columns = 60;
  constructor(isTTY: boolean) {
    this.isTTY = isTTY;
  }
  write(text: string): void {
    this.text += text;
  }
}

function tell(sheet: Sheet, env: Record<string, string>): string {
  const screen = new Screen(sheet, env);
  screen.living("3 answered");
  screen.lines([screen.paint("green", "passed")]);
  screen.close();
  return sheet.text;
}

describe("a screen", () => {
  it("without a terminal writes whole lines and no escape sequence", () => {
    assert.equal(tell(new Sheet(false), {}), "passed\n");
  });

  it("on a terminal has colours and a last line that goes away", () => {
    const text = tell(new Sheet(true), {});
    assert.ok(text.includes(`${green}passed`));
    assert.equal(stripVTControlCharacters(text), "3 answered\rpassed\n3 answered\r");
    assert.ok(text.endsWith("\r\u001B[2K"));
  });

  it("has no colours where NO_COLOR is set, and has them where it is set to nothing", () => {
    assert.ok(!tell(new Sheet(true), { NO_COLOR: "1" }).includes(green));
    assert.ok(tell(new Sheet(true), { NO_COLOR: "" }).includes(green));
  });

  it("cuts the last line to the width, so that it can be taken away", () => {
    const sheet = new Sheet(true);
    new Screen(sheet, { NO_COLOR: "1" }).living("x".repeat(200));
    assert.equal(sheet.text.length, 59);
  });
});

describe("layout", () => {
  it("breaks lines at spaces and leaves a long word whole", () => {
    assert.deepEqual(wrap("one two three incomprehensibilities four", 9), [
      "one two",
      "three",
      "incomprehensibilities",
      "four",
    ]);
  });

  it("aligns words to the left and figures to the right", () => {
    assert.deepEqual(columns([["name", "ms"], ["a", "100"], []], 1), ["name   ms", "a     100", ""]);
  });

  for (const [ms, text] of [
    [0.512, "0.51 ms"],
    [42.04, "42.0 ms"],
    [950.4, "950 ms"],
    [12_345, "12.3 s"],
  ] as const) {
    it(`says ${text} for ${ms}`, () => assert.equal(duration(ms), text));
  }

  it("lets a text go on below itself", () => {
    const [first = "", second = ""] = entry(
      { name: "replay", word: "fail", style: "red", ms: 5, text: "one two three four five six seven eight" },
      plain,
    );
    assert.equal(first.indexOf("one"), second.search(/\S/));
  });

  it("shows two texts from shortly before the place where they part", () => {
    const same = "x".repeat(100);
    assert.deepEqual(parting(`${same}a`, `${same}b`), [`…${"x".repeat(24)}a`, `…${"x".repeat(24)}b`]);
    assert.deepEqual(parting("same a", "same b"), ["same a", "same b"]);
  });
});

describe("a trial", () => {
  const trial: TrialResult = {
    name: "endless loop",
    idea: "goes on",
    expected: "rejected",
    actual: "rejected",
    stages: [],
    stoppedBy: "replay",
    reason: "it never answered",
    difference: { method: "ask", argument: '"why"', expected: "yes", actual: "no", turn: 3 },
    totalMs: 812,
    pauseMs: null,
    probationTurns: null,
    rollbackMs: null,
    meanwhile: reportOf("endless loop", [newPhase("endless loop")]),
  };

  it("begins with its name, its idea and the lines it changes", () => {
    const lines = trialHeading(
      { name: "endless loop", idea: "goes on", edits: [{ find: "a();", by: "for (;;) a();" }], rewrittenLines: null },
      plain,
    );
    assert.deepEqual(lines, ["", "  endless loop: goes on", "      - a();", "      + for (;;) a();"]);
  });

  it("begins with its size and its new lines where it is written anew", () => {
    const [, , ...lines] = trialHeading(
      { name: "index", idea: "", edits: [{ find: "a();", by: "b();" }], rewrittenLines: 9 },
      { ...plain, width: 100 },
    );
    assert.deepEqual(lines, [
      "      + 9 new lines, with every note and every word under a key of its own",
      "      + b();",
    ]);
  });

  it("ends with the first differing answer, its fate, and what the client got meanwhile", () => {
    assert.deepEqual(trialLines(trial, plain), [
      '      request    ask("why")',
      "      expected   yes",
      "      got        no",
      "    ✗ refused 812 ms after it was proposed",
      "      meanwhile 0 requests answered, 0 refused, 0 lost",
    ]);
  });

  it("is marked when it did not end as it should", () => {
    const text = trialLines({ ...trial, actual: "confirmed" }, plain).join("\n");
    assert.match(text, /^ {4}! promoted and confirmed/m);
  });
});
