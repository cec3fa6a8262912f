/** What a candidate changes in the code, line by line: what is shown, what is left out, and that it is bounded. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { codeDiff } from "../../evolution/code-diff.ts";

const lines = (count: number, word: string): string[] =>
  Array.from({ length: count }, (_, index) => `${word} ${index}`);

describe("the difference of two texts", () => {
  it("is said to be none where there is none", () => {
    assert.deepEqual(codeDiff("a\nb", "a\nb"), ["the text is the same"]);
  });

  it("shows what is removed and added, with three lines around it", () => {
    const before = ["1", "2", "3", "4", "old", "5", "6", "7", "8"].join("\n");
    const after = before.replace("old", "new\nnewer");
    assert.deepEqual(codeDiff(before, after), [
      "@@ -2 +2 @@",
      " 2",
      " 3",
      " 4",
      "-old",
      "+new",
      "+newer",
      " 5",
      " 6",
      " 7",
    ]);
  });

  it("shows changes that are far from each other apart, each where it stands in both", () => {
    const before = ["a", ...lines(20, "x"), "b"].join("\n");
    const after = ["A", "A2", ...lines(20, "x"), "B"].join("\n");
    const shown = codeDiff(before, after);
    assert.deepEqual(
      shown.filter((line) => line.startsWith("@@")),
      ["@@ -1 +1 @@", "@@ -19 +20 @@"],
    );
    assert.deepEqual(shown.slice(-2), ["-b", "+B"]);
  });

  it("shows lines that are only added, or only removed", () => {
    assert.deepEqual(codeDiff("a\nb", "a\nx\nb"), ["@@ -1 +1 @@", " a", "+x", " b"]);
    assert.deepEqual(codeDiff("a\nx\nb", "a\nb"), ["@@ -1 +1 @@", " a", "-x", " b"]);
  });

  it("cuts long lines and long differences, and makes controls plain", () => {
    const [, , added] = codeDiff("", `\u001b[2J${"y".repeat(1_000)}`);
    assert.match(added ?? "", /^\+\\u\{1b\}\[2Jy+… \(1004 characters\)$/);
    const shown = codeDiff("a\n", `a\n${lines(900, "new").join("\n")}`);
    assert.deepEqual([shown.length, shown.at(-1)], [401, "… and 503 lines more"]);
  });

  it("gives up on texts that differ in too much, at once", () => {
    const started = performance.now();
    assert.deepEqual(codeDiff(lines(100_000, "a").join("\n"), lines(90_000, "b").join("\n")), [
      "100000 lines were replaced by 90000 others: too many to be compared",
    ]);
    const largest = codeDiff(lines(1_000, "a").join("\n"), lines(1_000, "b").join("\n"));
    assert.equal(largest.length, 401);
    assert.ok(performance.now() - started < 5_000);
  });
});
