/**
 * A copy of the repository's sources in a temporary folder, in which one bug at a time is planted, and the suites that are run
 * on it. The repository itself is not touched.
 */
import { spawn } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { PlantedBug, Suite } from "./bugs.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const COPIED = [
  "vault",
  "sandbox",
  "runtime",
  "evolution",
  "test",
  "examples",
  "package.json",
  "package-lock.json",
  "tsconfig.json",
];
/** Worlds in which a bug must show. */
const WORLDS = 600;
/** A suite that takes longer than this hangs: that is noticed, too. */
const SUITE_MS_MAX = 120_000;
/** The random worlds of a run are the same each time: what is noticed once is noticed again. */
const FROM = 1;

/** How a suite ended. */
export interface SuiteEnd {
  readonly hasNoticed: boolean;
  readonly ms: number;
  /** The first line that says what is wrong. */
  readonly why: string;
}

/** See the header. */
export class Garden implements Disposable {
  readonly #folder: string;

  constructor() {
    this.#folder = mkdtempSync(join(tmpdir(), "planaria-planted-"));
    for (const name of COPIED) cpSync(join(ROOT, name), join(this.#folder, name), { recursive: true });
    symlinkSync(join(ROOT, "node_modules"), join(this.#folder, "node_modules"));
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** Does `work` while the bug is there. Throws when its place is not there exactly once. */
  async with<T>({ file, find, replace, title }: PlantedBug, work: () => Promise<T>): Promise<T> {
    const path = join(this.#folder, file);
    const sound = readFileSync(path, "utf8");
    const places = sound.split(find).length - 1;
    if (places !== 1) throw new Error(`"${title}": its place is ${places} times in ${file}, instead of once`);
    writeFileSync(
      path,
      sound.replace(find, () => replace),
    );
    try {
      return await work();
    } finally {
      writeFileSync(path, sound);
    }
  }

  /** Runs a suite to its end. */
  async run(suite: Suite): Promise<SuiteEnd> {
    const startMs = performance.now();
    const child = spawn(process.execPath, argumentsOf(suite), {
      cwd: this.#folder,
      env: environment(),
      stdio: ["ignore", "pipe", "pipe"],
      timeout: SUITE_MS_MAX,
      killSignal: "SIGKILL",
    });
    let said = "";
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding("utf8").on("data", (text: string) => (said += text));
    const [code, signal] = await new Promise<readonly [number | null, string | null]>((resolve) => {
      child.on("close", (code, signal) => resolve([code, signal]));
    });
    const ms = performance.now() - startMs;
    if (signal !== null) return { hasNoticed: true, ms, why: `it did not come to an end (${signal})` };
    return { hasNoticed: code !== 0, ms, why: firstWrong(said) };
  }
}

/** A suite in a few words. */
export function nameOf(suite: Suite): string {
  if (suite.layer === "file") return suite.file;
  return suite.layer === "otp" ? "OTP's fixed cases" : "simulation";
}

function argumentsOf(suite: Suite): readonly string[] {
  if (suite.layer === "simulation") {
    const { from = FROM, worlds = WORLDS } = suite;
    return ["test/simulation/main.ts", "--from", `${from}`, "--worlds", `${worlds}`, "--wrong", "1"];
  }
  const file = suite.layer === "otp" ? "test/runtime/supervision-otp.test.ts" : suite.file;
  const pattern = suite.layer === "otp" ? ["--test-name-pattern=what the real OTP did once"] : [];
  return ["--test", "--test-timeout=20000", ...pattern, file];
}

/** A test that is run by a test would only report to it; and no seed of the outside belongs here. */
function environment(): NodeJS.ProcessEnv {
  const { NODE_TEST_CONTEXT: _context, SEED: _seed, ...rest } = process.env;
  return rest;
}

function firstWrong(said: string): string {
  const lines = said.split("\n").map((line) => line.trim());
  const line = lines.find((each) => /^at [\d.]+ ms: /.test(each)) ?? lines.find((each) => /^✖ (?!failing)/.test(each));
  return (line ?? lines.find((each) => each.includes("Error")) ?? "").slice(0, 160);
}
