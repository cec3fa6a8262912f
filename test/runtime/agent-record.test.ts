/**
 * What an agent keeps in its branch. Invariant of the random runs: a state written as ops and read back is the same state,
 * and no key of an agent, whatever its name, is ever one of the runtime's own.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as fc from "fast-check";
import {
  codeOps,
  draftOps,
  readArtifact,
  readCurrent,
  readSpec,
  specOp,
  stateEntries,
  stateKeyOf,
  stateOps,
  tableOf,
} from "../../runtime/agent-record.ts";
import type { AgentSpec, CurrentCode, StateOp } from "../../runtime/agent-record.ts";
import { AGENT_LIMITS } from "../../runtime/limit-options.ts";
import { parseSpawnOptions } from "../../runtime/options.ts";
import type { Op, RangeOptions, View } from "../../vault/index.ts";
import { check } from "../support/random-runs.ts";

/** A view on a Map: what a branch shows, without a disk. */
class MapView implements View {
  readonly #entries = new Map<string, Uint8Array>();

  apply(ops: readonly Op[]): this {
    for (const op of ops) {
      if ("put" in op) this.#entries.set(op.put, op.value);
      else this.#entries.delete(op.delete);
    }
    return this;
  }

  keys(): string[] {
    return [...this.#entries.keys()];
  }

  get(key: string): Uint8Array | undefined {
    return this.#entries.get(key);
  }

  has(key: string): boolean {
    return this.#entries.has(key);
  }

  *range(options: RangeOptions = {}): Iterable<readonly [string, Uint8Array]> {
    for (const entry of this.#entries) if (entry[0].startsWith(options.prefix ?? "")) yield entry;
  }

  entries(options: RangeOptions = {}): Iterable<readonly [string, Uint8Array]> {
    return this.range(options);
  }
}

const artifact = { name: "a.agent.ts", hash: "abc", code: "code", map: "{}", source: "é😀" };
const current: CurrentCode = { hash: "abc", version: 3, originHash: "000", profile: "hardened" };
const given = { id: "a", source: "s", shutdownMs: "infinity", restart: "transient", limits: { heapMb: 64 } };
const {
  module: _module,
  source: _source,
  ...spec
} = parseSpawnOptions(given, { durability: "os", limits: AGENT_LIMITS });

/** Keys that look like the runtime's own, and any others; texts as the codec makes them. */
const key = fc.oneof(
  fc.constantFrom("a:spec", "a:current", "a:code:abc", "s:", "s:x", "s:s:", "__proto__", "constructor", "é", "😀"),
  fc.string({ unit: "grapheme", minLength: 1, maxLength: 8 }),
);
const text = fc.json();
const changes = fc.array(fc.tuple(key, fc.option(text, { nil: undefined, freq: 4 })), { maxLength: 30 });

function modelOf(changes: readonly StateOp[]): Map<string, string> {
  const model = new Map<string, string>();
  for (const [key, text] of changes) {
    if (text === undefined) model.delete(key);
    else model.set(key, text);
  }
  return model;
}

describe("an agent's state in its branch", () => {
  test("a state that is written and read back is the same, and the runtime's own records are untouched", (t) => {
    const property = fc.property(changes, (changes) => {
      const view = new MapView().apply([specOp(spec), ...codeOps(artifact, current)]);
      const own = view.keys();
      view.apply(stateOps(changes));
      assert.deepEqual(new Map(stateEntries(view)), modelOf(changes));
      assert.deepEqual([readSpec(view), readCurrent(view), readArtifact(view, "abc")], [spec, current, artifact]);
      assert.deepEqual(
        view.keys().filter((key) => stateKeyOf(key) === undefined),
        own,
      );
    });
    check(t, property, 300);
  });

  test("the key of a state entry can be told from its key in the vault", (t) => {
    const property = fc.property(key, (key) => {
      const [op] = stateOps([[key, "1"]]);
      assert.ok(op !== undefined && "put" in op);
      assert.equal(stateKeyOf(op.put), key);
    });
    check(t, property, 200);
  });

  test("the runtime's own keys are no state keys", () => {
    for (const key of ["a:spec", "a:current", "a:code:abc", "", "s", "x:y"]) assert.equal(stateKeyOf(key), undefined);
  });

  test("a deleted key is a delete in the vault, not an empty value", () => {
    assert.deepEqual(stateOps([["gone", undefined]]), [{ delete: "s:gone" }]);
  });
});

describe("an agent's rows in its branch", () => {
  test("have keys of their own, that tell their table, beside its state and its records", (t) => {
    const table = fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_]{0,9}$/);
    const property = fc.property(table, key, changes, (table, rowKey, changes) => {
      const view = new MapView().apply([...codeOps(artifact, current), specOp(spec), ...stateOps(changes)]);
      const before = new Map(stateEntries(view));
      const ops = draftOps({ ops: [], rows: [[table, rowKey, "1"]] });
      assert.deepEqual([...stateEntries(view.apply(ops))], [...before]);
      assert.deepEqual([readSpec(view), readCurrent(view)], [spec, current]);
      assert.deepEqual(
        view
          .keys()
          .map(tableOf)
          .filter((each) => each !== undefined),
        [table],
      );
    });
    check(t, property, 500);
  });
});

describe("an agent's spec and code in its branch", () => {
  test("an empty branch has no spec, no current code and no version of it", () => {
    const view = new MapView();
    assert.deepEqual([readSpec(view), readCurrent(view), readArtifact(view, "abc")], [undefined, undefined, undefined]);
    assert.deepEqual([...stateEntries(view)], []);
  });

  for (const shutdownMs of [5_000, "brutal_kill", "infinity"] as const) {
    test(`a spec with a shutdown of ${shutdownMs} is read back as it was written`, () => {
      const written: AgentSpec = { ...spec, shutdownMs };
      assert.deepEqual(readSpec(new MapView().apply([specOp(written)])), written);
    });
  }

  test("a spec that was written before a limit existed has the limit's default", () => {
    const { rowBytesMax: _row, tableReadsPerTurnMax: _reads, ...limits } = spec.limits;
    const older = { put: "a:spec", value: Buffer.from(JSON.stringify({ ...spec, limits })) };
    const { rowBytesMax, tableReadsPerTurnMax } = AGENT_LIMITS;
    const read = readSpec(new MapView().apply([older]))?.limits;
    assert.deepEqual(read, { ...spec.limits, rowBytesMax, tableReadsPerTurnMax });
  });

  test("new code becomes current and the version before it can still be read", () => {
    const next = { ...artifact, hash: "def", code: "better" };
    const view = new MapView().apply(codeOps(artifact, current)).apply(codeOps(next, { ...current, hash: "def" }));
    assert.equal(readCurrent(view)?.hash, "def");
    assert.deepEqual([readArtifact(view, "abc"), readArtifact(view, "def")], [artifact, next]);
    assert.equal(readArtifact(view, "ghi"), undefined);
  });

  test("a later spec replaces the one before", () => {
    const view = new MapView().apply([specOp(spec), specOp({ ...spec, restart: "temporary" })]);
    assert.equal(readSpec(view)?.restart, "temporary");
  });
});
