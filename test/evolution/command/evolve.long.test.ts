/** `planaria evolve`, run as its users run it: the example of the README, Ctrl-C and what goes on behind it, refusals at the door. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempDisposable, readdir, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { describe, it } from "node:test";
import { readRecord } from "../../../evolution/report/read.ts";

const root = join(import.meta.dirname, "../../..");
const MEDIAN = join(root, "examples/problems/median.ts");

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs the verb; `until`: it is interrupted as soon as it has said so. */
async function planaria(args: readonly string[], until?: RegExp): Promise<Ran> {
  const child = spawn(process.execPath, [join(root, "evolution/command/planaria.mjs"), "evolve", ...args], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  let isSent = until === undefined;
  child.stderr.setEncoding("utf8").on("data", (part: string) => {
    said += part;
    if (!isSent && until?.test(said) === true) isSent = child.kill("SIGINT");
  });
  const [[code], out] = await Promise.all([once(child, "close"), text(child.stdout)]);
  return { code: Number(code), out, err: said };
}

const temp = () => mkdtempDisposable(join(tmpdir(), "planaria-evolve-"));

/** Nothing that is ever best enough. */
const ENDLESS = `export default {
  name: "endless", entry: "f", seeds: ["function f(x) {\\n  return x + 1;\\n}\\n"],
  cases: [1, 2, 3].map((x) => ({ id: "case " + x, args: [x] })),
  score: (_, outcome) => (outcome.kind === "returned" ? 0.5 : 0),
};
`;

describe("planaria evolve", () => {
  it("mends the example, and writes program, events and report", async () => {
    await using folder = await temp();
    const at = (name: string): string => join(folder.path, name);
    const files = ["--out", at("best.js"), "--events", at("run.jsonl"), "--report", at("run.html")];
    const { code, out, err } = await planaria([MEDIAN, "--budget", "5000e", ...files]);
    assert.equal(code, 0, err);
    assert.match(err, /^ended +goal reached/m);
    assert.match(out, /^function median\(numbers\) \{\n/);
    assert.equal(await readFile(at("best.js"), "utf8"), out);
    const { events } = await readRecord(at("run.jsonl"));
    assert.equal(events.at(-1)?.type, "run.ended");
    assert.match(await readFile(at("run.html"), "utf8"), /goal reached/);
  });

  it("Ctrl-C ends it with what was found, and the same command goes on to the end of an uncut run", async () => {
    await using folder = await temp();
    const file = join(folder.path, "endless.mjs");
    await writeFile(file, ENDLESS);
    const words = [file, "--json", "--islands", "1", "--workers", "1"];
    const kept = [...words, "--vault", join(folder.path, "vault"), "--run", "one"];
    const cut = await planaria([...kept, "--budget", "100000e"], /generation \d/);
    assert.equal(cut.code, 130, cut.err);
    assert.match(cut.err, /^ended +stopped/m);
    assert.match(cut.err, /^go on +planaria evolve .*endless\.mjs .*--vault .* --run one/m);
    const { generations, again } = JSON.parse(cut.out) as { generations: number; again: string };
    assert.match(again, /--run one/);
    const more = String((generations + 2) * 16);
    const whole = await planaria([...words, "--budget", `${more}e`]);
    const resumed = await planaria([...kept, "--budget", `${more}e`]);
    assert.equal(resumed.code, 0, resumed.err);
    const hashOf = (ran: Ran): unknown => (JSON.parse(ran.out) as { hash: unknown }).hash;
    assert.equal(hashOf(resumed), hashOf(whole));
    const other = await planaria([...kept, "--budget", `${more}e`, "--seed", "2"]);
    assert.equal(other.code, 2);
    assert.match(other.out, /EVOLUTION_RUN_MISMATCH/);
  });

  it("refuses what is no problem with the field, and unknown options with the nearest, before it makes anything", async () => {
    await using folder = await temp();
    const file = join(folder.path, "p.mjs");
    await writeFile(file, `export default { name: "p", entry: "f", seeds: ["1"], cases: [] };\n`);
    for (const [args, says] of [
      [[], /problem\.cases: .*problem\.score: must be a function.*\[EVOLUTION_OPTIONS_INVALID\]/],
      [["--budgt", "1m"], /Did you mean --budget/],
      [["--budget", "0e"], /--budget takes/],
      [["--report", join(folder.path, "no/a.html")], /there is no such folder/],
    ] as const) {
      const { code, err, out } = await planaria([file, "--vault", join(folder.path, "vault"), ...args]);
      assert.equal(code, 2);
      assert.match(err, says);
      assert.equal(out, "");
    }
    assert.deepEqual(await readdir(folder.path), ["p.mjs"]);
  });
});
