/** Tables from the inside: what a handler asks for and what it writes, with the test in the Guardian's place. */
import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import * as fc from "fast-check";
import { decode } from "../../sandbox/codec.ts";
import type { GuestOutput } from "../../sandbox/guest-output.ts";
import { compareRowKeys, PAGE_ROWS_MAX, pageText, presenceText, rowText, type RowRead } from "../../sandbox/rows.ts";
import { done, GuestHost, thrown, type TestGuest } from "../support/guest.ts";
import { check } from "../support/random-runs.ts";

const host = new GuestHost();
after(() => host[Symbol.asyncDispose]());

const AGENT = `
  const outline = async (rows) => { const all = []; for await (const [key, value] of rows) all.push(key + "=" + value); return all.join(" "); };
  let kept;
  export default {
    version: 1,
    state: () => ({}),
    on: {
      put: (ctx, [table, key, value]) => ctx.table(table).put(key, value),
      remove: (ctx, key) => ctx.table("t").delete(key),
      get: (ctx, key) => ctx.table("t").get(key),
      has: (ctx, key) => ctx.table("t").has(key),
      range: (ctx, options) => outline(ctx.table("t").range(options)),
      async own(ctx) {
        const { put, get, has, delete: remove, range } = ctx.table("t");
        const value = { list: [1] };
        put("b", value);
        value.list.push(2);
        const read = await get("b");
        read.list.push(3);
        remove("c");
        put("a", "x");
        put("a", "y");
        return [await get("b"), await has("b"), await get("c"), await has("c"), await get("a")];
      },
      async merged(ctx, options) {
        const t = ctx.table("t");
        t.put("b", "own");
        t.delete("c");
        t.put("z", "last");
        return outline(t.range(options));
      },
      async first(ctx) { for await (const [key] of ctx.table("t").range()) return key; },
      async during(ctx) {
        const t = ctx.table("t"), seen = [];
        t.put("a", 1);
        t.put("b", 1);
        for await (const [key] of t.range()) { seen.push(key); t.delete(key); t.put(key + "+", 2); }
        return seen.join();
      },
      async twice(ctx) { const rows = ctx.table("t").range({ limit: 1 }); return [await outline(rows), await outline(rows)]; },
      many: async (ctx, count) => (await Promise.all(Array.from({ length: count }, (_, i) => ctx.table("t").get("k" + i)))).length,
      big: (ctx, size) => ctx.table("t").put("k", "x".repeat(size)),
      flood(ctx, size) { for (let i = 0; i < 100; i++) ctx.table("t").put("k" + i, "x".repeat(size)); },
      rewrite(ctx, size) { for (let i = 0; i < 100; i++) ctx.table("t").put("k", "x".repeat(size)); },
      rows(ctx, count) { for (let i = 0; i < count; i++) ctx.table("t").delete("" + i); },
      fails(ctx) { ctx.table("t").put("k", 1); throw new Error("no"); },
      unclonable: (ctx) => ctx.table("t").put("k", { deep: [() => 1] }),
      keep(ctx) { kept = ctx.table("t"); },
      keptPut: () => kept.put("k", 1),
      keptGet: () => kept.get("k"),
      keptRange: () => kept.range(),
      unawaited(ctx) { void ctx.table("t").get("k"); return "done"; },
      caught: async (ctx) => { try { await ctx.table("t").get("k"); } catch (error) { return error.code + ": " + error.message; } },
      undefinedRow: async (ctx) => { const t = ctx.table("t"); t.put("k", undefined); return [await t.get("k"), await t.has("k")]; },
      look: { reads: true, handle: (ctx, key) => ctx.table("t").get(key) },
      write: { reads: true, handle: (ctx) => ctx.table("t").put("k", 1) },
      erase: { reads: true, handle: (ctx) => ctx.table("t").delete("k") },
      patched(ctx) {
        Array.prototype.sort = Map.prototype.get = Map.prototype.forEach = String.prototype.slice = () => { throw new Error("patched"); };
        const t = ctx.table("t");
        t.put("b", 1);
        t.put("a", 2);
        return outline(t.range());
      },
    },
  };
`;

/** Rows that the test keeps in the Guardian's place. */
type Rows = ReadonlyMap<string, string>;

function answerOf(rows: Rows, read: RowRead): string {
  const { kind, key, to, after, prefix, rowsMax } = read;
  if (kind === "get") return rowText(rows.get(key));
  if (kind === "has") return presenceText(rows.has(key));
  const direction = kind === "up" ? 1 : -1;
  const keys = [...rows.keys()].filter(
    (at) => compareRowKeys(at, key) >= 0 && (to === "" || compareRowKeys(at, to) < 0) && at.startsWith(prefix),
  );
  const ahead = keys.filter((at) => after === "" || direction * compareRowKeys(at, after) > 0);
  const page = ahead.toSorted((a, b) => direction * compareRowKeys(a, b)).slice(0, rowsMax);
  return pageText({
    keys: page,
    texts: page.map((at) => rows.get(at) ?? ""),
    next: page.length < rowsMax ? "" : (page.at(-1) ?? ""),
  });
}

/** Answers reads until the turn is over. */
async function serve(
  guest: TestGuest,
  first: GuestOutput,
  rows: Rows,
): Promise<{ readonly end: GuestOutput; readonly reads: readonly RowRead[] }> {
  const reads: RowRead[] = [];
  let output = first;
  const open: RowRead[] = [];
  for (;;) {
    if (output.kind === "wait") {
      reads.push(...output.reads);
      open.push(...output.reads);
    }
    const next = output.kind === "wait" ? open.shift() : undefined;
    if (next === undefined) return { end: output, reads };
    output = await guest.answer(next.ask, { ok: true, text: answerOf(rows, next) });
  }
}

async function ask(method: string, argument: unknown, rows: Record<string, unknown> = {}) {
  const guest = await (await host.open(AGENT)).start();
  const stored = new Map(Object.entries(rows).map(([key, value]) => [key, JSON.stringify(value)]));
  return serve(guest, await guest.call(method, argument), stored);
}

async function replyOf(method: string, argument?: unknown, rows?: Record<string, unknown>): Promise<unknown> {
  const { reply } = done((await ask(method, argument, rows)).end);
  return reply === "~-1" ? undefined : JSON.parse(reply);
}

const refusal = async (method: string, argument?: unknown): Promise<string | undefined> =>
  thrown((await ask(method, argument)).end).code;

describe("a table in a handler", () => {
  it("fetches a row by one question and knows when there is none", async () => {
    const { end, reads } = await ask("get", "k", { k: { a: 1 } });
    assert.deepEqual(reads, [{ ask: 1, kind: "get", table: "t", key: "k", to: "", after: "", prefix: "", rowsMax: 1 }]);
    assert.equal(done(end).reply, '{"a":1}');
    assert.equal(await replyOf("get", "other", { k: 1 }), undefined);
    assert.deepEqual([await replyOf("has", "k", { k: 1 }), await replyOf("has", "l", { k: 1 })], [true, false]);
  });

  it("writes with the turn's last word, the newest text of each row once", async () => {
    const guest = await (await host.open(AGENT)).start();
    assert.deepEqual(done(await guest.call("put", ["t", "k", [1, new Date(0)]])).rows, [
      ["t", "k", '~[[1,2],1,["Date","1970-01-01T00:00:00.000Z"]]'],
    ]);
    assert.deepEqual(done(await guest.call("remove", "k")).rows, [["t", "k", undefined]]);
    assert.deepEqual(done(await guest.call("rewrite", 90)).rows, [["t", "k", `"${"x".repeat(90)}"`]]);
  });

  it("shows a turn its own writes, as they were when they were made, without asking anybody", async () => {
    const { end, reads } = await ask("own", undefined, { c: 1 });
    assert.deepEqual(reads, []);
    assert.deepEqual(decode(done(end).reply, { bytesMax: 1000 }), [{ list: [1] }, true, undefined, false, "y"]);
    assert.deepEqual(done(end).rows, [
      ["t", "b", '{"list":[1]}'],
      ["t", "c", undefined],
      ["t", "a", '"y"'],
    ]);
  });

  it("drops what a handler wrote that throws", async () => {
    const guest = await (await host.open(AGENT)).start();
    assert.equal(thrown(await guest.call("fails")).message, "no");
    const output = await guest.call("get", "k");
    assert.equal(output.kind === "wait" && output.reads.length, 1);
  });

  it("keeps a row whose value is undefined apart from none", async () => {
    const { end } = await ask("undefinedRow", undefined);
    assert.equal(done(end).reply, "~[[-1,1],true]");
  });

  it("waits for a read that nobody awaits", async () => {
    const guest = await (await host.open(AGENT)).start();
    assert.equal((await guest.call("unawaited")).kind, "wait");
    assert.equal(done(await guest.answer(1, { ok: true, text: "-" })).reply, '"done"');
  });

  it("sees a refused read as an Error with a code", async () => {
    const guest = await (await host.open(AGENT)).start();
    await guest.call("caught");
    const output = await guest.answer(1, { ok: false, code: "VAULT_PAGE_DAMAGED", message: "page 7" });
    assert.equal(done(output).reply, '"VAULT_PAGE_DAMAGED: page 7"');
  });

  it("may be read by a handler that only reads, and not written", async () => {
    assert.equal(await replyOf("look", "k", { k: 5 }), 5);
    for (const method of ["write", "erase"]) assert.equal(await refusal(method), "SANDBOX_STATE_READONLY");
  });

  it("is over with its turn", async () => {
    const guest = await (await host.open(AGENT)).start();
    done(await guest.call("keep"));
    for (const method of ["keptPut", "keptGet", "keptRange"]) {
      assert.equal(thrown(await guest.call(method)).code, "SANDBOX_REQUEST_INVALID", method);
    }
  });
});

describe("a range of a table", () => {
  const rows = { a: 1, b: 2, c: 3, "c/1": 4, "c/2": 5, d: 6 };

  const cases: readonly (readonly [options: unknown, seen: string])[] = [
    [undefined, "a=1 b=2 c=3 c/1=4 c/2=5 d=6"],
    [{ from: "b" }, "b=2 c=3 c/1=4 c/2=5 d=6"],
    [{ to: "c" }, "a=1 b=2"],
    [{ from: "b", to: "c/1" }, "b=2 c=3"],
    [{ prefix: "c/" }, "c/1=4 c/2=5"],
    [{ prefix: "c", from: "c/", to: "c/2" }, "c/1=4"],
    [{ limit: 2 }, "a=1 b=2"],
    [{ limit: 0 }, ""],
    [{ from: "", prefix: "", to: undefined, limit: Infinity }, "a=1 b=2 c=3 c/1=4 c/2=5 d=6"],
    [{ from: "x" }, ""],
    [{ reverse: true }, "d=6 c/2=5 c/1=4 c=3 b=2 a=1"],
    [{ reverse: true, limit: 2 }, "d=6 c/2=5"],
    [{ reverse: true, from: "b", to: "c/2" }, "c/1=4 c=3 b=2"],
    [{ reverse: true, prefix: "c/" }, "c/2=5 c/1=4"],
    [{ reverse: false, limit: 1 }, "a=1"],
  ];
  for (const [options, seen] of cases) {
    it(`lists ${JSON.stringify(options) ?? "everything"}`, async () =>
      assert.equal(await replyOf("range", options, rows), seen));
  }

  it("lists what the turn wrote in its place, and not what it deleted", async () => {
    assert.equal(await replyOf("merged", undefined, rows), "a=1 b=own c/1=4 c/2=5 d=6 z=last");
    assert.equal(await replyOf("merged", { from: "b", to: "c/2", limit: 2 }, rows), "b=own c/1=4");
    assert.equal(await replyOf("merged", { prefix: "z" }, rows), "z=last");
    assert.equal(await replyOf("merged", { reverse: true, limit: 5 }, rows), "z=last d=6 c/2=5 c/1=4 b=own");
  });

  it("lists a table as it was when the loop began", async () => {
    assert.equal(await replyOf("during", undefined, { c: 1 }), "a,b,c");
  });

  it("can be listed again", async () => {
    assert.deepEqual(await replyOf("twice", undefined, rows), ["a=1", "a=1"]);
  });

  it("asks for a page when the loop gets there, and for no more rows than it may list", async () => {
    const many = Object.fromEntries(Array.from({ length: PAGE_ROWS_MAX + 3 }, (_, i) => [String(1000 + i), i]));
    const all = await ask("range", undefined, many);
    assert.deepEqual(
      all.reads.map(({ kind, key, after, rowsMax }) => [kind, key, after, rowsMax]),
      [
        ["up", "", "", PAGE_ROWS_MAX],
        ["up", "", String(1000 + PAGE_ROWS_MAX - 1), PAGE_ROWS_MAX],
      ],
    );
    assert.equal(done(all.end).reply.split(" ").length, PAGE_ROWS_MAX + 3);
    assert.equal((await ask("first", undefined, many)).reads.length, 1);
    assert.deepEqual(
      (await ask("range", { limit: PAGE_ROWS_MAX + 1 }, many)).reads.map(({ rowsMax }) => rowsMax),
      [PAGE_ROWS_MAX, 1],
    );
  });

  it("goes on behind a page on which all was deleted", async () => {
    const guest = await (await host.open(AGENT)).start();
    assert.equal((await guest.call("range")).kind, "wait");
    const more = await guest.answer(1, { ok: true, text: pageText({ keys: [], texts: [], next: "m" }) });
    assert.deepEqual(more.kind === "wait" && more.reads.map(({ kind, after }) => [kind, after]), [["up", "m"]]);
    const end = await guest.answer(2, { ok: true, text: pageText({ keys: ["n"], texts: ["1"], next: "" }) });
    assert.equal(done(end).reply, '"n=1"');
  });

  it("needs nothing of the realm that an agent may have broken", async () => {
    assert.equal(await replyOf("patched", undefined, { c: 3 }), "a=2 b=1 c=3");
  });

  const wrong: readonly (readonly [options: unknown, message: RegExp])[] = [
    [{ form: "a" }, /range knows from, to, prefix, limit and reverse, not "form"/],
    [{ reverse: 1 }, /reverse must be true or false/],
    ["a", /range takes \{ from/],
    [{ limit: -1 }, /whole number, not -1/],
    [{ limit: 1.5 }, /whole number/],
    [{ limit: Number.NaN }, /whole number/],
    [{ limit: "2" }, /whole number/],
    [{ from: 1 }, /a number is no key/],
    [{ to: "" }, /"" is no key/],
    [{ prefix: "x".repeat(447) }, /is no key of a row/],
  ];
  for (const [options, message] of wrong) {
    it(`refuses ${(JSON.stringify(options) ?? "").slice(0, 30)}`, async () => {
      assert.match(thrown((await ask("range", options)).end).message, message);
    });
  }
});

describe("a table refuses", () => {
  for (const name of ["", "9t", "a b", "a\0b", "a/b", "é", "x".repeat(64), 5, undefined]) {
    it(`the name ${JSON.stringify(name)?.slice(0, 20)}`, async () => {
      assert.equal(await refusal("put", [name, "k", 1]), "SANDBOX_TABLE_NAME_INVALID");
    });
  }

  it("no name of 63 letters, digits and underlines", async () => {
    for (const name of ["t", "_9", `T_${"x".repeat(61)}`]) {
      const { end } = await ask("put", [name, "k", 1]);
      assert.deepEqual(done(end).rows, [[name, "k", "1"]]);
    }
  });

  for (const key of ["", "x".repeat(447), "é".repeat(224), "\ud800", 5, null]) {
    it(`the key ${JSON.stringify(key).slice(0, 20)}`, async () => {
      assert.equal(await refusal("put", ["t", key, 1]), "SANDBOX_ROW_KEY_INVALID");
      assert.equal(await refusal("get", key), "SANDBOX_ROW_KEY_INVALID");
      assert.equal(await refusal("has", key), "SANDBOX_ROW_KEY_INVALID");
      assert.equal(await refusal("remove", key), "SANDBOX_ROW_KEY_INVALID");
    });
  }

  it("no other key of 446 bytes, whatever it says", async () => {
    for (const key of ["x".repeat(446), "é".repeat(223), "\0", "__proto__", "s:state", "../a", "\u{10ffff}"]) {
      assert.deepEqual(done((await ask("put", ["t", key, 1])).end).rows, [["t", key, "1"]]);
    }
  });

  it("a row over its limit, and takes one at it", async () => {
    assert.equal(await refusal("big", 4999), "SANDBOX_ROW_TOO_LARGE");
    assert.equal(done((await ask("big", 4998)).end).rows.length, 1);
  });

  it("more bytes than a turn may write, and counts a row that is written again once", async () => {
    assert.equal(await refusal("flood", 100), "SANDBOX_WRITES_EXCEEDED");
    assert.equal(done((await ask("flood", 90)).end).rows.length, 100);
    assert.equal(done((await ask("rewrite", 4000)).end).rows.length, 1);
  });

  it("more rows than a turn may write", async () => {
    const guest = await host.open(AGENT);
    await guest.start({ limits: { tableBytesPerTurnMax: 10_000_000 } });
    assert.equal(thrown(await guest.call("rows", 65_537)).code, "SANDBOX_WRITES_EXCEEDED");
    assert.equal(done(await guest.call("rows", 65_536)).rows.length, 65_536);
  });

  it("more reads than a turn may make", async () => {
    assert.equal(await refusal("many", 6), "SANDBOX_READS_EXCEEDED");
    assert.equal(await replyOf("many", 5), 5);
  });

  it("a value that is no data, and says where it sits", async () => {
    const fault = thrown((await ask("unclonable", undefined)).end);
    assert.equal(fault.code, "SANDBOX_VALUE_UNCLONABLE");
    assert.match(fault.message, /t\["k"\]\.deep\[0\]/);
  });
});

describe("the order of rows", () => {
  it("is that of the bytes of their keys", (t) => {
    const key = fc.string({ unit: "binary", maxLength: 6 });
    check(
      t,
      fc.property(key, key, (a, b) => {
        assert.equal(Math.sign(compareRowKeys(a, b)), Buffer.compare(Buffer.from(a), Buffer.from(b)));
      }),
      2_000,
    );
  });
});
