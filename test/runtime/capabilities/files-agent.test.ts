/** `files` and `exec` together, as a typed agent uses them: it writes notes, and programs read them. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { withRuntime } from "../../../runtime/testing.ts";
import { codeOf } from "../../support/agents.ts";
import { withoutJobs } from "../../support/jobs.ts";
import { processesSeeing } from "../../support/processes.ts";

const skip = await withoutJobs();
const module = new URL("../../fixtures/agents/clerk.agent.ts", import.meta.url);
const COUNT = `const text = require("fs").readFileSync(process.argv[1], "utf8"); console.log(JSON.stringify({ lines: text.trim().split("\\n").length }))`;
const PRINT = `process.stdout.write(require("fs").readFileSync(process.argv[1]))`;

describe("an agent with a folder and programs", { skip }, () => {
  it("keeps notes there, has them read, and leaves nothing running", async (t) => {
    const folder = realpathSync(mkdtempSync(join(tmpdir(), "clerk-")));
    t.after(() => rmSync(folder, { recursive: true }));
    const path = { arg: "path", type: "path" } as const;
    const programs = {
      count: { file: process.execPath, args: ["-e", COUNT, path], read: [folder], output: "json" as const },
      print: { file: process.execPath, args: ["-e", PRINT, path], read: [folder] },
    };
    const runtime = await withRuntime(t, {});
    const host = { files: { folder, write: true }, exec: { programs } };
    const clerk = await runtime.spawn({ id: "clerk", module, host });
    assert.deepEqual(await clerk.call("note", ["a.txt", "one"]), ["a.txt 4"]);
    assert.deepEqual(await clerk.call("note", ["a.txt", "two"]), ["a.txt 8"]);
    assert.equal(await clerk.call("recall", "notes/a.txt"), "one\ntwo\n");
    assert.deepEqual(await clerk.call("raw", "notes/a.txt"), [...Buffer.from("one")]);
    assert.deepEqual(await clerk.call("count", "notes/a.txt"), { lines: 2, code: 0 });
    assert.deepEqual(await clerk.call("each", "notes/a.txt"), ["one", "two"]);
    assert.match(String(await clerk.call("refused", "../x")), /^RUNTIME_CAPABILITY_INVALID files: "\.\.\/x"/);
    assert.match(String(await clerk.call("refused", ".git/config")), /^RUNTIME_CAPABILITY_DENIED/);
    assert.match(String(await clerk.call("refused", "nowhere/x")), /^RUNTIME_CAPABILITY_FAILED .*ENOENT/);
    assert.equal(readFileSync(join(folder, "notes/a.txt"), "utf8"), "one\ntwo\n");
    assert(processesSeeing(folder).length > 0);
    await runtime.close();
    assert.deepEqual(processesSeeing(folder), []);
  });

  it("is refused at the door with a grant that says nothing sensible", async (t) => {
    const runtime = await withRuntime(t, {});
    const spawned = (host: Record<string, Record<string, unknown>>) => runtime.spawn({ id: "clerk", module, host });
    assert.equal(await codeOf(spawned({ files: { folder: "notes" } })), "RUNTIME_OPTIONS_INVALID");
    assert.equal(await codeOf(spawned({ exec: { programs: { p: { file: "node" } } } })), "RUNTIME_OPTIONS_INVALID");
  });
});
