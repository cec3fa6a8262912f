/**
 * What an embedder gets: the tarball, installed into an empty project, imported by its public names and used. Nothing
 * here sees the repository's sources but through that tarball; the build runs in a copy, so that no other test meets a
 * half-written dist.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";

const root = join(import.meta.dirname, "..");
const temp = mkdtempSync(join(tmpdir(), "planaria-package-"));
const clone = join(temp, "clone");
const project = join(temp, "project");
after(() => rmSync(temp, { recursive: true, force: true }));

const execute = promisify(execFile);

/** The environment of somebody who did not start us through npm, with our Node first on the path. */
const env = {
  ...Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^npm_(?:config_local|package|life|command)/.test(name)),
  ),
  PATH: [dirname(process.execPath), process.env["PATH"]].join(delimiter),
};

/** Runs a program to its end and returns what it printed; a code other than 0 rejects with all that it said. */
async function run(cwd: string, file: string, ...args: readonly string[]): Promise<string> {
  const { stdout } = await execute(file, args, { cwd, env, timeout: 100_000 });
  return stdout;
}

/** A copy of what is needed to build and pack, as a fresh clone after `npm ci` has it. */
function copyRepository(): void {
  mkdirSync(clone);
  for (const name of ["package.json", "tsconfig.json", "tsconfig.build.json", "LICENSE", "README.md", "docs"]) {
    cpSync(join(root, name), join(clone, name), { recursive: true });
  }
  for (const floor of ["vault", "sandbox", "runtime", "evolution"]) {
    cpSync(join(root, floor), join(clone, floor), { recursive: true });
  }
  symlinkSync(join(root, "node_modules"), join(clone, "node_modules"));
}

function writeProject(): void {
  mkdirSync(project);
  writeFileSync(join(project, "package.json"), '{ "private": true, "type": "module" }');
  writeFileSync(join(project, "use.ts"), usage);
  const compilerOptions = {
    strict: true,
    noEmit: true,
    target: "es2025",
    lib: ["es2025", "esnext.disposable"],
    module: "nodenext",
    exactOptionalPropertyTypes: true,
    typeRoots: [join(root, "node_modules/@types")],
    types: ["node"],
  };
  writeFileSync(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["use.ts"] }));
}

/** A user's program. It keeps to syntax that Node strips by itself, so it is compiled and run from one text. */
const usage = `
import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Runtime } from "planaria";
import { agent } from "planaria/agent";

const counter = agent({
  version: 1,
  state: () => ({ count: 0 }),
  on: {
    add(ctx, by: number) { return (ctx.state.count += by); },
    spin() { for (;;) {} },
  },
});
counter satisfies object;
// @ts-expect-error: a definition without handlers is no agent
agent({ version: 1 });

const folder = mkdtempSync(join(tmpdir(), "planaria-use-"));
const source = \`
  import { agent } from "planaria/agent";
  export default agent({
    version: 1,
    state: () => ({ count: 0 }),
    on: { add(ctx, by: number) { return (ctx.state.count += by); } },
  });
\`;
const said: unknown[] = [];
{
  await using runtime = await Runtime.open({ vault: join(folder, "vault") });
  const ref = await runtime.spawn({ id: "counter", source });
  said.push(await ref.call("add", 1));
  await ref.kill();
  said.push(await ref.call("add", 1));
}
{
  await using runtime = await Runtime.open({ vault: join(folder, "vault") });
  said.push(await runtime.ref("counter").call("add", 1));
}
{
  await using runtime = await Runtime.open({ vault: join(folder, "vault") });
  const powers = \`export default { version: 1, state: () => ({}), on: {
    async note(ctx) { await ctx.host.files.write("a.txt", "noted"); return await ctx.host.files.read("a.txt"); },
    bear: (ctx, source) => ctx.spawn({ id: "child", source }),
    ask: (ctx) => ctx.host.mcp.tools("docs").catch((error) => error.message),
  } }\`;
  const servers = { docs: { url: "https://mcp.example.com/mcp", tools: { allow: ["search"] } } };
  const host = { files: { folder: realpathSync(folder), write: true }, mcp: { servers } };
  const ref = await runtime.spawn({ id: "powers", source: powers, host });
  said.push(await ref.call("note"), await ref.call("ask"));
  await ref.call("bear", source);
  said.push(await runtime.ref("powers/child").call("add", 4));
  // @ts-expect-error: no grant without its parameters
  const refused = runtime.spawn({ id: "refused", source: powers, host: { files: { foldr: folder } } });
  said.push(await refused.catch((error) => error.code));
}
rmSync(folder, { recursive: true });
console.log(JSON.stringify(said));
`;

interface Packed {
  readonly filename: string;
  readonly files: readonly { readonly path: string }[];
}

describe("the published package", { timeout: 110_000 }, () => {
  let packed: Packed;

  before(async () => {
    copyRepository();
    writeProject();
    const report = await run(clone, "npm", "pack", "--json", "--foreground-scripts=false");
    const [entry]: readonly Packed[] = JSON.parse(report);
    assert.ok(entry !== undefined);
    packed = entry;
    const tarball = join(clone, packed.filename);
    await run(project, "npm", "install", "--prefer-offline", "--no-audit", "--no-fund", "--loglevel=error", tarball);
  });

  it("holds the built floors and the launcher, and no source, test or build script", () => {
    const paths = packed.files.map(({ path }) => path);
    for (const path of [
      "dist/runtime/index.js",
      "dist/runtime/index.d.ts",
      "evolution/command/planaria.mjs",
      "LICENSE",
    ]) {
      assert.ok(paths.includes(path), `${path} is missing`);
    }
    const strangers = paths.filter((path) =>
      /(?<!\.d)\.ts$|^dist\/(?:test|bench|examples)\/|\/command\/build\.js$/.test(path),
    );
    assert.deepEqual(strangers, []);
  });

  it("has types that accept right use and refuse wrong use", async () => {
    await run(project, process.execPath, join(root, "node_modules/typescript/bin/tsc"), "-p", project);
  });

  it("runs a user's program: spawn from source, call, kill, call again, reopen; capabilities, and one whose package is missing", async () => {
    const said = await run(project, process.execPath, "--disable-warning=ExperimentalWarning", "use.ts");
    const needed = "mcp needs a package that is not installed: npm install @modelcontextprotocol/client";
    assert.deepEqual(JSON.parse(said), [1, 2, 3, "noted", needed, 4, "RUNTIME_OPTIONS_INVALID"]);
  });

  for (const name of ["planaria", "planaria/agent", "planaria/evolution", "planaria/testing"]) {
    it(`can be imported as ${name}`, async () => {
      const names = await run(
        project,
        process.execPath,
        "-e",
        `console.log(Object.keys(await import("${name}")).length)`,
      );
      assert.ok(Number(names) > 0);
    });
  }

  it("brings the planaria command", async () => {
    const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
    assert.equal(await run(project, join(project, "node_modules/.bin/planaria"), "--version"), `${version}\n`);
  });

  it("is what the examples import under the same names", () => {
    const namesOf = (folder: string) =>
      Object.keys(JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8")).exports)
        .filter((name) => name !== "./package.json")
        .toSorted();
    assert.deepEqual(namesOf("examples"), namesOf("."));
  });
});
