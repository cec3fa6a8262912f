/**
 * What an agent says on its way out is hostile text: nothing of it may throw into the runtime.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { errorReason } from "../../runtime/faults.ts";
import { EventStream } from "../../runtime/events.ts";
import { messageOf } from "../../runtime/message.ts";
import type { PlanariaEvent, RuntimeError } from "../../runtime/index.ts";
import { OutgoingVerbs } from "../../runtime/outgoing.ts";
import { seededRandom } from "../../runtime/random.ts";
import { Router } from "../../runtime/router.ts";
import { withRuntime } from "../../runtime/testing.ts";
import { VaultError } from "../../vault/index.ts";
import { SimulatedClock } from "../support/simulated-clock.ts";
import { COUNTER, codeOf } from "../support/agents.ts";
import { tempVault } from "../support/temp-vault.ts";

/** Texts that no honest guest sends. */
const GARBAGE = ["", "x", "1,1,1\nabcd", "9\nx", "\n", "1,1\nab", "\u0000"];

describe("a message that leaves an agent", () => {
  it("is an event when it makes no sense, and a question is answered with the error", async (t) => {
    const events = new EventStream(() => 0);
    const seen: PlanariaEvent[] = [];
    events.subscribe(({ event }) => seen.push(event));
    const agent = (id: string): never => {
      throw new Error(`nobody should look for ${id}`);
    };
    const router = new Router({ clock: new SimulatedClock(), random: seededRandom(1), events, agent });
    const message = messageOf({ kind: "cast", method: "go", text: "" }, { nowMs: 0, seed: 0 });
    const vault = await tempVault(t);
    const { branch } = vault.create({ name: "evil", durability: "memory" });
    for (const text of GARBAGE) {
      for (const verb of ["cast", "format_disk"]) {
        const outgoing = router.outgoing.prepare({ agent: "evil", branch, epoch: 0, message }, { verb, text });
        assert.deepEqual(outgoing, { actions: [] });
      }
      assert.equal((await router.ask("evil", { verb: "call", text, message })).ok, false);
      assert.equal((await router.ask("evil", { verb: "format_disk", text, message })).ok, false);
    }
    assert.equal(seen.length, 2 * GARBAGE.length);
    assert.ok(seen.every(({ type }) => type === "message.discarded"));
  });

  it("cannot give a reason for its end, or a name, that is too long to be told to others", async (t) => {
    const events = new EventStream(() => 0);
    const said: PlanariaEvent[] = [];
    events.subscribe(({ event }) => void said.push(event));
    const outgoing = new OutgoingVerbs(events);
    const vault = await tempVault(t);
    const { branch } = vault.create({ name: "evil", durability: "memory" });
    const message = messageOf({ kind: "cast", method: "go", text: "" }, { nowMs: 0, seed: 0 });
    for (const text of ["x".repeat(513), "é".repeat(257), ""])
      assert.deepEqual(outgoing.prepare({ agent: "evil", branch, epoch: 0, message }, { verb: "exit", text }), {
        actions: [],
      });
    assert.deepEqual(
      said.map((event) => event.type === "message.discarded" && event.code),
      ["SANDBOX_ENVELOPE_INVALID", "SANDBOX_ENVELOPE_INVALID", "SANDBOX_ENVELOPE_INVALID"],
    );
    const { exit } = outgoing.prepare(
      { agent: "evil", branch, epoch: 0, message },
      { verb: "exit", text: "é".repeat(256) },
    );
    assert.equal(exit?.name, "exit");
  });

  it("cannot reach what is no agent: journals and forks on trial", async (t) => {
    const runtime = await withRuntime(t);
    const counter = await runtime.spawn({ id: "counter", source: COUNTER });
    await counter.call("add", 1);
    await runtime.journal("secrets");
    const control = runtime.control("counter");
    await using shadow = await control.shadow({ artifact: control.code.artifact });
    for (const agent of ["~journal:secrets", shadow.name, "a b"]) {
      const call = counter.call("relay", { agent, method: "add", arg: 1 });
      const error = (await call.catch((thrown: unknown) => thrown)) as RuntimeError;
      assert.equal(error.details["code"], "RUNTIME_AGENT_UNKNOWN", agent);
    }
    assert.equal(await counter.call("read"), 1);
    assert.equal(
      await codeOf(Promise.resolve().then(() => runtime.ref("~journal:secrets"))),
      "RUNTIME_OPTIONS_INVALID",
    );
  });
});

describe("a commit that the vault refuses", () => {
  it("is charged to the agent when its own names or values are to blame, and to nobody when it is the disk", () => {
    assert.equal(errorReason(new VaultError("VAULT_NAME_INVALID", "x")).name, "limit");
    assert.equal(errorReason(new VaultError("VAULT_KEY_INVALID", "x")).name, "limit");
    assert.equal(errorReason(new VaultError("VAULT_COMMIT_FAILED", "x")).name, "storage");
  });
});
