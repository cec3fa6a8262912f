/** Generated code, looked at where it is compiled: findings with their place in the TypeScript, and texts that are made to hurt whoever reads them. */
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { compile, compileInspected, stopCompiler } from "../../sandbox/compile.ts";
import { INSPECT_LIMITS } from "../../sandbox/inspect/rules.ts";
import { inspectCode } from "../../sandbox/inspect/inspect.ts";
import { engine } from "../corpus/engine.ts";
import { escape } from "../corpus/escape.ts";
import { prototype } from "../corpus/prototype.ts";
import { COUNTER } from "../support/agents.ts";

const ROOT = join(import.meta.dirname, "..", "..");
after(stopCompiler);

async function told(source: string): Promise<readonly string[]> {
  const { findings } = await compileInspected({ source, name: "x.agent.ts" }, { timeMs: 60_000 });
  return findings.map(({ rule, line, column }) => `${rule} ${line}:${column}`);
}

/** An agent with these lines above it, and this expression in its handler, which is on line 3 behind them. */
const agentOf = (body: string, top = ""): string => `import { agent } from "planaria/agent";
${top}export default agent({ version: 1, state: () => ({ n: 0 }), on: {
  go(ctx, x: string) { return ${body} } } });`;

describe("what is found in a candidate", () => {
  const typed: readonly (readonly [what: string, source: string, ...told: readonly string[]])[] = [
    ["behind types and casts", agentOf("(eval as (text: string) => unknown)(x satisfies string)"), "eval 3:32"],
    [
      "behind lines that are only types",
      agentOf("new Function(x)", "interface A {\n  b: 1;\n}\ntype C = A;\n"),
      "function-constructor 7:35",
    ],
    ["behind letters of more than one unit", agentOf('["ä𝕏", (globalThis as any)[x]]'), "computed-global 3:40"],
    [
      "in a class with private parts",
      agentOf("new A().go(x)", "class A { #f = eval; go(x: string) { return this.#f(x); } }\n"),
      "eval 2:16",
    ],
    ["kept beside the state", agentOf("hits++", "let hits = 0;\n"), "module-state 2:5"],
    ["of globals that agents lack", agentOf("setTimeout(() => x, 5)"), "missing-global 3:31"],
    ["in a module of the old kind", "module.exports = { on: {} };\nwith (module) { exports; }", "with 2:1"],
    ["that is no agent", "export default 7;", "no-agent 1:16"],
    ["that is no agent either", "export default class A {}", "no-agent 1:1"],
    ["in a source that is too large", `${COUNTER}//${"x".repeat(INSPECT_LIMITS.bytesMax)}`, "too-large 1:1"],
    ["in one that compiles to too much", agentOf(`"${"ä".repeat(70_000)}"`), "too-large 1:1"],
  ];
  for (const [what, source, ...expected] of typed) {
    it(`${what} is told at its place in the source`, async () => assert.deepEqual(await told(source), expected));
  }

  it("is told in words that the Guardian has, and in no other", async () => {
    const { findings } = await compileInspected({ source: agentOf("Date = x as never"), name: "x.agent.ts" });
    assert.deepEqual(findings, [
      {
        rule: "global-write",
        severity: "forbidden",
        line: 3,
        column: 31,
        text: "Date is replaced here for all code of the agent, and nothing that is measured afterwards can be trusted; declare a name of your own: const now = …",
      },
    ]);
  });

  it("is told of the whole text where a map within it claims another place", async () => {
    const map = JSON.stringify({
      version: 3,
      sources: ["text:x.agent.ts"],
      names: [],
      mappings: ";;AAqgBqgB;AACA;AACA",
    });
    const comment = `\n//# sourceMappingURL=data:application/json;base64,${Buffer.from(map).toString("base64")}`;
    assert.deepEqual(await told(agentOf("eval(x)") + comment), ["eval 1:1"]);
  });

  it("costs nothing where nobody asked, and is asked for also where the code is known already", async () => {
    const source = agentOf("eval(x)");
    const plain = await compile({ source, name: "x.agent.ts", standsAlone: true });
    const { artifact, findings } = await compileInspected({ source, name: "x.agent.ts" });
    assert.deepEqual([artifact, findings.length], [plain, 1]);
    assert.equal((await compileInspected({ source, name: "x.agent.ts" })).artifact, artifact);
  });
});

describe("a text that is made to hurt whoever reads it", () => {
  const { bytesMax } = INSPECT_LIMITS;
  /** Numbered parts, up to a length. */
  const many = (part: (index: number) => string, bytes = bytesMax - 1_000): string => {
    let text = "";
    for (let index = 0; text.length < bytes; index += 1) text += part(index);
    return text;
  };
  const texts: readonly (readonly [what: string, text: string])[] = [
    ["100,000 brackets", `export default ${"[".repeat(100_000)}${"]".repeat(100_000)}`],
    ["100,000 functions, one in the other", `export default ${"a=>".repeat(80_000)}0`],
    ["100,000 signs", `export default ${"! ".repeat(100_000)}x`],
    ["a sum of 60,000 parts", `export default ${"x+".repeat(60_000)}x`],
    ["130,000 statements", "x;".repeat(130_000)],
    ["names without end", many((index) => `let a${index};`)],
    ["variables within blocks", `${"{".repeat(450)}${many(() => "var q;", bytesMax - 2_000)}${"}".repeat(450)}`],
    ["a pattern of a thousand choices", `export default /${many(() => "(?<a>x)|")}/`],
    [
      "names that lead from one to the next",
      `var a0=Array.prototype;${many((index) => `var a${index + 1}=a${index};a${index + 1}.x=1;`)}`,
    ],
    ["a chain of calls with a wait in each", `async () => x${many(() => "(await 1)")}`],
  ];
  for (const [what, text] of texts) {
    it(`is inspected in time: ${what}`, (t) => {
      const before = process.cpuUsage();
      inspectCode(text);
      const { user, system } = process.cpuUsage(before);
      t.diagnostic(`${((user + system) / 1_000).toFixed(0)} ms of CPU for ${text.length} characters`);
      // What is square in any of this takes ten times as long and more.
      assert.ok(user + system < 5_000_000, `${(user + system) / 1_000} ms`);
    });
  }

  it("is refused by a rule, or as what does not compile, and the next one is none the worse", async () => {
    const endings = new Set<string>();
    // Of the others esbuild makes no less work, and it is the clock that decides.
    for (const [, text] of [0, 3, 4, 7, 8].flatMap((index) => texts.slice(index, index + 1))) {
      const source = text.includes("export default") ? text : `${text}\nexport default agent;var agent={on:{}};`;
      const answer = await told(source).then(
        ([first = "nothing"]) => first.replace(/ .*/, ""),
        (error: Error & { readonly code?: string }) => `${error.code}`,
      );
      endings.add(answer);
      assert.deepEqual(await told(agentOf(`x + ${endings.size}`)), []);
    }
    const known = [
      "SANDBOX_COMPILE_FAILED",
      "too-deep",
      "too-large",
      "too-many-nodes",
      "builtin-write",
      "no-agent",
      "nothing",
    ];
    assert.deepEqual(
      [...endings].filter((ending) => !known.includes(ending)),
      [],
    );
    assert.ok(endings.has("too-deep") && endings.has("too-many-nodes"), [...endings].join());
  });
});

describe("honest code", () => {
  const files = globSync("{examples,evolution,test/fixtures,bench}/**/*.agent.ts", { cwd: ROOT }).toSorted();
  for (const file of files) {
    it(`of ${file} has nothing that is forbidden`, async () => {
      const { code } = await compile({ module: join(ROOT, file) });
      const forbidden = inspectCode(code).filter(({ rule }) => !NOTES.has(rule));
      assert.deepEqual(forbidden, []);
      // What stands alone has the same findings where it is compiled alone.
      const source = readFileSync(join(ROOT, file), "utf8");
      if (!/from "(?!planaria\/agent")/.test(source))
        assert.deepEqual(
          (await told(source)).filter((line) => !NOTES.has(line.split(" ", 1)[0] ?? "")),
          [],
        );
    });
  }

  it("of the counter that most tests use has none, and two loops to look at", async () => {
    assert.deepEqual(await told(COUNTER), ["endless-loop 12:14", "endless-loop 13:41"]);
  });

  const packages: readonly (readonly [name: string, ...forbidden: readonly string[]])[] = [
    ["yaml"],
    ["devalue"],
    ["fast-check"],
    ["croner"],
    ["eventsource-parser"],
    ["acorn"],
    ["tinybench"],
    // It makes code of texts, as it says, where it may.
    ["zod", "function-constructor", "function-constructor", "function-constructor"],
    // It is a module of WebAssembly.
    ["xxhash-wasm", "engine-part"],
  ];
  for (const [name, ...expected] of packages) {
    it(`of the package ${name} has ${expected.length === 0 ? "nothing that is forbidden" : "what it is known for"}`, async () => {
      const source = `import * as all from "${name}";\nexport default { version: 1, state: () => ({}), on: { go: () => all } };`;
      const { code } = await compile({ source, name: "x.agent.ts", resolveFrom: ROOT });
      // The globals that are ours stand on the first line.
      const found = inspectCode(code, { limits: { bytesMax: 1 << 20, nodesMax: 500_000, depthMax: 500 } });
      assert.deepEqual(
        found.filter(({ rule, line }) => line > 1 && !NOTES.has(rule)).map(({ rule }) => rule),
        expected,
      );
    });
  }
});

const NOTES: ReadonlySet<string> = new Set([
  "module-state",
  "global-state",
  "computed-global",
  "missing-global",
  "endless-loop",
]);

describe("the corpus of hostile code", () => {
  const source = ({ code, place }: { readonly code: string; readonly place?: string }): string =>
    place === "module"
      ? `${code}\nexport default { on: {} };`
      : `export default { on: { async attack(ctx: any, arg: any) { ${code} } } };`;
  for (const { name, snippets } of [escape, engine, prototype]) {
    it(`has in its family "${name}" no snippet over which the rules stumble`, async (t) => {
      let refused = 0;
      for (const snippet of snippets) {
        const lines = await told(source(snippet)).catch((error: Error & { readonly code?: string }) => {
          assert.equal(error.code, "SANDBOX_COMPILE_FAILED", snippet.name);
          return ["does-not-compile 1:1"];
        });
        if (lines.some((line) => !NOTES.has(line.split(" ", 1)[0] ?? ""))) refused += 1;
      }
      t.diagnostic(`${refused} of ${snippets.length} are refused before they run`);
      assert.ok(refused > 0);
    });
  }
});
