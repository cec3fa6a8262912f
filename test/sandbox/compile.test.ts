/** TypeScript in, one script out; and what the compiler says when it cannot. */
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { mkdtemp, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { pathToFileURL } from "node:url";
import { compile, stopCompiler } from "../../sandbox/compile.ts";
import type { CompileComplaint } from "../../sandbox/compile-refusal.ts";
import { SandboxError } from "../../sandbox/errors.ts";

const COUNTER = new URL("../fixtures/agents/counter.agent.ts", import.meta.url);
const COMPILER = join(import.meta.dirname, "..", "..", "sandbox", "compile.ts");
let folder = "";

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "planaria-compile-"));
  const library = join(folder, "node_modules", "some-library");
  await mkdir(library, { recursive: true });
  await writeFile(join(library, "package.json"), '{"name":"some-library","main":"./index.js"}');
  await writeFile(join(library, "index.js"), "exports.twice = (x) => [x, x, process.env.NODE_ENV];");
  const events = join(folder, "node_modules", "events");
  await mkdir(events, { recursive: true });
  await writeFile(join(events, "package.json"), '{"name":"events","type":"module","exports":"./index.js"}');
  await writeFile(join(events, "index.js"), "export const installed = true;");
  await writeFile(join(folder, "helper.ts"), "export const helper = (n: number): number => n + 1;");
});
after(async () => {
  await rm(folder, { recursive: true });
  await stopCompiler();
});

async function refusal(source: string): Promise<SandboxError> {
  const error: unknown = await compile({ source, name: "x.agent.ts", resolveFrom: folder }).catch(
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof SandboxError, String(error));
  return error;
}
const complaints = (error: SandboxError): readonly CompileComplaint[] => error.details["errors"] as CompileComplaint[];

describe("compile", () => {
  it("makes one strict script that does nothing when run but leave a function", async () => {
    const artifact = await compile({ module: COUNTER });
    assert.equal(artifact.name, "counter.agent.ts");
    assert.match(artifact.hash, /^[0-9a-f]{64}$/);
    assert.match(artifact.code, /^"use strict";globalThis\.__planariaDefinition = \(\) => \{\n/);
    assert.equal(artifact.source, await readFile(COUNTER, "utf8"));
    const { version, sources } = JSON.parse(artifact.map) as { version: number; sources: string[] };
    assert.equal(version, 3);
    assert.ok(sources.includes("counter.agent.ts"));
  });

  it("a file, its path, its URL and its text have the same hash", async () => {
    const file = await compile({ module: COUNTER });
    const path = await compile({ module: join(import.meta.dirname, "../fixtures/agents/counter.agent.ts") });
    const url = await compile({ module: COUNTER.href });
    const text = await compile({ source: file.source, name: "counter.agent.ts" });
    assert.deepEqual([path.hash, url.hash, text.hash], [file.hash, file.hash, file.hash]);
  });

  it("says nothing about the machine it ran on", async () => {
    const artifact = await compile({ module: new URL("../fixtures/agents/notes.agent.ts", import.meta.url) });
    for (const text of [artifact.code, artifact.map]) assert.ok(!text.includes(import.meta.dirname.slice(0, 6)));
  });

  it("bundles files, npm packages and packages named like parts of Node", async () => {
    const source = `import { agent } from "planaria/agent"; import { helper } from "./helper.ts"; import { twice } from "some-library"; import { installed } from "events";
      export default agent({ version: 1, state: () => ({}), on: { go: (_ctx, n: number) => [helper(n), twice(n), installed] } });`;
    const { code } = await compile({ source, name: "x.agent.ts", resolveFrom: folder });
    assert.match(code, /installed=true/);
    assert.match(code, /"production"/);
  });

  it("reads the SDK from itself, wherever the agent lies", async () => {
    await writeFile(join(folder, "far.agent.ts"), await readFile(COUNTER));
    const far = await compile({ module: pathToFileURL(join(folder, "far.agent.ts")) });
    assert.match(far.code, /function agent\(definition\)/);
  });

  it("sees a changed import, and remembers a module that stands alone", async () => {
    const source = 'import { helper } from "./helper.ts"; export default helper';
    const first = await compile({ source, name: "x.ts", resolveFrom: folder });
    await writeFile(join(folder, "helper.ts"), "export const helper = (n: number): number => n + 2;");
    const second = await compile({ source, name: "x.ts", resolveFrom: folder });
    assert.notEqual(first.hash, second.hash);
    const alone = { source: "export default 1", name: "x.ts" };
    assert.equal(await compile(alone), await compile(alone));
    assert.notEqual(await compile(alone), await compile({ ...alone, name: "y.ts" }));
  });

  it("passes on esbuild's message with file, line and column", async () => {
    const error = await refusal("export default {\n  version: 1,\n  state: () => ({\n};");
    assert.equal(error.code, "SANDBOX_COMPILE_FAILED");
    assert.match(error.message, /^x\.agent\.ts:4:2: Expected "\)" but found ";"/);
    assert.deepEqual(
      complaints(error).map(({ file, line, column, lineText }) => [file, line, column, lineText]),
      [["x.agent.ts", 4, 2, "};"]],
    );
  });

  const refused: readonly (readonly [what: string, source: string, code: string, message: RegExp])[] = [
    [
      "a built-in of Node",
      'import "node:fs"; export default 1',
      "SANDBOX_COMPILE_FAILED",
      /x\.agent\.ts:1:8: "node:fs" is part of Node/,
    ],
    [
      "a built-in by its bare name",
      'import fs from "fs"; export default fs',
      "SANDBOX_COMPILE_FAILED",
      /"fs" is part of Node/,
    ],
    [
      "a built-in inside a library's require",
      'const fs = require("node:fs/promises"); export default fs',
      "SANDBOX_COMPILE_FAILED",
      /"node:fs\/promises" is part of Node/,
    ],
    ["no default export", "export const a = 1", "SANDBOX_COMPILE_FAILED", /there is no default export/],
    ["an await at the top", "await 1; export default 1", "SANDBOX_COMPILE_FAILED", /Top-level await/],
    ["import.meta", "export default import.meta.url", "SANDBOX_COMPILE_FAILED", /"import\.meta" does not exist/],
    [
      "a file that is not there",
      'import "./nothing.ts"; export default 1',
      "SANDBOX_MODULE_MISSING",
      /Could not resolve "\.\/nothing\.ts"/,
    ],
    [
      "a package that is not there",
      'import "no-such-package"; export default 1',
      "SANDBOX_MODULE_MISSING",
      /Could not resolve "no-such-package"/,
    ],
    [
      "a part of planaria that agents do not have",
      'import "planaria/evolution"; export default 1',
      "SANDBOX_COMPILE_FAILED",
      /"planaria\/evolution" is for the program/,
    ],
  ];
  for (const [what, source, code, message] of refused) {
    it(`refuses ${what}`, async () => {
      const error = await refusal(source);
      assert.equal(error.code, code);
      assert.match(error.message, message);
      assert.equal(complaints(error).length > 0, true);
    });
  }

  it("refuses an entry that is not there, or is not on this machine", async () => {
    for (const module of [join(folder, "nothing.ts"), new URL("https://example.com/a.ts"), folder]) {
      await assert.rejects(compile({ module }), { code: "SANDBOX_MODULE_MISSING" });
    }
  });

  it("refuses an artifact over its limit", async () => {
    const source = `export default ${JSON.stringify("x".repeat(1 << 20))}`;
    await assert.rejects(compile({ source, name: "big.ts" }), { code: "SANDBOX_ARTIFACT_TOO_LARGE" });
    assert.ok((await compile({ source, name: "big.ts" }, { codeBytesMax: 2 << 20 })).code.length > 1 << 20);
  });
});

describe("the compiler's process", () => {
  const script = `import { compile } from ${JSON.stringify(COMPILER)};
    await compile({ source: "export default 1", name: "x.ts" });`;

  it("does not keep a program alive", async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [
      "--input-type=module",
      "-e",
      `${script} console.log("compiled");`,
    ]);
    assert.equal(stdout, "compiled\n");
  });

  it("ends when the program is killed", { skip: process.platform !== "linux" && "reads /proc" }, async () => {
    const stay = "console.log('ready'); setInterval(() => {}, 1000);";
    const child = spawn(process.execPath, ["--input-type=module", "-e", script + stay], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const ended = new Promise((resolve) => child.once("exit", resolve));
    await new Promise((resolve) => child.stdout.once("data", resolve));
    const service = await childOf(child.pid ?? 0);
    assert.ok(service > 0);
    child.kill("SIGKILL");
    await ended;
    // Not a sleep but a wait for a condition: the process is gone, or the test runs into its time limit.
    while (await isAlive(service)) await new Promise((resolve) => setImmediate(resolve));
  });
});

/** The pid of a process whose parent is the given one. */
async function childOf(parent: number): Promise<number> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
  for (const pid of pids) if ((await parentOf(pid)) === parent) return pid;
  return 0;
}

async function parentOf(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  return Number(
    stat
      .slice(stat.lastIndexOf(")") + 1)
      .trim()
      .split(" ")[1],
  );
}

/** A zombie that nobody collects yet has ended, too. */
async function isAlive(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  return stat !== "" && !stat.slice(stat.lastIndexOf(")")).startsWith(") Z");
}
