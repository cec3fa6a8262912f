/**
 * The README's first program is run as it stands there, and must print what its comments say.
 */
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, it } from "node:test";
import { promisify } from "node:util";

const run = promisify(execFile);
const root = join(import.meta.dirname, "..");

/** Code blocks whose first line is a comment with a file name. */
function filesOf(markdown: string): ReadonlyMap<string, string> {
  const blocks = markdown.matchAll(/```ts\n(\/\/ (\S+\.ts)[^\n]*\n[\s\S]*?)```/g);
  return new Map([...blocks].map(([, code = "", name = ""]) => [name.replace(/:$/, ""), code]));
}

/** What the `console.log` lines of a program promise to print: the first word of the comment behind each. */
function promises(code: string): readonly string[] {
  return [...code.matchAll(/console\.log\(.*; \/\/ (\w+)/g)].map(([, word = ""]) => word);
}

/** The first line, other than of its log, that a program prints which goes on until it is killed. */
async function firstWords(folder: string, name: string): Promise<string | undefined> {
  const program = spawn(process.execPath, [name], {
    cwd: folder,
    stdio: ["ignore", "pipe", "inherit"],
    timeout: 30_000,
  });
  try {
    for await (const line of createInterface(program.stdout)) if (!line.startsWith("{")) return line;
    return undefined;
  } finally {
    const ended = once(program, "exit");
    program.kill();
    await ended;
  }
}

describe("the README", () => {
  it("has a first program of at most twelve lines that survives a crash and prints what it says", async (t) => {
    const files = filesOf(await readFile(join(root, "README.md"), "utf8"));
    // Inside examples/, where the name "planaria" leads to the sources.
    const folder = await mkdtemp(join(root, "examples", "readme-"));
    t.after(() => rm(folder, { recursive: true, force: true }));
    for (const [name, code] of files) await writeFile(join(folder, name), code);
    const main = files.get("main.ts");
    assert.ok(main !== undefined && files.has("counter.agent.ts"));
    assert.ok(main.trim().split("\n").length <= 12);
    const { stdout } = await run(process.execPath, ["main.ts"], { cwd: folder, timeout: 30_000 });
    assert.deepEqual(stdout.trim().split("\n"), promises(main));
    const again = await run(process.execPath, ["main.ts"], { cwd: folder, timeout: 30_000 });
    assert.equal(again.stdout.split("\n")[0], "3", "run again, it goes on where it was");
    const order = await run(process.execPath, ["order.ts"], { cwd: folder, timeout: 30_000 });
    assert.equal(order.stdout, "paid 5, no note\npaid 5, order taken\n");
    const dead = await run(process.execPath, ["dead.ts"], { cwd: folder, timeout: 30_000 });
    assert.equal(dead.stdout, "act 1\n");
    const news = await run(process.execPath, ["news.ts"], { cwd: folder, timeout: 30_000 });
    assert.equal(news.stdout, "hello 1\n");
    const team = await run(process.execPath, ["team.ts"], { cwd: folder, timeout: 30_000 });
    assert.equal(team.stdout, "14 4\n");
    const weather = await run(process.execPath, ["weather.ts"], { cwd: folder, timeout: 30_000 });
    assert.equal(weather.stdout, "sunny ok\n");
    const dev = files.get("dev.ts") ?? "";
    assert.deepEqual([await firstWords(folder, "dev.ts"), promises(dev)], ["counter is up", ["counter"]]);
  });
});
