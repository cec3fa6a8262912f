/**
 * The Guardian's side of steps, asked by a guest that need not be honest; on a real vault.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { TestContext } from "node:test";
import type { PlanariaEvent } from "../../runtime/events.ts";
import type { AskAnswer, Message } from "../../runtime/message.ts";
import { messageOf } from "../../runtime/message.ts";
import { recordedResult, STEP_MESSAGES_KEPT, StepRecords } from "../../runtime/step-records.ts";
import { StepSlots } from "../../runtime/step-slots.ts";
import { TurnSteps } from "../../runtime/turn-steps.ts";
import { stepText } from "../../sandbox/step-text.ts";
import type { Branch, Vault } from "../../vault/index.ts";
import { VaultError } from "../../vault/index.ts";
import { SimulatedClock } from "../support/simulated-clock.ts";
import { tempVault } from "../support/temp-vault.ts";

interface Bench {
  readonly steps: TurnSteps;
  readonly slots: StepSlots;
  readonly clock: SimulatedClock;
  readonly branch: Branch;
  readonly vault: Vault;
  readonly events: PlanariaEvent[];
  readonly failures: unknown[];
  /** Asks in the name of a message; `rest` stands behind name and use. */
  readonly ask: (verb: string, step: string, ...rest: readonly (string | number)[]) => Promise<AskAnswer>;
  readonly message: Message;
}

async function bench(
  t: TestContext,
  options: { readonly refuse?: VaultError; readonly callId?: string } = {},
): Promise<Bench> {
  const vault = await tempVault(t);
  const { branch } = vault.create({ name: "payer" });
  const [slots, clock] = [new StepSlots(), new SimulatedClock()];
  const [events, failures]: [PlanariaEvent[], unknown[]] = [[], []];
  const steps = new TurnSteps({
    slots,
    emit: (event) => void events.push(event),
    agent: "payer",
    vault: vault.uuid,
    branch,
    limits: { stepsPerTurnMax: 3, stepBytesPerTurnMax: 10 },
    clock,
    epoch: () => 1,
    commit: (ops, note) => {
      if (options.refuse !== undefined) throw options.refuse;
      return vault.commit([{ type: "write", branch: branch.id, ops }], { note });
    },
    failed: (_message, error) => void failures.push(error),
  });
  const letter = { kind: "call", method: "pay", text: "1", callId: options.callId } as const;
  const message = messageOf(letter, { nowMs: 0, seed: 0 });
  message.turn = 1;
  const ask: Bench["ask"] = (verb, name, ...rest) =>
    steps.ask({ verb: `step.${verb}`, text: stepText({ name, use: 1 }, ...rest), message });
  return { steps, slots, clock, branch, vault, events, failures, ask, message };
}

const refused = (answer: AskAnswer): string => (answer.ok ? `answered ${answer.text}` : answer.code);

describe("a guest that asks out of order", () => {
  for (const [what, before, verb, rest] of [
    ["ends a step that never began", [], "end", ["1"]],
    ["fails a step that never began", [], "fail", ["no"]],
    ["waits in a step that never began", [], "wait", [1, ""]],
    ["begins a step twice", [["begin", "k", 0]], "begin", ["k", 0]],
    [
      "ends a step twice",
      [
        ["begin", "k", 0],
        ["end", "1"],
      ],
      "end",
      ["2"],
    ],
    [
      "ends a step that failed",
      [
        ["begin", "k", 0],
        ["fail", "no"],
      ],
      "end",
      ["2"],
    ],
  ] as const) {
    it(`and ${what} is refused, and nothing is recorded for it`, async (t) => {
      const { ask, branch } = await bench(t);
      for (const [done, ...args] of before) assert.equal((await ask(done, "a", ...args)).ok, true);
      const head = branch.head;
      assert.equal(refused(await ask(verb, "a", ...rest)), "SANDBOX_ENVELOPE_INVALID");
      assert.equal(branch.head, head);
    });
  }

  it("and beyond its limits is refused", async (t) => {
    const { ask } = await bench(t);
    for (const name of ["a", "b", "c"]) assert.equal((await ask("begin", name, "k", 0)).ok, true);
    assert.equal(refused(await ask("begin", "d", "k", 0)), "SANDBOX_STEPS_EXCEEDED");
    assert.equal((await ask("end", "a", "123456")).ok, true);
    assert.equal(refused(await ask("end", "b", "123456")), "SANDBOX_STEPS_EXCEEDED");
    assert.equal((await ask("end", "b", "1234")).ok, true);
  });
});

describe("a record", () => {
  it("that cannot be kept ends the life", async (t) => {
    const refuse = new VaultError("VAULT_COMMIT_FAILED", "the disk is full");
    const { ask, failures } = await bench(t, { refuse });
    await ask("begin", "a", "k", 0);
    assert.equal(refused(await ask("end", "a", "1")), "VAULT_COMMIT_FAILED");
    assert.deepEqual(failures, [refuse]);
  });

  it("is given instead of running the function, and noted for a replay on other code", async (t) => {
    const { ask, steps, message } = await bench(t, { callId: "order-7" });
    assert.match(refused(await ask("begin", "a", "k", 0)), /^answered ![\w-]{43}$/);
    assert.equal(steps.isInside(message), true);
    await ask("end", "a", "[1]");
    assert.equal(steps.isInside(message), false);
    steps.end(); // its life is over; the message comes again
    assert.equal(refused(await ask("begin", "a", "k", 0)), "answered =[1]");
    const known = {
      verb: "step.begin",
      text: stepText({ name: "a", use: 1 }, "k", 0),
      answer: { ok: true, text: "=[1]" },
    };
    assert.deepEqual(message.asks, [known, known]);
  });

  it("goes with the turn that ran it, or with the next one where that can never come again", async (t) => {
    for (const callId of ["order-7", undefined]) {
      const { ask, steps, message, branch } = await bench(t, callId === undefined ? {} : { callId });
      const other = messageOf({ kind: "call", method: "read", text: "1" }, { nowMs: 0, seed: 0 });
      await ask("begin", "a", "k", 0);
      await ask("end", "a", "1");
      const [key] = [...branch.range({ prefix: "e:" })].map(([each]) => each);
      steps.over(); // it threw
      assert.deepEqual(steps.ops(other), callId === undefined ? [{ delete: key }] : []);
      assert.deepEqual(steps.ops(other), []);
      await ask("begin", "b", "k", 0);
      assert.deepEqual(steps.ops(message), callId === undefined ? [] : [{ delete: key }]);
    }
  });
});

describe("the end of a turn", () => {
  for (const end of ["over", "end"] as const) {
    it(`(${end}) gives slots and places in the queue back, and ends what waits`, async (t) => {
      const { ask, steps, slots, clock } = await bench(t);
      const taken = slots.take("bank", 1);
      const waiting = ask("begin", "a", "bank", 1);
      await ask("begin", "b", "shop", 1);
      const wait = ask("wait", "b", 1_000, "");
      assert.deepEqual([slots.size, clock.armed], [2, 1]);
      steps[end]();
      assert.equal(refused(await wait), "answered off");
      taken.release();
      assert.deepEqual([slots.size, clock.armed], [0, 0]);
      assert.equal(await Promise.race([waiting, Promise.resolve("waits")]), "waits", "it is never answered");
    });
  }

  it("is told for a try that is over in time, and a new wait takes the place of the one before", async (t) => {
    const { ask, clock, events } = await bench(t);
    await ask("begin", "a", "k", 0);
    const first = ask("wait", "a", 100, "");
    const second = ask("wait", "a", 20, "Error: no");
    assert.equal(refused(await first), "answered off");
    clock.advance(20);
    assert.equal(refused(await second), "answered over");
    assert.deepEqual(events, [
      { type: "step.retried", agent: "payer", method: "pay", step: "a", error: "Error: no", waitMs: 20 },
    ]);
  });
});

describe("records that nobody comes back for", () => {
  it("are bounded: the oldest message's go, never those of the message in work", async (t) => {
    const { branch, vault } = await bench(t);
    const place = (no: number, name = "a"): { identity: string; name: string; use: number } => ({
      identity: String(no).padStart(43, "x"),
      name,
      use: 1,
    });
    const records = new StepRecords(branch);
    const ops = Array.from({ length: STEP_MESSAGES_KEPT + 2 }, (_, no) => [...records.record(place(no), "1")]);
    vault.commit([{ type: "write", branch: branch.id, ops: ops.flat() }]);
    assert.equal([...branch.range({ prefix: "e:" })].length, STEP_MESSAGES_KEPT);
    assert.deepEqual(
      [0, 1, 2].map((no) => recordedResult(branch, place(no))),
      [undefined, undefined, "1"],
    );
    const again = new StepRecords(branch);
    assert.equal(again.record(place(2, "b"), "2").length, 1, "a message that is known already takes no other's place");
    assert.equal(again.record(place(9_999), "1").length, 3, "two records of the oldest go");
  });
});
