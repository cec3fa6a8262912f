/**
 * A Guardian that does not even end the cell it has replaced: the vault alone keeps the old life out. A real cell is stopped
 * with a turn in work, the agent goes on in another one, and the first goes on then and brings its turn to an end.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { TestContext } from "node:test";
import { stateEntries } from "../../runtime/agent-record.ts";
import { CellPool } from "../../runtime/cell-pool.ts";
import { systemClock } from "../../runtime/clock.ts";
import type { ExitReason } from "../../runtime/exit-reason.ts";
import type { IncarnationHost } from "../../runtime/incarnation.ts";
import { Incarnation } from "../../runtime/incarnation.ts";
import { messageOf } from "../../runtime/message.ts";
import { AGENT_LIMITS } from "../../runtime/limit-options.ts";
import { StepSlots } from "../../runtime/step-slots.ts";
import { Replies } from "../../runtime/traffic-replies.ts";
import { compile } from "../../sandbox/index.ts";
import type { Branch, Vault } from "../../vault/index.ts";
import { COUNTER } from "../support/agents.ts";
import { bytes, tempVault } from "../support/temp-vault.ts";

/** How a life ended. */
interface Ended {
  readonly life: Incarnation;
  readonly reason: ExitReason;
}

/** One agent's lives on one branch, without anybody who keeps them apart. */
class Lives {
  readonly ended: Promise<Ended>;
  readonly vault: Vault;
  readonly branch: Branch;
  readonly pool: CellPool;
  readonly #end = Promise.withResolvers<Ended>();

  private constructor(vault: Vault) {
    this.ended = this.#end.promise;
    this.vault = vault;
    this.branch = vault.create({ name: "a", ops: [{ put: "s:count", value: bytes("0") }] }).branch;
    this.pool = new CellPool({
      cellsSpread: 2,
      agentsPerCell: 1,
      spares: 1,
      clock: systemClock,
      recycle: { ageMs: 3_600_000, memoryMb: 512, placements: 1_000 },
      onRecycled: () => undefined,
      cell: {
        osSandbox: "off",
        poolHeapMb: AGENT_LIMITS.heapMb,
        limits: { memoryMb: 1_024, isolatesMax: 1, frameBytesMax: 1 << 20, heartbeatMs: 250 },
        clock: systemClock,
        onEvent: () => undefined,
        mayEndSilent: () => false,
      },
    });
  }

  static async open(t: TestContext): Promise<Lives> {
    const lives = new Lives(await tempVault(t, { clock: systemClock }));
    t.after(() => lives.pool.close());
    return lives;
  }

  async begin(): Promise<Incarnation> {
    const artifact = await compile({ source: COUNTER, name: "a.agent.ts" });
    const { branch } = this;
    const limits = { ...AGENT_LIMITS, wallMs: 60_000 };
    const options = {
      branch,
      artifact,
      profile: "trusted",
      limits,
      durability: "disk",
      text: "",
      host: "",
      isAlone: false,
    } as const;
    const life = await Incarnation.load(this.#host(), options);
    life.fence();
    return life;
  }

  /** Hands a call over; resolves with its reply. */
  add(life: Incarnation): Promise<string> {
    const message = messageOf({ kind: "call", method: "add", text: "1" }, { nowMs: 1, seed: 1 });
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    message.callers.add({ resolve, reject });
    life.run(message);
    return promise;
  }

  count(): string | undefined {
    return new Map(stateEntries(this.branch)).get("count");
  }

  #host(): IncarnationHost {
    const none = (): never => assert.fail("nothing is asked or sent here");
    return {
      id: "a",
      vault: this.vault,
      pool: this.pool,
      clock: systemClock,
      firstSeed: () => 1,
      steps: { slots: new StepSlots(), emit: none },
      ask: none,
      outgoing: none,
      log: (_place, lines) => assert.deepEqual(lines, []),
      turned: () => undefined,
      answered: (message, turn) => new Replies().send(message, turn, undefined),
      published: () => undefined,
      advanced: () => undefined,
      failed: () => undefined,
      over: () => undefined,
      surface: () => "",
      relocate: none,
      ended: (life, reason) => this.#end.resolve({ life, reason }),
    };
  }
}

describe("a life that was replaced while its cell was stopped", () => {
  it("can write nothing when it goes on, its reply goes nowhere, and it ends", async (t) => {
    const lives = await Lives.open(t);
    const old = await lives.begin();
    assert.equal(await lives.add(old), "1");
    process.kill(old.cellPid ?? 0, "SIGSTOP");
    const late = lives.add(old);
    const told = assert.rejects(late, { code: "VAULT_EPOCH_STALE" });
    const fresh = await lives.begin();
    assert.notEqual(fresh.cellPid, old.cellPid);
    assert.ok(fresh.epoch > old.epoch);
    assert.equal(await lives.add(fresh), "2", "the turn of the stopped cell did not happen");
    process.kill(old.cellPid ?? 0, "SIGCONT");
    const { life, reason } = await lives.ended;
    assert.equal(life, old);
    assert.equal(reason.code, "VAULT_EPOCH_STALE");
    await told;
    assert.ok(old.isOver);
    assert.throws(() => void lives.add(old), /takes no messages/);
    assert.equal(lives.count(), "2");
    assert.equal(await lives.add(fresh), "3");
    assert.equal(lives.branch.epoch, fresh.epoch);
  });
});
