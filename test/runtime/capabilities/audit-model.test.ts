/**
 * The audit record under random calls of several agents with small bounds, and programs that end in between.
 *
 * Invariants
 * 1. The rows and bytes it counts are those that the vault holds.
 * 2. It holds no more than its bounds allow, apart from the newest row.
 * 3. Nothing is left of a call whose intent is gone, and its chains are whole.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { AUDIT_BRANCH, Audit, breakIn } from "../../../runtime/capabilities/audit.ts";
import type { AuditBounds } from "../../../runtime/capabilities/audit.ts";
import type { AuditIntent } from "../../../runtime/capabilities/audit-row.ts";
import type { Vault } from "../../../vault/index.ts";
import { check } from "../../support/random-runs.ts";
import { tempVault } from "../../support/temp-vault.ts";

const TREES = ["a", "b", "c"] as const;
const MEMORY = { durability: "memory" } as const;
const DONE = { code: "ok", bytes: 1, durationMs: 1 };

const intent = (agent: string, key: string): AuditIntent => ({
  timeMs: 1,
  agent,
  method: "m",
  capability: "c",
  verb: "v",
  argsHash: "h",
  preview: "[]",
  idempotencyKey: key,
});

const steps = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.record({ begins: fc.constantFrom(...TREES), isNamed: fc.boolean() }) },
    { weight: 4, arbitrary: fc.record({ ends: fc.nat(10), answer: fc.option(fc.nat(3_000), { nil: undefined }) }) },
    { weight: 1, arbitrary: fc.constant("reopen" as const) },
  ),
  { maxLength: 60 },
);
const limits = fc.record({ countMax: fc.integer({ min: 1, max: 8 }), bytesMax: fc.integer({ min: 300, max: 8_000 }) });

/** What the branch holds, by the two first characters of its keys. */
function held(vault: Vault): Readonly<Record<"r:" | "a:" | "o:" | "k:", ReadonlyMap<string, string>>> {
  const kinds = { "r:": new Map<string, string>(), "a:": new Map(), "o:": new Map(), "k:": new Map() };
  for (const [key, value] of vault.head(AUDIT_BRANCH)?.range() ?? []) {
    const kind = key.slice(0, 2);
    if (kind in kinds) kinds[kind as keyof typeof kinds].set(key.slice(2), Buffer.from(value).toString()); // it is one of them
  }
  return kinds;
}

function requireWhole(vault: Vault, { countMax, bytesMax }: AuditBounds): void {
  const branch = vault.head(AUDIT_BRANCH);
  if (branch === undefined) return;
  const kept = held(vault);
  const texts = [...kept["r:"].values(), ...kept["a:"].values()];
  const bytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  const { rows, bytes: counted } = JSON.parse(Buffer.from(branch.get("m") ?? []).toString()) as Record<string, number>; // as `Audit` writes it
  assert.deepEqual([rows, counted], [kept["r:"].size, bytes], "what it counts");
  assert.ok(
    kept["r:"].size === 1 || (kept["r:"].size <= 2 * countMax && bytes <= bytesMax),
    `${kept["r:"].size} rows, ${bytes} bytes`,
  );
  assert.equal(breakIn(branch), undefined);
  const kindOf = (key: string): unknown => (JSON.parse(kept["r:"].get(key) ?? "{}") as { kind?: string }).kind; // a row
  for (const key of [...kept["a:"].keys(), ...kept["o:"].keys()]) assert.equal(kindOf(key), "intent", key);
  for (const number of kept["k:"].values()) assert.equal(kindOf(number.padStart(12, "0")), "intent", number);
}

describe("the audit record of several agents", () => {
  it("holds what it counts, within its bounds, and nothing of calls that it forgot", async (t) => {
    const vault = await tempVault(t);
    check(
      t,
      fc.property(limits, steps, (bounds, taken) => {
        forget(vault);
        let audit = new Audit(vault, bounds);
        const open: { readonly number: number; readonly tree: string; readonly isNamed: boolean }[] = [];
        for (const [index, step] of taken.entries()) {
          if (step === "reopen") audit = new Audit(vault, bounds);
          else if ("begins" in step) {
            const { begins: tree, isNamed } = step;
            const { number } = audit.begin(intent(`${tree}/x`, `key ${index}`), { ...MEMORY, isNamed, tree });
            open.push({ number, tree, isNamed });
          } else {
            const [call] = open.splice(step.ends % Math.max(1, open.length), 1);
            const answer = step.answer === undefined ? undefined : "x".repeat(step.answer);
            if (call !== undefined) audit.end(call.number, DONE, { ...MEMORY, tree: call.tree, answer });
          }
          requireWhole(vault, bounds);
        }
      }),
      150,
    );
  });

  for (const order of ["ab", "ba"])
    it(`forgets first of whoever has most: one that calls without end pushes out nobody's rows but its own (${order})`, async (t) => {
      const vault = await tempVault(t);
      const audit = new Audit(vault, { countMax: 20, bytesMax: 1 << 20 });
      const call = (tree: string, agent: string, key: string): void => {
        const { number } = audit.begin(intent(agent, key), { ...MEMORY, isNamed: true, tree });
        audit.end(number, DONE, { ...MEMORY, tree, answer: "=1" });
      };
      for (const tree of order) call(tree, tree, `${tree} first`);
      for (let nth = 0; nth < 9; nth++) call("a", "a", `a ${nth}`);
      for (let nth = 0; nth < 500; nth++) call("b", `b/${nth}`, `b ${nth}`);
      assert.deepEqual(audit.list({ agent: "a", limit: 100 }).length, 10);
      for (const nth of ["first", 0, 8]) assert.equal(audit.find(`a ${nth}`)?.answer, "=1");
      assert.equal(audit.list({ limit: 100 }).length, 20);
      for (let nth = 490; nth < 500; nth++) assert.equal(audit.find(`b ${nth}`)?.answer, "=1");
      assert.equal(audit.find("b 480"), undefined);
      requireWhole(vault, { countMax: 20, bytesMax: 1 << 20 });
    });

  it("counts bytes by agent as well, where long answers are what fills it", async (t) => {
    const vault = await tempVault(t);
    const audit = new Audit(vault, { countMax: 1_000, bytesMax: 100_000 });
    const call = (tree: string, key: string, answer: string): void => {
      const { number } = audit.begin(intent(tree, key), { ...MEMORY, isNamed: true, tree });
      audit.end(number, DONE, { ...MEMORY, tree, answer });
    };
    for (let nth = 0; nth < 50; nth++) call("a", `a ${nth}`, "=1");
    for (let nth = 0; nth < 50; nth++) call("b", `b ${nth}`, `=${"x".repeat(20_000)}`);
    assert.deepEqual(audit.list({ agent: "a", limit: 100 }).length, 50);
    assert.equal(audit.find("b 49")?.answer?.length, 20_001);
  });
});

/** As in a vault that is new. */
function forget(vault: Vault): void {
  const branch = vault.head(AUDIT_BRANCH);
  if (branch === undefined) return;
  const free = { type: "name", name: AUDIT_BRANCH, branch: undefined, expect: branch.id } as const;
  vault.commit([free, { type: "drop", branch: branch.id }], MEMORY);
}
