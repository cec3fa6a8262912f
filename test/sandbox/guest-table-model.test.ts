/**
 * Random turns on a table against a plain Map. Invariants of the random runs:
 * 1. Whatever a turn wrote before, `get`, `has` and `range` show the rows of before under its own writes, in byte order.
 * 2. The rows of the turn's last word, laid over the rows of before, are the Map.
 * 3. However small the pages are that the Guardian sends, nothing changes.
 */
import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import * as fc from "fast-check";
import { compareRowKeys, pageText, presenceText, rowText, type RowRead } from "../../sandbox/rows.ts";
import { done, GuestHost, type TestGuest } from "../support/guest.ts";
import { seed } from "../support/random-runs.ts";

const host = new GuestHost();
after(() => host[Symbol.asyncDispose]());

const AGENT = `export default { version: 1, state: () => ({}), on: {
  async play(ctx, script) {
    const t = ctx.table("t"), seen = [];
    for (const [what, key, more] of script) {
      if (what === "put") t.put(key, more);
      else if (what === "delete") t.delete(key);
      else if (what === "get") seen.push((await t.get(key)) ?? null);
      else if (what === "has") seen.push(await t.has(key));
      else { const rows = []; for await (const row of t.range(more)) rows.push(row); seen.push(rows); }
    }
    return seen;
  },
} }`;

type Step = readonly [what: string, key: string, more: unknown];
interface Range {
  readonly from?: string;
  readonly to?: string;
  readonly prefix?: string;
  readonly limit?: number;
  readonly reverse?: boolean;
}

/** Few keys, so that steps meet; two whose order in UTF-16 is not that of their bytes, and prefixes of each other. */
const key = fc.constantFrom("a", "ab", "abc", "b", "ba", "\u{1f600}", "\ufb00", "\0", "~");
const number = fc.nat(9);
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
const range: fc.Arbitrary<Range> = fc
  .record({
    from: maybe(key),
    to: maybe(key),
    prefix: maybe(key),
    limit: maybe(fc.nat(4)),
    reverse: maybe(fc.boolean()),
  })
  .map((given) => JSON.parse(JSON.stringify(given)) as Range); // without what is undefined
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.tuple(fc.constant("put"), key, number),
  fc.tuple(fc.constantFrom("delete", "get", "has"), key, fc.constant(null)),
  fc.tuple(fc.constant("range"), fc.constant(""), range),
);

function listed(rows: ReadonlyMap<string, number>, { from = "", to, prefix = "", limit = Infinity, reverse }: Range) {
  const keys = [...rows.keys()].filter(
    (at) => compareRowKeys(at, from) >= 0 && (to === undefined || compareRowKeys(at, to) < 0) && at.startsWith(prefix),
  );
  const ascending = keys.toSorted(compareRowKeys);
  const ordered = reverse === true ? ascending.toReversed() : ascending;
  return ordered.slice(0, limit).map((at) => [at, rows.get(at)]);
}

/** What the steps see, on a plain Map. */
function play(rows: Map<string, number>, script: readonly Step[]): unknown[] {
  const seen: unknown[] = [];
  for (const [what, at, more] of script) {
    if (what === "put") rows.set(at, Number(more));
    else if (what === "delete") rows.delete(at);
    else if (what === "get") seen.push(rows.get(at) ?? null);
    else if (what === "has") seen.push(rows.has(at));
    else seen.push(listed(rows, more as Range)); // made by `range` above
  }
  return seen;
}

/** The Guardian's answer, with pages of at most `pageRows` rows, each of which says that there may be more. */
function answerOf(rows: ReadonlyMap<string, number>, read: RowRead, pageRows: number): string {
  const { kind, key: at, to, after, prefix, rowsMax } = read;
  if (kind === "get") return rowText(rows.get(at)?.toString());
  if (kind === "has") return presenceText(rows.has(at));
  const range = { from: at, prefix, reverse: kind === "down", ...(to === "" ? {} : { to }) };
  const all = listed(rows, range).map(([found]) => String(found));
  const keys = all.slice(after === "" ? 0 : all.indexOf(after) + 1).slice(0, Math.min(pageRows, rowsMax));
  return pageText({ keys, texts: keys.map((found) => String(rows.get(found))), next: keys.at(-1) ?? "" });
}

async function run(guest: TestGuest, rows: ReadonlyMap<string, number>, script: readonly Step[], pageRows: number) {
  let output = await guest.call("play", script);
  while (output.kind === "wait") {
    const [read] = output.reads;
    assert.ok(read !== undefined);
    output = await guest.answer(read.ask, { ok: true, text: answerOf(rows, read, pageRows) });
  }
  return done(output);
}

describe("a turn on a table", () => {
  it("sees and leaves what a plain Map would", async (t) => {
    t.diagnostic(`SEED=${seed}`);
    const limits = { tableReadsPerTurnMax: 1_000, tableBytesPerTurnMax: 100_000 };
    const guest = await (await host.open(AGENT)).start({ limits });
    const stored = fc.uniqueArray(fc.tuple(key, number), { selector: ([at]) => at });
    const property = fc.asyncProperty(
      stored,
      fc.array(step, { maxLength: 25 }),
      fc.integer({ min: 1, max: 4 }),
      async (before, script, pageRows) => {
        const { reply, rows } = await run(guest, new Map(before), script, pageRows);
        const model = new Map<string, number>(before);
        assert.deepEqual(JSON.parse(reply), play(model, script));
        const left = new Map<string, number>(before);
        for (const [, at, text] of rows) {
          if (text === undefined) left.delete(at);
          else left.set(at, Number(text));
        }
        assert.deepEqual(listed(left, {}), listed(model, {}));
      },
    );
    await fc.assert(property, { seed, numRuns: 500 });
  });
});
