/** The audit record: what is kept of each call, in which order, how much of it, and how a change of it is found. */
import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { describe, it } from "node:test";
import { ANSWER_BYTES_KEPT, AUDIT_BRANCH, Audit, breakIn } from "../../../runtime/capabilities/audit.ts";
import type { AuditIntent } from "../../../runtime/capabilities/audit-row.ts";
import type { RuntimeError } from "../../../runtime/index.ts";
import { CallRecord } from "../../../runtime/capabilities/call-record.ts";
import { withRuntime } from "../../../runtime/testing.ts";
import type { Vault } from "../../../vault/index.ts";
import { capabilityOf, hostAgent } from "../../support/host-agent.ts";
import { FaultyFiles, tempVault } from "../../support/temp-vault.ts";

const intent = (verb: string): AuditIntent => ({
  timeMs: 1,
  agent: "a",
  method: "m",
  capability: "c",
  verb,
  argsHash: "h",
  preview: "[]",
  idempotencyKey: `key-${verb}`,
});
const done = { code: "ok", bytes: 1, durationMs: 2 };
const NAMED = { durability: "memory", isNamed: true, tree: "a" } as const;

function recorded(audit: Audit, verb: string, answer?: string): number {
  const { number } = audit.begin(intent(verb), NAMED);
  audit.end(number, done, { ...NAMED, answer });
  return number;
}

/** What the branch holds now; it is there as soon as there was a call. */
function branchOf(vault: Vault): NonNullable<ReturnType<Vault["head"]>> {
  const branch = vault.head(AUDIT_BRANCH);
  assert.ok(branch !== undefined);
  return branch;
}

describe("the audit record of a runtime", () => {
  it("shows who did what, when, with which arguments, and how it ended", async (t) => {
    const tool = capabilityOf("tool", {
      ok: async () => "yes",
      no: async () => {
        throw new Error("no");
      },
    });
    const runtime = await withRuntime(t, { capabilities: [tool] });
    for (const id of ["a", "b"]) await runtime.spawn(hostAgent({ tool: {} }, id));
    await runtime.ref("a").call("try", ["tool", "ok", "x".repeat(300)]);
    await runtime.ref("b").call("try", ["tool", "no"]);
    const [first, second] = runtime.audit();
    const args = JSON.stringify(["x".repeat(300)]);
    assert.deepEqual(
      { ...first, timeMs: 0, idempotencyKey: "", outcome: { ...first?.outcome, durationMs: 0 } },
      {
        number: 1,
        timeMs: 0,
        agent: "a",
        method: "try",
        capability: "tool",
        verb: "ok",
        argsHash: hash("sha256", args, "base64url"),
        preview: args.slice(0, 200),
        idempotencyKey: "",
        outcome: { code: "ok", bytes: 5, durationMs: 0 },
      },
    );
    assert.match(first?.idempotencyKey ?? "", /^[\w-]{43}$/);
    assert.equal(second?.outcome?.code, "RUNTIME_CAPABILITY_FAILED");
    assert.deepEqual(runtime.audit({ agent: "b" }), [second]);
    assert.deepEqual(runtime.audit({ capability: "none" }), []);
    assert.deepEqual(runtime.audit({ limit: 1 }), [second], "the newest");
    assert.deepEqual(runtime.audit({ after: 0, limit: 1 }), [first], "the first behind a number");
    assert.deepEqual(runtime.audit({ after: first?.number ?? 0 }), [second]);
    assert.throws(() => runtime.audit({ agents: "a" } as never), { code: "RUNTIME_OPTIONS_INVALID" });
  });

  it("answers a call whose id comes again without doing it again, also where the turn had thrown", async (t) => {
    let calls = 0;
    const tool = capabilityOf("tool", {
      count: async () => ++calls,
      large: async () => {
        calls += 1;
        return "x".repeat(ANSWER_BYTES_KEPT + 1);
      },
      fail: async () => {
        calls += 1;
        throw new Error(`failure ${calls}`);
      },
      async *parts() {
        yield ++calls;
        yield ++calls;
      },
    });
    const runtime = await withRuntime(t, { capabilities: [tool] });
    const source = `
      const answer = async (promise) => { try { return await promise; } catch (error) { return error.code + ": " + error.message; } };
      export default { version: 1, state: () => ({}), on: { do: async (ctx) => {
        const { tool } = ctx.host;
        const parts = [];
        for await (const part of tool.parts()) parts.push(part);
        const seen = [await tool.count(), await tool.count(), parts, await answer(tool.fail()), (await answer(tool.large())).slice(0, 200)];
        throw new Error(JSON.stringify(seen));
      } } };`;
    const agent = await runtime.spawn({ id: "a", source, host: { tool: {} } });
    const run = async (): Promise<unknown> => {
      let seen = "";
      await assert.rejects(agent.call("do", undefined, { id: "once" }), ({ details }: RuntimeError) => {
        seen = String(details["message"]);
        return true;
      });
      return JSON.parse(seen);
    };
    const [first, again] = [await run(), await run()] as [unknown[], unknown[]]; // lists, as it is written above
    assert.deepEqual(again.slice(0, 4), first.slice(0, 4));
    assert.deepEqual(first.slice(0, 4), [3, 4, [1, 2], "RUNTIME_CAPABILITY_FAILED: failure 5"]);
    assert.match(
      String(again[4]),
      /^RUNTIME_CAPABILITY_OUTCOME_UNKNOWN: tool\.large ended before \(ok\), but its answer of 65539 bytes was too long/,
    );
    assert.equal(calls, 6, "nothing was done twice");
  });

  it("keeps a call from being made where its intent cannot be recorded, and one from being answered whose outcome cannot", async (t) => {
    const vault = await tempVault(t);
    const audit = new Audit(vault, { countMax: 100, bytesMax: 1 << 20 });
    const [named, other] = [new CallRecord(audit, NAMED), new CallRecord(audit, { ...NAMED, isNamed: false })];
    for (const record of [named, other]) await record.begin(intent("one"));
    await vault.close();
    const late = new CallRecord(audit, NAMED);
    await assert.rejects(late.begin(intent("two")), {
      code: "RUNTIME_CAPABILITY_UNAVAILABLE",
      message: "c.two was not called: its record could not be written (VAULT_CLOSED)",
    });
    assert.deepEqual([await named.end(done), await other.end(done), await late.end(done)], [false, true, true]);
  });
});

describe("a call that is called off while its intent is on its way to the disk", () => {
  it("has an outcome in the record", async (t) => {
    const vault = await tempVault(t);
    const audit = new Audit(vault, { countMax: 100, bytesMax: 1 << 20 });
    const record = new CallRecord(audit, { ...NAMED, durability: "disk" });
    const begun = record.begin(intent("one"));
    const aborted = { ...done, code: "RUNTIME_CAPABILITY_ABORTED" };
    const ended = record.end(aborted);
    await begun;
    assert.equal(await ended, true);
    assert.deepEqual(
      audit.list({ limit: 10 }).map(({ outcome }) => outcome),
      [aborted],
    );
  });

  it("has none where the intent did not come to the disk, because then there was no call", async (t) => {
    const files = new FaultyFiles();
    const vault = await tempVault(t, { files });
    const audit = new Audit(vault, { countMax: 100, bytesMax: 1 << 20 });
    await new CallRecord(audit, { ...NAMED, durability: "disk" }).begin(intent("one"));
    files.plan = (operation) => (operation === "sync" ? { error: "EIO" } : undefined);
    const record = new CallRecord(audit, { ...NAMED, durability: "disk" });
    await assert.rejects(record.begin(intent("two")), { code: "RUNTIME_CAPABILITY_UNAVAILABLE" });
    assert.equal(await record.end(done), true);
    assert.deepEqual(
      audit.list({ limit: 10 }).map(({ verb }) => verb),
      ["one"],
    );
  });
});

describe("the rows of the audit record", () => {
  it("are a chain in which a changed, missing or added row is found", async (t) => {
    const vault = await tempVault(t);
    const audit = new Audit(vault, { countMax: 100, bytesMax: 1 << 20 });
    for (const verb of ["one", "two", "three"]) recorded(audit, verb);
    const branch = branchOf(vault);
    assert.equal(breakIn(branch), undefined);
    const third = "r:000000000003";
    const text = Buffer.from(branch.get(third) ?? []).toString();
    for (const [ops, found] of [
      [[{ put: third, value: Buffer.from(text.replace('"two"', '"tea"')) }], 4],
      [[{ delete: third }], 4],
      [[{ delete: "r:000000000006" }], 6],
    ] as const) {
      const { branch: copy } = vault.fork(branch, { durability: "memory" });
      vault.commit([{ type: "write", branch: copy.id, ops }], { durability: "memory" });
      assert.equal(breakIn(copy), found);
    }
  });

  it("go on behind those of the program before", async (t) => {
    const vault = await tempVault(t);
    recorded(new Audit(vault, { countMax: 100, bytesMax: 1 << 20 }), "one");
    const audit = new Audit(vault, { countMax: 100, bytesMax: 1 << 20 });
    assert.equal(recorded(audit, "two"), 3);
    assert.equal(breakIn(branchOf(vault)), undefined);
    assert.deepEqual(audit.find("key-one"), { outcome: done, answer: undefined });
    assert.equal(audit.find("key-three"), undefined);
  });

  it("are bounded by count and by bytes: the oldest go, with what belongs to them", async (t) => {
    const vault = await tempVault(t);
    const audit = new Audit(vault, { countMax: 2, bytesMax: 1 << 20 });
    for (const verb of ["one", "two", "three"]) recorded(audit, verb, `="${verb}"`);
    assert.deepEqual(
      audit.list({ limit: 10 }).map(({ verb }) => verb),
      ["two", "three"],
    );
    assert.equal(audit.find("key-one"), undefined);
    assert.equal(audit.find("key-two")?.answer, '="two"');
    const branch = branchOf(vault);
    assert.equal(breakIn(branch), undefined);
    assert.equal([...branch.range()].length, 2 + 4 + 2 + 2 + 2, "rows, outcomes, keys and answers of two calls");
    const small = new Audit(vault, { countMax: 100, bytesMax: 2_000 });
    for (let call = 0; call < 20; call++) recorded(small, `v${call}`, `="${"x".repeat(300)}"`);
    const bytes = [...branch.range()]
      .filter(([key]) => /^[ra]:/.test(key))
      .reduce((sum, [, value]) => sum + value.length, 0);
    assert.ok(bytes <= 2_000, `${bytes} bytes`);
    assert.equal(breakIn(branch), undefined);
    assert.ok(small.list({ limit: 100 }).length > 0);
  });
});
