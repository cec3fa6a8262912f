/** `planaria simulate`, run as its users run it. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { describe, it } from "node:test";
import { simulate } from "../../../runtime/testing.ts";

const command = join(import.meta.dirname, "../../../evolution/command/planaria.mjs");

function start(...args: readonly string[]) {
  return spawn(process.execPath, [command, "simulate", ...args], { stdio: ["pipe", "pipe", "pipe"] });
}

async function run(input: string, ...args: readonly string[]) {
  const child = start(...args);
  child.stdin.end(input);
  const [[code], out, err] = await Promise.all([once(child, "close"), text(child.stdout), text(child.stderr)]);
  return { code: Number(code), out, err };
}

const caseOf = (id: string) => ({
  id,
  kind: "tree",
  given: { supervisor: { id: "root", children: [{ id: "a" }] } },
  when: [{ op: "kill", target: "root/a" }],
});

describe("planaria simulate", () => {
  it("gives one trace a line for each case, the same as simulate() gives, and unsupported where it is", async () => {
    const cases = [caseOf("one"), { id: "two", kind: "weather", when: [] }, caseOf("three")];
    const { code, out, err } = await run(cases.map((one) => `${JSON.stringify(one)}\n`).join("\n"));
    assert.deepEqual([code, err], [0, ""]);
    const traces = out
      .trimEnd()
      .split("\n")
      .map((line): unknown => JSON.parse(line));
    assert.deepEqual(
      traces,
      cases.map((one) => simulate(one)),
    );
  });

  it("answers a case before it has seen the next", async () => {
    const child = start();
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    for (const id of ["first", "second"]) {
      child.stdin.write(`${JSON.stringify(caseOf(id))}\n`);
      const { value } = await lines.next();
      assert.deepEqual(JSON.parse(String(value)), simulate(caseOf(id)));
    }
    child.stdin.end();
    assert.deepEqual(await once(child, "close"), [0, null]);
  });

  it("ends with exit code 2 at a line that is no JSON or no case, and names the line", async () => {
    const good = JSON.stringify(caseOf("good"));
    const noJson = await run(`${good}\n\n{oops\n${good}\n`);
    assert.equal(noJson.code, 2);
    assert.match(noJson.err, /^planaria: line 3: this is no JSON/);
    assert.equal(noJson.out.trimEnd().split("\n").length, 1);
    const noCase = await run('{"id":"x","kind":"tree","given":{"supervisor":{"id":"root"}},"when":[{"op":"kill"}]}\n');
    assert.equal(noCase.code, 2);
    assert.match(noCase.err, /^planaria: line 1: .*when\[0\]\.target: string is needed.*\[RUNTIME_CASE_INVALID\]/);
  });

  for (const verb of ["simulate", "doctor"]) {
    it(`ends without a word when nobody reads any more, as in planaria ${verb} | head -1`, async () => {
      const child = spawn(process.execPath, [command, verb], { stdio: ["pipe", "pipe", "pipe"] });
      child.stdout.destroy();
      child.stdin.on("error", () => undefined); // it ends before it has read everything
      child.stdin.end(`${JSON.stringify(caseOf("a"))}\n`.repeat(100));
      const [[code], err] = await Promise.all([once(child, "close"), text(child.stderr)]);
      assert.deepEqual([code, err], [1, ""]);
    });
  }
  it("takes a line feed alone for the end of a line, and needs none behind the last one", async () => {
    const { code, out, err } = await run(`${JSON.stringify(caseOf("a\u2028b"))}\r\n${JSON.stringify(caseOf("last"))}`);
    assert.deepEqual([code, err], [0, ""]);
    const lines = out.trimEnd().split("\n");
    assert.deepEqual(
      lines.map((line): unknown => JSON.parse(line)),
      [simulate(caseOf("a\u2028b")), simulate(caseOf("last"))],
    );
  });

  it("explains itself, and does not wait for input to do so", async () => {
    const { code, out } = await run("", "--help");
    assert.equal(code, 0);
    assert.match(out, /planaria simulate < cases\.jsonl > traces\.jsonl/);
  });
});
