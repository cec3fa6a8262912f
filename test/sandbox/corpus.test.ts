/**
 * The corpus of hostile snippets against a runtime as it is by default: every one is contained and ends as the corpus says,
 * its agent answers again with the state it had, and whoever did nothing notices nothing. `npm run bench -- sandbox` runs
 * those too that take long, and measures.
 */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Runtime, type AgentRef } from "../../runtime/index.ts";
import { families } from "../corpus/families.ts";
import { runSnippet, WITNESS, type Contained } from "../corpus/run.ts";
import { OUT_OF_TIME } from "../corpus/snippet.ts";
import type { Snippet } from "../corpus/snippet.ts";

/** Attacks at once: one for each core of a small machine. */
const WIDTH = 2;
/** Each n-th snippet attacks from code with JIT as well. */
const TRUSTED_EACH = 9;
/** Growth of this process that no attack may bring about, in MiB: what a hundred agents leave in its caches, and room. */
const GUARDIAN_GROWTH_MB = 300;

/** What honest code does all day. */
const BENIGN = `
export default {
  version: 1,
  state: () => ({ notes: [], seen: new Map(), when: new Date(0) }),
  on: {
    async work(ctx, text) {
      const words = text.split(/\\s+/).map((word) => word.toLowerCase().padEnd(3, "."));
      for (const word of words) ctx.state.seen.set(word, (ctx.state.seen.get(word) ?? 0) + 1);
      ctx.state.notes = [...ctx.state.notes, { text, at: ctx.now(), big: 10n ** 20n }].slice(-10);
      ctx.table("rows").put("last", { words, bytes: new Uint8Array([1, 2, 3]) });
      ctx.log.info("worked", { words: words.length });
      const echo = await ctx.call("witness", "echo", { words, nested: [{ a: [1.5, null, true] }] });
      const sum = Math.max.apply(null, [1, 5, 3]) + Reflect.apply(Math.min, null, [4, 2]) + BigInt("12").toString().length;
      const sorted = Array.from(new Set(words)).sort().join("|").replaceAll("|", ", ").repeat(2);
      return { sorted, echo: JSON.parse(JSON.stringify(echo)), sum, size: ctx.state.seen.size };
    },
  },
};
`;

const folder = mkdtempSync(join(tmpdir(), "planaria-corpus-"));
let runtime: Runtime;
let witness: AgentRef;
const found = new Map<string, Contained>();
let calls = 0;
const over = new AbortController();
const guardianBefore = process.memoryUsage.rss();
const prototypes = JSON.stringify(builtIns());

before(async () => {
  runtime = await Runtime.open({ vault: join(folder, "vault") });
  witness = await runtime.spawn({ id: "witness", source: WITNESS });
  const probing = probe();
  const queue = [...attacks()];
  const attack = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      found.set(keyOf(next), await runSnippet(next.snippet, { runtime, profile: next.profile }));
    }
  };
  await Promise.all(Array.from({ length: WIDTH }, attack));
  // Who ran out of time where that is no end of it may have been kept waiting by the others: alone, it counts.
  for (const each of attacks())
    if (isOutOfTime(found.get(keyOf(each))))
      found.set(keyOf(each), await runSnippet(each.snippet, { runtime, profile: each.profile }));
  over.abort();
  await probing;
});

after(async () => {
  await runtime.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Whether it was ended by a clock, its turn's or the Guardian's over its cell, and should not have been. */
function isOutOfTime({ ended, wrong }: Partial<Contained> = {}): boolean {
  return wrong !== undefined && [...OUT_OF_TIME, "SANDBOX_CELL_LOST"].some((code) => code === ended);
}

interface Attack {
  readonly snippet: Snippet;
  readonly profile: "trusted" | "hardened";
}

function* attacks(): Iterable<Attack> {
  const quick = families.flatMap(({ snippets }) => snippets).filter(({ isSlow }) => isSlow !== true);
  for (const [index, snippet] of quick.entries()) {
    yield { snippet, profile: "hardened" };
    if (index % TRUSTED_EACH === 0) yield { snippet, profile: "trusted" };
  }
}

function keyOf({ snippet, profile }: Attack): string {
  return `${snippet.name} (${profile})`;
}

/** Somebody in another cell, who did nothing, is asked one thing after the other all the while. A refusal rejects. */
async function probe(): Promise<void> {
  while (!over.signal.aborted) {
    const text = `call ${calls++}`;
    assert.equal(await witness.call("echo", text, { timeoutMs: 30_000 }), text);
  }
}

/** What an attack on the Guardian's own realm would change. */
function builtIns(): readonly (readonly string[])[] {
  return [Object, Array, Function, String, Promise, Error, Map].map(
    ({ prototype }) => Reflect.ownKeys(prototype as object).map(String), // every built-in constructor has an object for a prototype
  );
}

describe("the corpus", () => {
  it("has at least 160 snippets, each with a name of its own", () => {
    const names = families.flatMap(({ snippets }) => snippets.map(({ name }) => name));
    assert.ok(names.length >= 160, `${names.length} snippets`);
    assert.equal(new Set(names).size, names.length);
  });

  for (const family of families) {
    it(`${family.name}: everything is contained and ends as it must`, () => {
      const results = [...attacks()].filter(({ snippet }) => family.snippets.includes(snippet)).map(keyOf);
      assert.ok(results.length > 5);
      const wrongs = results.flatMap((key) =>
        found.get(key)?.wrong === undefined ? [] : [`${key}: ${found.get(key)?.wrong}`],
      );
      assert.deepEqual(wrongs, []);
    });
  }

  it("nobody in another cell was refused anything", () => assert.ok(calls > 100, `${calls} calls`));

  it("this process is what it was: its built-ins, its memory, nobody but the witness left", () => {
    assert.equal(JSON.stringify(builtIns()), prototypes);
    assert.deepEqual(runtime.ids(), ["witness"]);
    const grownMb = (process.memoryUsage.rss() - guardianBefore) / 2 ** 20;
    assert.ok(grownMb < GUARDIAN_GROWTH_MB, `grew by ${grownMb.toFixed(0)} MiB`);
  });

  for (const profile of ["trusted", "hardened"] as const) {
    it(`honest code works as ever (${profile})`, async () => {
      const honest = await runtime.spawn({ id: `honest-${profile}`, source: BENIGN, profile });
      const text = "Der Wurm der den Kopf verliert";
      const echo = { words: ["der", "wurm", "der", "den", "kopf", "verliert"], nested: [{ a: [1.5, null, true] }] };
      const sorted = "den, der, kopf, verliert, wurm".repeat(2);
      assert.deepEqual(await honest.call("work", text), { sorted, echo, sum: 9, size: 5 });
      assert.deepEqual(await honest.call("work", "x"), {
        sorted: "x..x..",
        echo: { ...echo, words: ["x.."] },
        sum: 9,
        size: 6,
      });
    });
  }
});
