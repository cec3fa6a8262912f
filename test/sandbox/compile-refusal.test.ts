/** What the compiler says about code that cannot be an agent's: where, why, by way of whom, and what there is instead. */
import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { compile, stopCompiler, type CompileOptions } from "../../sandbox/compile.ts";
import type { CompileComplaint } from "../../sandbox/compile-refusal.ts";
import { SandboxError } from "../../sandbox/errors.ts";
import { advisedModules, nodeAdvice } from "../../sandbox/node-builtins.ts";

const FILES: Readonly<Record<string, string>> = {
  "node_modules/reader/package.json": '{"name":"reader","main":"lib/index.js"}',
  "node_modules/reader/lib/index.js": 'module.exports = require("@deep/disk");',
  "node_modules/@deep/disk/package.json": '{"name":"@deep/disk"}',
  "node_modules/@deep/disk/index.js": 'exports.read = () => require("node:fs/promises");',
  "node_modules/lost/package.json": '{"name":"lost","module":"index.mjs"}',
  "node_modules/lost/index.mjs": 'export { x } from "not-installed";',
  "node_modules/big/package.json": '{"name":"big"}',
  "node_modules/big/index.js": `module.exports = ${JSON.stringify("b".repeat(5000))};`,
  "library.ts": 'import reader from "reader";\nexport const library: unknown = reader;',
  "broken.ts": "export const broken = ;",
};
let folder = "";

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "planaria-refusal-"));
  for (const [path, text] of Object.entries(FILES)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
});
after(async () => {
  await rm(folder, { recursive: true });
  await stopCompiler();
});

async function refusal(source: string, options: CompileOptions = {}): Promise<SandboxError> {
  const error: unknown = await compile({ source, name: "x.agent.ts", resolveFrom: folder }, options).catch(
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof SandboxError, String(error));
  return error;
}

describe("a module that cannot be compiled", () => {
  it("is shown with the line and a mark under the spot", async () => {
    const { code, message } = await refusal("export default {\n  version: 1,\n  state: () => ({\n};");
    assert.equal(code, "SANDBOX_COMPILE_FAILED");
    assert.equal(message, 'x.agent.ts:4:2: Expected ")" but found ";"\n    };\n     ^');
  });

  it("has its column counted in characters, and its mark under the spot behind tabs", async () => {
    const { message, details } = await refusal('\tconst ü = "äöü" +;');
    const [complaint] = details["errors"] as readonly CompileComplaint[]; // written by the refusal
    assert.equal(complaint?.column, 19);
    assert.match(message, /^x\.agent\.ts:1:19: Unexpected ";"\n {4}\tconst ü = "äöü" \+;\n {4}\t {17}\^$/);
  });

  it("is shown around the spot where the line is long", async () => {
    const { message } = await refusal(`const a = ${JSON.stringify("x".repeat(500))} +;${" ".repeat(300)}`);
    const [, line = "", mark = ""] = message.split("\n");
    assert.ok(line.length < 130);
    assert.equal(line[mark.indexOf("^")], ";");
  });

  it("is told what it may do instead, and nothing of the form that is made of it", async () => {
    const cases: readonly (readonly [source: string, message: string])[] = [
      [
        'import { agent } from "planaria"; export default agent;',
        '1:23: "planaria" is for the program that hosts agents: an agent imports "planaria/agent"',
      ],
      [
        'import { Arbiter } from "planaria/evolution"; export default Arbiter;',
        '1:25: "planaria/evolution" is for the program',
      ],
      [
        "export default await 5;",
        "1:16: Top-level await is not for agents, whose modules load at once: await in a handler",
      ],
      ["export default import.meta.url;", '1:16: "import.meta" does not exist inside an agent'],
    ];
    for (const [source, text] of cases) {
      const { code, message } = await refusal(source);
      assert.equal(code, "SANDBOX_COMPILE_FAILED");
      assert.ok(message.startsWith(`x.agent.ts:${text}`), message);
    }
    await compile({
      source: 'import type { Runtime } from "planaria"; export default {} as Runtime;',
      name: "x.agent.ts",
      resolveFrom: folder,
    });
  });

  it("is named by the file that is wrong, also when it is imported", async () => {
    const { message } = await refusal('import { broken } from "./broken.ts"; export default broken');
    assert.match(message, /^broken\.ts:1:23: Unexpected ";"\n {4}export const broken = ;\n {26}\^$/);
  });

  it("does not print a hundred complaints", async () => {
    const imports = Array.from({ length: 30 }, (_, index) => `import "./missing-${index}.ts";`).join("\n");
    const { message, details } = await refusal(imports);
    assert.match(message, /… and 20 more$/);
    assert.equal((details["errors"] as readonly unknown[]).length, 30);
  });
});

describe("a part of Node", () => {
  it("is refused with the way on which the agent came to it", async () => {
    const { code, message } = await refusal('import { library } from "./library.ts";\nexport default library;');
    assert.equal(code, "SANDBOX_COMPILE_FAILED");
    const [head] = message.split("\n");
    const chain = "(imported by x.agent.ts → library.ts → reader → @deep/disk)";
    assert.equal(head, `node_modules/@deep/disk/index.js:1:30: ${nodeAdvice("node:fs/promises")} ${chain}`);
    assert.match(message, /ctx\.host\.files/);
  });

  it("is refused without a way where the agent names it itself", async () => {
    const { message } = await refusal('import { get } from "https"; export default get');
    assert.match(message, /^x\.agent\.ts:1:21: "https" is part of Node .*ctx\.host\.fetch\.\n/);
  });

  const instead: readonly (readonly [path: string, words: RegExp])[] = [
    ["fs", /ctx\.host\.files/],
    ["node:net", /ctx\.host\.fetch/],
    ["dgram", /ctx\.host\.fetch/],
    ["child_process", /ctx\.host\.exec/],
    ["crypto", /crypto\.getRandomValues/],
    ["events", /eventemitter3/],
    ["timers/promises", /ctx\.after/],
    ["path", /pathe/],
    ["url", /URL and URLSearchParams are globals/],
    ["util", /structuredClone/],
    ["buffer", /Uint8Array/],
    ["stream", /async generator/],
    ["os", /does not see the machine/],
    ["process", /no process/],
    ["worker_threads", /ctx\.spawn/],
    ["node:nothing-of-the-kind", /the language/],
  ];
  for (const [path, words] of instead) it(`${path} has a sentence`, () => assert.match(nodeAdvice(path), words));

  it("of any kind has a sentence, except what nobody imports by hand", () => {
    const { advised, present } = advisedModules();
    const silent = present.filter((name) => !advised.has(name));
    assert.deepEqual(
      silent.filter(
        (name) =>
          !["constants", "sys", "trace_events", "sea", "ffi", "quic", "vfs", "dtls", "stream/iter"].includes(name),
      ),
      [],
    );
  });
});

describe("what is not there", () => {
  it("is a missing module, with what to do and the way to it", async () => {
    const { code, message } = await refusal('import { x } from "lost"; export default x');
    assert.equal(code, "SANDBOX_MODULE_MISSING");
    assert.match(
      message,
      /Could not resolve "not-installed": is it installed .* \(imported by x\.agent\.ts → lost\)\n/,
    );
    assert.match(
      (await refusal('import "./no.ts"')).message,
      /Could not resolve "\.\/no\.ts": there is no such file\n/,
    );
  });

  it("an agent of its own is not there without a default export", async () => {
    const { code, message } = await refusal("export const agent = 1");
    assert.equal(code, "SANDBOX_COMPILE_FAILED");
    assert.match(message, /^x\.agent\.ts:1:1: there is no default export; write export default agent\(\{ version: 1/);
  });
});

describe("an artifact that is too large", () => {
  it("is refused with its biggest parts, by package", async () => {
    const source = `import big from "big"; export default { big, own: ${JSON.stringify("o".repeat(2000))} }`;
    const { code, message, details } = await refusal(source, { codeBytesMax: 4000 });
    assert.equal(code, "SANDBOX_ARTIFACT_TOO_LARGE");
    assert.match(
      message,
      /^x\.agent\.ts compiles to 8\d\d\d bytes, more than the limit of 4000: big 50\d\d, x\.agent\.ts 20\d\d/,
    );
    const [first] = details["biggest"] as readonly { readonly owner: string; readonly bytes: number }[];
    assert.equal(first?.owner, "big");
  });
});
