/** The experiment red-blue: what the desk promises, and that a run gives attacks which the arbiter takes. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import { Attacks } from "../../../evolution/attacks.ts";
import { redBlue } from "../../../evolution/experiments/red-blue.ts";
import { answersTo, hasMarkup, trafficOf } from "../../../evolution/experiments/red-blue/desk.ts";
import { runCommand } from "../../../evolution/experiments/frame.ts";
import { Runtime } from "../../../runtime/index.ts";
import { withRuntime } from "../../../runtime/testing.ts";
import { tempFolder } from "../../support/temp-vault.ts";

const says = (text: unknown, author: unknown = "ann", at = 0) => ({ message: { author, text }, at });
const posted = (html: string) => ({ kind: "posted", html });

describe("the documented desk", () => {
  it("shows four tags, and all other markup as text", () => {
    const html = "<b>x</b> <i>&lt;script&gt; &lt;B&gt; &amp;lt; &lt;&lt;";
    assert.deepEqual(answersTo([says("<b>x</b> <i><script> <B> &lt; <<")]), [posted(html)]);
    assert.equal(hasMarkup(posted(html)), false);
    for (const bad of ["<B>", "a < b", "x>", "<b >", "<<b>"]) assert.equal(hasMarkup(posted(bad)), true, bad);
    for (const other of [null, 1, {}, { html: 1 }]) assert.equal(hasMarkup(other), false);
  });

  it("refuses what is no message", () => {
    for (const turn of [
      says(""),
      says("x".repeat(501)),
      says(1),
      says("x", ""),
      says("x", "a".repeat(41)),
      says("x", null),
    ])
      assert.deepEqual(answersTo([turn]), [{ kind: "refused" }], JSON.stringify(turn));
    for (const message of [null, undefined, 1, "text", []])
      assert.deepEqual(answersTo([{ message, at: 0 }]), [{ kind: "refused" }]);
    assert.deepEqual(answersTo([says("x".repeat(500), "a".repeat(40))]), [posted("x".repeat(500))]);
  });

  it("lets an author post three times in less than ten seconds, whatever the author is called", () => {
    const kinds = (times: readonly number[], author: string) =>
      answersTo(times.map((at) => says("x", author, at))).map((answer) => (answer as { kind: string }).kind);
    for (const author of ["ann", "__proto__", "constructor"])
      assert.deepEqual(kinds([0, 0, 9_999, 9_999, 10_000, 10_000, 10_001], author), [
        "posted",
        "posted",
        "posted",
        "wait",
        "posted",
        "posted",
        "wait",
      ]);
    assert.deepEqual(answersTo([says("x"), says("x"), says("x"), says("x", "bob")]).at(-1), posted("x"));
  });

  it("has the same ordinary traffic for a seed, with somebody who writes too fast now and then", () => {
    assert.deepEqual(trafficOf(1, 4), trafficOf(1, 4));
    assert.notDeepEqual(trafficOf(1, 4), trafficOf(2, 4));
    const kinds = trafficOf(1, 20)
      .flatMap(answersTo)
      .map((answer) => (answer as { kind: string }).kind);
    assert.deepEqual([...new Set(kinds)].toSorted(), ["posted", "wait"]);
  });
});

describe("the experiment red-blue", () => {
  it("reports every arm, and puts the attacks it found where the arbiter keeps them", async (t) => {
    const vault = join(tempFolder(t), "vault");
    let out = "";
    const streams = { out: (text: string) => void (out += text), err: () => undefined };
    const argv = ["--seed", "1", "--budget", "1200e", "--workers", "2", "--json", "--vault", vault];
    assert.equal(await runCommand(redBlue, argv, streams, new AbortController().signal), 0);
    const [seed] = (
      JSON.parse(out) as { seeds: { report: { figures: Record<string, number>; details: Record<string, string> } }[] }
    ).seeds;
    const { figures = {}, details = {} } = seed?.report ?? {};
    for (const id of ["evolved", "guided", "drawn", "first", "before"])
      assert.ok((figures[id] ?? -1) >= 0 && (figures[id] ?? 101) <= 100, `${id}: ${figures[id]}`);
    const lines = details["attackLines"] ?? "";
    assert.equal(lines.trimEnd().split("\n").length, figures["cases"]);
    assert.ok((figures["cases"] ?? 0) > 0 && (figures["cases"] ?? 0) <= (figures["attacks"] ?? 0));
    await using runtime = await Runtime.open({ vault });
    const kept = await Attacks.open(runtime);
    assert.equal(kept.of("desk").length, figures["cases"]);
    assert.ok(kept.of("desk").every(({ messages }) => messages.every(({ method }) => method === "receive")));
    // Another vault takes the lines as well.
    const other = await (await Attacks.open(await withRuntime(t))).import(lines);
    assert.deepEqual([other.added, other.refused], [figures["cases"], []]);
  });

  it("says what a vault is for", async () => {
    let out = "";
    const streams = { out: (text: string) => void (out += text), err: () => undefined };
    assert.equal(await runCommand(redBlue, ["--help"], streams, new AbortController().signal), 0);
    assert.match(out, /--vault <folder> {4}puts the attacks/);
  });
});
