/** Logs read back: what is no log is refused with its line, and what a killed process leaves is read as far as it goes. */
import assert from "node:assert/strict";
import { mkdtempDisposable, readdir, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { reportCommand } from "../../../evolution/report/main.ts";
import { runContext, RunLog } from "../../../evolution/report/log.ts";
import { readRecord } from "../../../evolution/report/read.ts";
import type { RunRecord } from "../../../evolution/report/record.ts";
import { linesOf, logOf } from "./logs.ts";

async function readText(text: string): Promise<RunRecord> {
  await using folder = await mkdtempDisposable(join(tmpdir(), "planaria-report-"));
  const path = join(folder.path, "events.jsonl");
  await writeFile(path, text);
  return await readRecord(path);
}

const events = logOf({ count: 20 });

describe("a log", () => {
  it("is read as it was written", async () => {
    assert.deepEqual((await readText(linesOf(events))).events, events);
  });

  it("may have other line breaks than line feeds in its texts", async () => {
    const odd = logOf({ count: 2, word: "a\u2028b\r\nc" });
    assert.deepEqual((await readText(linesOf(odd))).events, odd);
  });

  it("that ends in the middle of a line is read up to there, and says so", async () => {
    const text = linesOf(events);
    const { events: read, remarks } = await readText(text.slice(0, -20));
    assert.deepEqual(read, events.slice(0, -1));
    assert.match(String(remarks), /ends in the middle of a line/);
  });

  it("of a run that was taken up again has it once", async () => {
    const { events: read, remarks } = await readText(linesOf([...events.slice(0, 9), ...events]));
    assert.deepEqual(read, events);
    assert.match(String(remarks), /begun 2 times/);
  });

  it("of a run that was killed while it repeated itself has what was told before", async () => {
    assert.deepEqual((await readText(linesOf([...events, ...events.slice(0, 4)]))).events, events);
  });

  it("that is empty is a run that was not begun", async () => {
    assert.deepEqual((await readText("")).events, []);
  });

  const [started, seed] = events;
  for (const [what, text, line] of [
    ["no JSON", `${linesOf(events.slice(0, 2))}nonsense\n`, 3],
    ["a list", "[]\n", 1],
    ["an event of another kind", linesOf([started, { type: "agent.exited" }]), 2],
    ["an inherited name", linesOf([{ type: "constructor" }]), 1],
    ["a score above 1", linesOf([started, { ...seed, score: 7 }]), 2],
    ["a score that is a text", linesOf([started, { ...seed, score: "1" }]), 2],
    ["an island that no run has", linesOf([started, { ...seed, island: 1e6 }]), 2],
    ["more islands than a run has", linesOf([{ ...started, islands: 1e9 }]), 1],
    ["a field that is missing", linesOf([started, { type: "individual.evaluated", id: "a" }]), 2],
    ["a program before the run", linesOf([seed]), 1],
    ["an option that is no text", linesOf([{ type: "run.context", options: { a: {} }, machine: {}, versions: {} }]), 1],
  ] as const)
    it(`with ${what} is refused, and the line is named`, async () => {
      await assert.rejects(readText(text), (error: Error & { code?: string; details?: unknown }) => {
        assert.equal(error.code, "EVOLUTION_DATA_INVALID");
        assert.deepEqual(error.details, { line });
        assert.match(error.message, new RegExp(`line ${line} of the log`));
        return true;
      });
    });

  it("of two runs is refused", async () => {
    const other = logOf({ count: 2, seed: 2 });
    await assert.rejects(readText(linesOf([...events, ...other])), { code: "EVOLUTION_DATA_INVALID" });
  });

  it("with a line without end is refused before it is in memory", async () => {
    await assert.rejects(readText("x".repeat(5 << 20)), { code: "EVOLUTION_DATA_INVALID" });
  });
});

describe("a log that is added to", () => {
  for (const [what, cut] of [
    ["in the middle of its last line", -20],
    ["in the middle of its only line", 30 - linesOf(events).length],
  ] as const)
    it(`is whole again where its writer was killed ${what}`, async () => {
      await using folder = await mkdtempDisposable(join(tmpdir(), "planaria-report-"));
      const path = join(folder.path, "events.jsonl");
      await writeFile(path, linesOf(events).slice(0, cut));
      using log = new RunLog(path, runContext({}));
      for (const event of events) log.tell(event);
      log[Symbol.dispose]();
      const { events: read } = await readRecord(path);
      assert.deepEqual(read, events);
    });
});

describe("the report command", () => {
  it("writes the file and says its size", async () => {
    await using folder = await mkdtempDisposable(join(tmpdir(), "planaria-report-"));
    const [log, out] = [join(folder.path, "events.jsonl"), join(folder.path, "report.html")];
    await writeFile(log, linesOf(events));
    let said = "";
    const say = (text: string): void => void (said += text);
    assert.equal(await reportCommand([log, "--out", out], say), 0);
    assert.match(said, /report\.html: \d+ kB/);
    assert.match(await readFile(out, "utf8"), /^<!doctype html>/);
  });

  it("leaves no file where the log is none, and keeps the one that was there", async () => {
    await using folder = await mkdtempDisposable(join(tmpdir(), "planaria-report-"));
    const [log, out] = [join(folder.path, "events.jsonl"), join(folder.path, "report.html")];
    await writeFile(log, "nonsense\n");
    await writeFile(out, "before");
    let said = "";
    assert.equal(await reportCommand([log, "--out", out], (text) => void (said += text)), 1);
    assert.match(said, /EVOLUTION_DATA_INVALID/);
    assert.equal(await readFile(out, "utf8"), "before");
    assert.deepEqual((await readdir(folder.path)).toSorted(), ["events.jsonl", "report.html"]);
  });

  for (const [argv, code, says] of [
    [[], 2, /events\.jsonl/],
    [["a", "b"], 2, /events\.jsonl/],
    [["--nonsense"], 2, /nonsense/],
    [["--help"], 0, /--out/],
    [["/no/such/log.jsonl"], 1, /ENOENT/],
  ] as const)
    it(`answers ${argv.join(" ") || "nothing"} with ${code}`, async () => {
      let said = "";
      assert.equal(await reportCommand(argv, (text) => void (said += text)), code);
      assert.match(said, says);
    });
});
