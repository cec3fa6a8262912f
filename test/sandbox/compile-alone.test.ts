/** Compiling what an agent brings along: nothing of this machine gets into it, and no text of an agent's stops the compiler. */
import assert from "node:assert/strict";
import { execFile, execFileSync, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { after, afterEach, before, describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { parseAnswer } from "../../sandbox/compile-answer.ts";
import { buildEntry, FOOT, HEAD } from "../../sandbox/compile-build.ts";
import { CompileProcess } from "../../sandbox/compile-process.ts";
import { CompileQueue } from "../../sandbox/compile-queue.ts";
import { compile, leaveCompiler, stopCompiler } from "../../sandbox/compile.ts";
import { SandboxError } from "../../sandbox/errors.ts";
import { commandOf, descendantsOf, isRunning } from "../support/processes.ts";

const SECRET = "the-operators-secret";
const COMPILER = join(import.meta.dirname, "..", "..", "sandbox", "compile.ts");
const BOMB = `export default ${"[".repeat(900_000)}`;
const linuxOnly = { skip: process.platform !== "linux" && "reads /proc" };
let folder = "";
let serial = 0;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "planaria-alone-"));
  await writeFile(join(folder, ".env"), SECRET);
  await writeFile(join(folder, "key.json"), JSON.stringify({ key: SECRET }));
  await writeFile(
    join(folder, "code.map"),
    `{"version":3,"sources":["${SECRET}"],"names":["${SECRET}"],"mappings":"AAAAA"}`,
  );
  if (process.platform !== "win32") execFileSync("mkfifo", [join(folder, "fifo")]);
});
afterEach(stopCompiler);
after(() => rm(folder, { recursive: true }));

/** An agent whose handler is this expression. */
function agentOf(body: string): string {
  return `import { agent } from "planaria/agent";
export default agent({ version: 1, state: () => ({}), on: { async go(_ctx, x) { return ${body} } } });`;
}
/** One that nobody compiled before. */
const honest = (): string => agentOf(`"honest ${(serial += 1)}"`);
const alone = (source: string, timeMs = 60_000): ReturnType<typeof compile> =>
  compile({ source, name: "x.agent.ts", standsAlone: true }, { timeMs });

async function refusalOf(work: Promise<unknown>): Promise<SandboxError> {
  const error = await work.then(
    () => assert.fail("it was compiled"),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof SandboxError, String(error));
  return error;
}

/** As far up as anybody can get, and down again: from wherever a source is said to lie. */
const up = (path: string): string => "../".repeat(40) + path.slice(1);

describe("a source that an agent brings along", () => {
  const patterns = (): readonly string[] =>
    [relative(process.cwd(), folder), up(folder)].flatMap((path) => [
      `import("./${path}/.e" + x, { with: { type: "text" } })`,
      `import("./${path}/.e" + x)`,
      `import(\`./${path}/\${x}.json\`)`,
      `require("./${path}/" + x + ".json")`,
      `require("./${path}/no-such-" + x)`,
      `import("./${path}/no-such-folder/" + x)`,
    ]);

  it("gets no file by a pattern of paths, and is not told whether there is one", async () => {
    const messages = new Set<string>();
    for (const body of patterns()) {
      const source = agentOf(body);
      const entry = { name: "x.agent.ts", source, folder: process.cwd(), path: undefined, standsAlone: true };
      // In a sandbox there is nothing to find; the compiler itself refuses it, too.
      for (const work of [() => alone(source), () => buildEntry(entry, { sdk: "const agent = 1" })]) {
        const { code, message } = await refusalOf(work());
        assert.equal(code, "SANDBOX_COMPILE_FAILED");
        assert.ok(!message.includes(SECRET));
        messages.add(message.split("\n", 1)[0]?.replace(/^x\.agent\.ts:\d+:\d+: /, "") ?? "");
      }
    }
    const text = "what such a path names is not to be had: this source may import planaria/agent and nothing else";
    assert.deepEqual([...messages], [text]);
  });

  it("gets no map that a comment names, and does not wait for one that never comes", async () => {
    const [map, fifo] = [join(folder, "code.map"), join(folder, "fifo")];
    const comments = [
      `//# sourceMappingURL=${relative(process.cwd(), map)}`,
      `//# sourceMappingURL=${map}`,
      `//# sourceMappingURL=${pathToFileURL(map).href}`,
      `/*# sourceMappingURL=${pathToFileURL(map).href} */ //`,
      `//@ sourceMappingURL=${pathToFileURL(map).href}\n/* the end */`,
      `//# sourceMappingURL=data:application/json,{}\n//# sourceMappingURL=${pathToFileURL(map).href}`,
      ...(process.platform === "win32" ? [] : [`//# sourceMappingURL=${pathToFileURL(fifo).href}`]),
    ];
    const source = honest();
    const plain = await alone(source);
    for (const comment of comments) {
      const given = `${source}\n${comment}`;
      const entry = { name: "x.agent.ts", source: given, folder: process.cwd(), path: undefined, standsAlone: true };
      const built = await buildEntry(entry, { sdk: "const agent = 1" });
      const artifact = await alone(given);
      assert.ok(!`${built.bare}${built.map}${artifact.code}${artifact.map}`.includes(SECRET), comment);
      assert.deepEqual([artifact.hash, artifact.map], [plain.hash, plain.map], comment);
    }
  });

  it("is refused what it imports by name", async () => {
    for (const path of [
      join(folder, "key.json"),
      `./${relative(process.cwd(), folder)}/key.json`,
      "node:fs",
      "zod",
      "data:text/javascript,1",
    ]) {
      const { code, message } = await refusalOf(alone(`import a from ${JSON.stringify(path)}; export default a;`));
      assert.equal(code, "SANDBOX_COMPILE_FAILED");
      assert.match(message, /is not to be had: this source may import planaria\/agent and nothing else/);
    }
  });

  it("compiles to the same bytes as the operator's", async () => {
    const inline = Buffer.from('{"version":3,"sources":["own.ts"],"names":[],"mappings":"AAAA"}').toString("base64");
    const sources = [
      honest(),
      agentOf('new URL("https://example.org").href'),
      agentOf('"//# sourceMappingURL=data:,"'),
      `${honest()}\n//# sourceMappingURL=data:application/json;base64,${inline}`,
      'import { agent } from "planaria/agent";\nconst ü: string = "äöü\u2028";\nexport default agent({ version: 1, on: {} } as never, ü);',
    ];
    for (const source of sources) {
      const theirs = await alone(source);
      const ours = await compile({ source, name: "x.agent.ts" });
      assert.deepEqual({ ...theirs }, { ...ours });
    }
  });

  it("is told what is wrong with it in the same words", async () => {
    for (const source of [
      "export default {\n  version: 1,\n};}",
      "export const a = 1;",
      `${"x".repeat(5_000)} +;`,
      "await 1; export default 1",
    ]) {
      const theirs = await refusalOf(alone(source));
      const ours = await refusalOf(compile({ source, name: "x.agent.ts" }));
      assert.deepEqual([theirs.code, theirs.message], [ours.code, ours.message]);
      const [{ line, column } = { line: 0, column: 0 }] = theirs.details["errors"] as {
        line: number;
        column: number;
      }[]; // as refusals have them
      assert.ok(line > 0 && column > 0);
    }
  });

  it("is refused where it is too large, with what it is made of", async () => {
    const { code, message } = await refusalOf(alone(`export default ${JSON.stringify("x".repeat(1 << 20))}`));
    assert.equal(code, "SANDBOX_ARTIFACT_TOO_LARGE");
    assert.match(message, /x\.agent\.ts 10485\d\d/);
  });
});

describe("a source that the compiler does not survive", () => {
  it("is refused for the memory that it takes, and stops nobody else's", async () => {
    const source = honest();
    const bomb = refusalOf(alone(BOMB));
    const behind = alone(honest());
    const own = await compile({ source, name: "own.agent.ts" });
    assert.match(own.hash, /^[0-9a-f]{64}$/);
    const { code, message } = await bomb;
    assert.equal(code, "SANDBOX_COMPILE_FAILED");
    assert.match(
      message,
      /^x\.agent\.ts: (?:to compile it takes more than 512 MiB of memory|the compiler came to its end)/,
    );
    assert.match((await behind).hash, /^[0-9a-f]{64}$/);
  });

  it("is refused for the time that it takes", async () => {
    await alone(honest());
    const { code, message } = await refusalOf(alone(`export default ${JSON.stringify("y".repeat(900_000))}`, 0.5));
    assert.equal(code, "SANDBOX_COMPILE_FAILED");
    assert.equal(message, "x.agent.ts: it was not compiled within 0.0005 s");
    assert.match((await alone(honest())).hash, /^[0-9a-f]{64}$/);
  });

  it("is tried once more where somebody else ended the process", linuxOnly, async () => {
    await alone(honest());
    const [first = 0] = compilers();
    const work = alone(`export default ${JSON.stringify("z".repeat(900_000))}`);
    process.kill(first, "SIGKILL");
    assert.match((await work).hash, /^[0-9a-f]{64}$/);
    const [second] = compilers();
    assert.ok(second !== undefined && second !== first);
  });

  it("does not take the operator's compiler with it when that is killed", linuxOnly, async () => {
    await compile({ source: honest(), name: "own.agent.ts" });
    for (const pid of descendantsOf(process.pid))
      if (/esbuild\0--service/.test(commandOf(pid))) process.kill(pid, "SIGKILL");
    const both = [honest(), honest()].map((source) => compile({ source, name: "own.agent.ts" }));
    for (const { hash } of await Promise.all(both)) assert.match(hash, /^[0-9a-f]{64}$/);
  });
});

describe("the compiler's own process", () => {
  it("is one for fifty sources at once", linuxOnly, async () => {
    const sources = Array.from({ length: 50 }, honest);
    const work = Promise.all(sources.map((source) => alone(source)));
    const hashes = new Set((await work).map(({ hash }) => hash));
    assert.equal(hashes.size, 50);
    assert.equal(compilers().length, 1);
  });

  it("ends with the runtime that leaves, once nobody waits", linuxOnly, async () => {
    await alone(honest());
    assert.equal(compilers().length, 1);
    await leaveCompiler();
    assert.deepEqual(compilers(), []);
    const work = alone(honest());
    await leaveCompiler();
    assert.match((await work).hash, /^[0-9a-f]{64}$/);
  });

  const script = `import { compile } from ${JSON.stringify(COMPILER)};
    await compile({ source: "export default 1", name: "x.ts", standsAlone: true });`;

  it("does not keep a program alive", async () => {
    const args = ["--input-type=module", "-e", `${script} console.log("compiled");`];
    const { stdout } = await promisify(execFile)(process.execPath, args);
    assert.equal(stdout, "compiled\n");
  });

  it("ends when the program is killed", linuxOnly, async () => {
    const stay = "console.log('ready'); setInterval(() => {}, 1000);";
    const child = spawn(process.execPath, ["--input-type=module", "-e", script + stay], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const ended = new Promise((resolve) => child.once("exit", resolve));
    await new Promise((resolve) => child.stdout.once("data", resolve));
    const all = descendantsOf(child.pid ?? 0);
    assert.ok(all.length > 0);
    child.kill("SIGKILL");
    await ended;
    // Not a sleep but a wait for a condition: the processes are gone, or the test runs into its time limit.
    for (const pid of all) while (isRunning(pid)) await new Promise((resolve) => setImmediate(resolve));
  });

  it("works where there is no sandbox for it", async () => {
    const outside = await CompileProcess.start(() => Promise.resolve(false));
    const ask = async (source: string): Promise<unknown> => {
      const reply = await outside.ask(JSON.stringify({ name: "x.agent.ts", source, sdk: "const agent = 1" }), 60_000);
      return "line" in reply ? parseAnswer(reply.line, { name: "x.agent.ts", isInspected: false }) : reply;
    };
    const built = await ask("export default 1");
    assert.ok(typeof built === "object" && built !== null && "bare" in built);
    const refused = await ask(agentOf(`import("./${up(folder)}/.e" + x, { with: { type: "text" } })`));
    assert.ok(refused instanceof SandboxError && !refused.message.includes(SECRET));
    await outside.end();
    assert.deepEqual(await outside.ask("{}", 60_000), { lost: "ended" });
  });
});

describe("an answer of the compiler", () => {
  const bare = `${HEAD}\n(() => {})();\n${FOOT}`;
  const map = '{"version":3,"sources":["text:x.ts"],"mappings":"AAAA;AAAA","names":[]}';

  it("is taken in the one form that it has", () => {
    const built = parseAnswer(JSON.stringify({ bare, map, bytes: 5 }), { name: "x.ts", isInspected: false });
    assert.deepEqual(built, { bare, map, shares: new Map([["x.ts", 5]]), isLasting: true });
  });

  it("says what was seen where it was asked to look, and only there", () => {
    const sights = [{ rule: "eval", line: 1, column: 1, name: "" }];
    const answer = (more: object, isInspected: boolean): unknown =>
      parseAnswer(JSON.stringify({ bare, map, bytes: 5, ...more }), { name: "x.ts", isInspected });
    assert.deepEqual(answer({ sights }, true), { ...(answer({}, false) as object), sights }); // a bundle
    assert.equal(answer({ sights }, false), undefined);
    assert.equal(answer({}, true), undefined);
    assert.equal(answer({ sights: [{ rule: "eval" }] }, true), undefined);
  });

  const forged: readonly unknown[] = [
    "",
    [],
    7,
    null,
    {},
    { bare, map },
    { bare, map, bytes: -1 },
    { bare, map, bytes: "5" },
    { bare: "globalThis.x = 1", map, bytes: 5 },
    { bare: bare.slice(0, -2), map, bytes: 5 },
    { bare, map: "{", bytes: 5 },
    { bare, map: "[]", bytes: 5 },
    { bare, map: map.replace("3", "4"), bytes: 5 },
    { bare, map: map.replace('"text:x.ts"', "{}"), bytes: 5 },
    { bare, map: map.replace("AAAA;", "\\u0000"), bytes: 5 },
    { bare, map: map.replace("{", '{"sections":[],'), bytes: 5 },
    { message: 5, errors: [] },
    { message: "x", errors: 5 },
  ];
  for (const answer of forged) {
    it(`is not taken as ${JSON.stringify(answer).slice(0, 60)}`, () => {
      assert.equal(parseAnswer(JSON.stringify(answer), { name: "x.ts", isInspected: false }), undefined);
    });
  }

  it("has no more complaints, and none that is longer, than anybody reads", () => {
    const complaint = { file: "x.ts", line: 1, column: 1, text: "t".repeat(1e6), lineText: "l".repeat(1e6) };
    const errors = [{ line: 1 }, ...Array.from({ length: 1_000 }, () => complaint)];
    const error = parseAnswer(JSON.stringify({ message: "m".repeat(1e6), errors: errors.slice(0, 5) }), {
      name: "x.ts",
      isInspected: false,
    });
    assert.ok(error instanceof SandboxError);
    assert.ok(error.message.length <= 65_536);
    assert.equal(JSON.stringify(error.details).length < 10_000, true);
  });
});

describe("who waits for the compiler", () => {
  it("gets a turn as everybody does, however many others one of them has", () => {
    const queue = new CompileQueue<string>({ waitingMax: 7, waitingEachMax: 5 });
    for (const item of ["a1", "a2", "a3", "a4", "a5"]) assert.ok(queue.add("a", item));
    assert.equal(queue.add("a", "a6"), false);
    assert.ok(queue.add("b", "b1") && queue.add("c", "c1"));
    assert.equal(queue.add("d", "d1"), false);
    const order = Array.from({ length: 8 }, () => queue.take());
    assert.deepEqual(order, ["a1", "b1", "c1", "a2", "a3", "a4", "a5", undefined]);
  });
});

/** Node of each compiler that this process started. */
function compilers(): readonly number[] {
  return descendantsOf(process.pid).filter((pid) => /^[^\0]*node\0.*compiler-/.test(commandOf(pid)));
}
