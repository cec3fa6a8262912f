/**
 * The climb itself, over pages that cannot be read: whatever the vault refuses on the way is no error of the climb, and the
 * keeper behind the ladder decides then.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { TestContext } from "node:test";
import { codeOps, readCurrent, specOp } from "../../runtime/agent-record.ts";
import type { AgentSpec, CurrentCode } from "../../runtime/agent-record.ts";
import { EventStream } from "../../runtime/events.ts";
import type { ExitReason } from "../../runtime/exit-reason.ts";
import type { Keeper } from "../../runtime/keeper.ts";
import { LadderKeeper } from "../../runtime/ladder-keeper.ts";
import type { Climber } from "../../runtime/ladder-keeper.ts";
import { Rungs } from "../../runtime/rungs.ts";
import { compile } from "../../sandbox/index.ts";
import { systemClock, VaultError } from "../../vault/index.ts";
import type { Branch, Vault } from "../../vault/index.ts";
import { tempVault } from "../support/temp-vault.ts";

const REASON: ExitReason = { name: "load_failed", message: "spoilt" };
const SPEC = { id: "a", intensity: 0, quarantineMs: 1_000 } as unknown as AgentSpec; // what a climb looks at

/** A branch with two versions of the code, the second of which is current. */
async function promoted(t: TestContext): Promise<{ readonly vault: Vault; readonly branch: Branch }> {
  const [first, second] = await Promise.all(
    ["first", "second"].map((word) =>
      compile({
        source: `export default { version: 1, state: () => ({}), on: { ${word}() {} } };`,
        name: "a.agent.ts",
      }),
    ),
  );
  assert.ok(first !== undefined && second !== undefined);
  const before = { hash: first.hash, version: 1, originHash: first.hash, profile: "hardened" } as const;
  const vault = await tempVault(t);
  const ops = [specOp(SPEC), ...codeOps(first, before), ...codeOps(second, { ...before, hash: second.hash, before })];
  return { vault, branch: vault.create({ name: "a", ops }).branch };
}

/** As `branch`, but that the page of its spec is damaged. */
function withDamagedSpec(branch: Branch): Branch {
  return new Proxy(branch, {
    get(target, name) {
      const own: unknown = Reflect.get(target, name, target);
      if (name === "get") {
        return (key: string) => {
          if (key === "a:spec") throw damaged();
          return target.get(key);
        };
      }
      return typeof own === "function" ? (own.bind(target) as unknown) : own;
    },
  });
}

function damaged(): VaultError {
  return new VaultError("VAULT_PAGE_DAMAGED", "the checksum of a page is wrong");
}

function currentOf(branch: Branch): CurrentCode {
  const current = readCurrent(branch);
  assert.ok(current !== undefined);
  return current;
}

describe("a climb over damaged pages", () => {
  it("leaves everything as it is where the spec cannot be read, which the earlier code would need as well", async (t) => {
    const { vault, branch } = await promoted(t);
    const current = currentOf(branch);
    const rungs = new Rungs(vault, { branch: () => withDamagedSpec(branch), spec: () => ({}) });
    const before = vault.stats().seq;
    assert.equal(await rungs.earlierCode(current), undefined);
    assert.equal(vault.stats().seq, before);
    assert.notEqual(
      await new Rungs(vault, { branch: () => branch, spec: () => ({}) }).earlierCode(current),
      undefined,
      "with its spec it goes back",
    );
  });

  it("ends with the keeper where what it led to cannot be read after all", async (t) => {
    const { vault, branch } = await promoted(t);
    const told = Promise.withResolvers<ExitReason>();
    const ended = Promise.withResolvers<void>();
    const agent = { id: "a", spec: SPEC, branch, current: currentOf(branch), traffic: { clear() {} }, hold() {} };
    const keeper = new LadderKeeper(agent as unknown as Climber /* it is not launched */, {
      keeper: { exited: told.resolve } as unknown as Keeper, // it hears of nothing else
      host: { vault, clock: systemClock, events: new EventStream(() => 0) },
      onMoved: () => {
        throw damaged();
      },
      onEnd: ended.resolve,
    });
    keeper.exited(REASON);
    assert.equal(await told.promise, REASON);
    await ended.promise;
  });
});
