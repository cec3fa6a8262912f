/**
 * Rows on their way out of a branch: which ones, how many at a time, and for whom. The vault is real; the cell is a list of
 * the answers it was given.
 */
import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import { draftOps, rowPrefix } from "../../runtime/agent-record.ts";
import type { AskAnswer } from "../../runtime/message.ts";
import { answerOf, RowReads } from "../../runtime/row-reads.ts";
import {
  PAGE_BYTES_MAX,
  PAGE_LOOKS_MAX,
  PAGE_ROWS_MAX,
  pageText,
  type RowOp,
  type RowQuery,
} from "../../sandbox/index.ts";
import { parsePage } from "../../sandbox/rows.ts";
import type { Branch, View } from "../../vault/index.ts";
import { VaultError } from "../../vault/index.ts";
import { tempVault } from "../support/temp-vault.ts";

const QUERY: RowQuery = { kind: "get", table: "t", key: "k", to: "", after: "", prefix: "", rowsMax: 1 };
const page = (changes: Partial<RowQuery>): RowQuery => ({
  ...QUERY,
  kind: "up",
  key: "",
  rowsMax: PAGE_ROWS_MAX,
  ...changes,
});
const textOf = (answer: AskAnswer): string => (answer.ok ? answer.text : assert.fail(answer.code));
const keysOf = (view: View, changes: Partial<RowQuery>): readonly string[] =>
  parsePage(textOf(answerOf(view, page(changes)))).keys;
const puts = (table: string, ...keys: readonly string[]): RowOp[] => keys.map((key) => [table, key, `"${key}"`]);

/** A branch with these rows, a state, and the runtime's own records. */
async function branchWith(t: TestContext, rows: readonly RowOp[]): Promise<Branch> {
  const vault = await tempVault(t);
  const { branch } = vault.create({ name: "agent" });
  const other = vault.create({ name: "other" }).branch;
  const own = [{ put: "a:spec", value: Buffer.from("{}") }];
  const ops = [...own, ...draftOps({ ops: [["k", "state"]], rows })];
  await vault.commit([
    { type: "write", branch: branch.id, ops },
    { type: "write", branch: other.id, ops: draftOps({ ops: [], rows: puts("t", "foreign") }) },
  ]).durable;
  return branch;
}

describe("an answer", () => {
  test("is a row, its presence, or rows in the order of their keys", async (t) => {
    const branch = await branchWith(t, puts("t", "c", "b", "b/1", "a"));
    assert.equal(textOf(answerOf(branch, { ...QUERY, key: "b" })), '="b"');
    assert.equal(textOf(answerOf(branch, { ...QUERY, key: "x" })), "-");
    assert.equal(textOf(answerOf(branch, { ...QUERY, kind: "has", key: "b" })), "1");
    assert.equal(textOf(answerOf(branch, { ...QUERY, kind: "has", key: "x" })), "0");
    assert.deepEqual(keysOf(branch, {}), ["a", "b", "b/1", "c"]);
    assert.deepEqual(keysOf(branch, { key: "b" }), ["b", "b/1", "c"]);
    assert.deepEqual(keysOf(branch, { after: "b" }), ["b/1", "c"]);
    assert.deepEqual(keysOf(branch, { after: "aa", to: "c" }), ["b", "b/1"]);
    assert.deepEqual(keysOf(branch, { prefix: "b" }), ["b", "b/1"]);
    assert.deepEqual(keysOf(branch, { kind: "down" }), ["c", "b/1", "b", "a"]);
    assert.deepEqual(keysOf(branch, { kind: "down", to: "c", rowsMax: 1 }), ["b/1"]);
    assert.deepEqual(keysOf(branch, { kind: "down", key: "b", after: "b/1" }), ["b"]);
    assert.deepEqual(keysOf(branch, { kind: "down", prefix: "b" }), ["b/1", "b"]);
    assert.deepEqual(keysOf(branch, { rowsMax: 2 }), ["a", "b"]);
    assert.equal(textOf(answerOf(branch, page({ table: "none" }))), pageText({ keys: [], texts: [], next: "" }));
  });

  test("never has anything but rows of the table that was named", async (t) => {
    const rows = [...puts("t", "mine"), ...puts("ta", "1"), ...puts("T", "2"), ...puts("u", "3"), ...puts("s", "4")];
    const branch = await branchWith(t, rows);
    assert.deepEqual(keysOf(branch, {}), ["mine"]);
    assert.deepEqual(keysOf(branch, { kind: "down" }), ["mine"]);
    // No cell can say these names (the parser refuses them); even then they lead nowhere.
    for (const table of ["", "../s:", "t\0mine", "s:k", "a:spec", "\0"]) {
      assert.deepEqual(keysOf(branch, { table }), [], table);
      for (const key of ["k", "spec", "a:spec", "s:k", "\0k"]) {
        assert.equal(textOf(answerOf(branch, { ...QUERY, table, key })), "-", `${table} ${key}`);
      }
    }
  });

  test("ends after a page's rows, and says that there are more", async (t) => {
    const keys = Array.from({ length: PAGE_ROWS_MAX + 1 }, (_, index) => String(10_000 + index));
    const branch = await branchWith(t, puts("t", ...keys));
    const first = parsePage(textOf(answerOf(branch, page({}))));
    assert.deepEqual([first.keys.length, first.next], [PAGE_ROWS_MAX, first.keys.at(-1)]);
    const rest = parsePage(textOf(answerOf(branch, page({ after: first.next }))));
    assert.deepEqual([rest.keys, rest.next], [[keys.at(-1)], ""]);
  });

  test("ends after a page's bytes; a row that is larger goes alone", async (t) => {
    const third = "x".repeat(PAGE_BYTES_MAX / 3 - 100);
    const whole = "y".repeat(2 * PAGE_BYTES_MAX);
    const rows: RowOp[] = [
      ...["a", "b", "c", "d"].map((key): RowOp => ["t", key, third]),
      ["t", "e", whole],
      ["t", "f", "z"],
    ];
    const branch = await branchWith(t, rows);
    assert.deepEqual(keysOf(branch, {}), ["a", "b", "c"]);
    assert.deepEqual(keysOf(branch, { after: "c" }), ["d"]);
    assert.deepEqual(keysOf(branch, { after: "d" }), ["e"]);
    assert.deepEqual(keysOf(branch, { after: "e" }), ["f"]);
  });

  test("ends after so many deleted keys, and says where to go on", async (t) => {
    const keys = Array.from({ length: PAGE_LOOKS_MAX + 10 }, (_, index) => String(10_000 + index));
    const branch = await branchWith(t, [
      ...keys.map((key): RowOp => ["t", key, undefined]),
      ["t", "y", "1"],
      ["u", "z", "2"],
    ]);
    const first = parsePage(textOf(answerOf(branch, page({}))));
    assert.deepEqual(first, { keys: [], texts: [], next: keys[PAGE_LOOKS_MAX - 1] });
    const rest = parsePage(textOf(answerOf(branch, page({ after: first.next }))));
    assert.deepEqual(rest, { keys: ["y"], texts: ["1"], next: "" });
  });

  test("is the vault's refusal where a page is damaged, and nothing is hidden that is our own fault", () => {
    const broken = (error: Error): View => ({
      get: () => {
        throw error;
      },
      has: () => false,
      range: () => [],
      entries: () => [],
    });
    const damaged = new VaultError("VAULT_PAGE_DAMAGED", "page 7");
    const answer = { ok: false, code: "VAULT_PAGE_DAMAGED", message: "page 7" };
    assert.deepEqual(answerOf(broken(damaged), QUERY), answer);
    assert.throws(() => answerOf(broken(new TypeError("ours")), QUERY), TypeError);
  });
});

/** Takes answers as a cell does: it has room again when the test says so. */
class Cell {
  readonly answered: number[] = [];
  #unread: number[] = [];

  get unread(): { readonly answers: number; readonly units: number } {
    return { answers: this.#unread.length, units: this.#unread.reduce((sum, units) => sum + units, 0) };
  }

  answer(_turn: number, ask: number, answer: AskAnswer): void {
    this.answered.push(ask);
    this.#unread.push(textOf(answer).length);
  }

  take(): void {
    this.#unread.shift();
  }
}

describe("reads", () => {
  const value = Buffer.alloc(PAGE_BYTES_MAX, "x");
  const view = (bytes: Uint8Array): View & { looked: number } => ({
    looked: 0,
    get() {
      this.looked++;
      return bytes;
    },
    has: () => true,
    range: () => [],
    entries: () => [],
  });
  const put = (reads: RowReads, turn: number, count: number): void => {
    for (let ask = 1; ask <= count; ask++) reads.put({ turn, ask: turn * 1000 + ask, query: QUERY });
  };

  test("are answered in order, as many at a time as a cell may have unread", () => {
    const [cell, rows] = [new Cell(), view(Buffer.from("1"))];
    const reads = new RowReads({ view: rows, inflight: [{ turn: 1 }], resident: () => cell });
    put(reads, 1, 100);
    reads.serve();
    assert.deepEqual([cell.answered.length, rows.looked], [16, 16]);
    for (let taken = 1; taken <= 100; taken++) {
      cell.take();
      reads.serve();
      assert.equal(cell.answered.length, Math.min(100, 16 + taken));
    }
    assert.deepEqual(
      cell.answered,
      Array.from({ length: 100 }, (_, index) => 1001 + index),
    );
  });

  test("wait when the answers are large: two pages are unread at most", () => {
    const [cell, rows] = [new Cell(), view(value)];
    const reads = new RowReads({ view: rows, inflight: [{ turn: 1 }], resident: () => cell });
    put(reads, 1, 100);
    reads.serve();
    assert.equal(rows.looked, 2);
    cell.take();
    reads.serve();
    assert.equal(rows.looked, 3);
  });

  test("of pages are answered two at a time, also when the pages are empty", () => {
    const cell = new Cell();
    const reads = new RowReads({ view: view(value), inflight: [{ turn: 1 }], resident: () => cell });
    for (let ask = 1; ask <= 10; ask++) reads.put({ turn: 1, ask, query: page({}) });
    reads.serve();
    assert.deepEqual(cell.answered, [1, 2]);
    cell.take();
    reads.serve();
    assert.deepEqual(cell.answered, [1, 2, 3]);
  });

  test("of a turn wait until the turns before it are committed", () => {
    const cell = new Cell();
    const inflight = [{ turn: 1 }, { turn: 2 }];
    const reads = new RowReads({ view: view(Buffer.from("1")), inflight, resident: () => cell });
    put(reads, 2, 1);
    reads.serve();
    assert.deepEqual(cell.answered, []);
    inflight.shift();
    reads.over(1);
    assert.deepEqual(cell.answered, [2001]);
  });

  test("of a turn that is over are forgotten", () => {
    const [cell, rows] = [new Cell(), view(value)];
    const inflight = [{ turn: 1 }, { turn: 2 }];
    const reads = new RowReads({ view: rows, inflight, resident: () => cell });
    put(reads, 1, 100);
    reads.serve();
    inflight.shift();
    reads.over(1);
    for (let taken = 0; taken < 5; taken++) cell.take();
    reads.serve();
    assert.equal(rows.looked, 2);
  });

  test("of the runtime's own turns, which run alone, are answered", () => {
    const cell = new Cell();
    const reads = new RowReads({ view: view(Buffer.from("1")), inflight: [], resident: () => cell });
    put(reads, 9, 1);
    reads.serve();
    assert.deepEqual(cell.answered, [9001]);
  });
});

describe("a row in the vault", () => {
  test("has a key that holds its table, and fits with the longest name and key", () => {
    assert.equal(rowPrefix("notes"), "t:notes\0");
    const [op] = draftOps({ ops: [], rows: [["t".repeat(63), "é".repeat(223), "1"]] });
    assert.ok(op !== undefined && "put" in op);
    assert.equal(Buffer.byteLength(op.put), 512);
  });
});
