/** `random: "real"`: what crypto draws is nobody's guess, and the same in every run of a message. */
import assert from "node:assert/strict";
import { createCipheriv, randomBytes } from "node:crypto";
import { rm, mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { Runtime } from "../../runtime/index.ts";
import { withRuntime } from "../../runtime/testing.ts";
import { compile } from "../../sandbox/index.ts";
import { keystream } from "../../sandbox/guest/web/keystream.ts";
import { messageOf } from "../../runtime/message.ts";
import { turnOf } from "../../runtime/turn-chance.ts";

const SOURCE = `export default { version: 1, state: () => ({ id: crypto.randomUUID() }), on: {
  draw: (ctx) => [crypto.randomUUID(), ctx.random()],
  id: (ctx) => ctx.state.id,
} }`;

describe("the keystream", () => {
  it("is ChaCha20's", () => {
    for (const key of ["00".repeat(32), randomBytes(32).toString("hex")]) {
      const word = keystream(key);
      const bytes = Buffer.alloc(1024);
      for (let index = 0; index < bytes.length; index += 4) bytes.writeInt32LE(word(), index);
      const cipher = createCipheriv("chacha20", Buffer.from(key, "hex"), Buffer.alloc(16));
      assert.deepEqual(bytes, cipher.update(Buffer.alloc(1024)), key);
    }
  });
});

describe("the first state of an agent with seeded chance", () => {
  it("is another for each agent, and the same for the same seed of the runtime", async (t) => {
    const ids = async (seed: number): Promise<readonly unknown[]> => {
      const runtime = await withRuntime(t, { seed });
      const source = `export default { version: 1, state: () => ({ id: crypto.randomUUID(), chance: Math.random() }), on: {
        id: (ctx) => [ctx.state.id, ctx.state.chance],
        spawn: (ctx) => ctx.spawn({ id: "c" }),
      } }`;
      for (const id of ["a", "b"]) await runtime.spawn({ id, source });
      await runtime.ref("a").call("spawn");
      const drawn = await Promise.all(["a", "b", "a/c"].map((id) => runtime.ref(id).call("id")));
      await runtime.ref("b").stop();
      await runtime.drop("b");
      await runtime.spawn({ id: "b", source });
      return [...drawn, await runtime.ref("b").call("id")].flat();
    };
    const [one, again, other] = [await ids(7), await ids(7), await ids(8)];
    assert.equal(new Set([...one, ...other]).size, 16, "no two are alike");
    assert.deepEqual(again, one);
  });
});

describe("an agent with real chance", () => {
  let folder = "";
  const open = (): Promise<Runtime> =>
    Runtime.open({ vault: join(folder, `vault-${++count}`), seed: 7, durability: "memory", osSandbox: "off" });
  let count = 0;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "planaria-chance-"));
  });
  after(() => rm(folder, { recursive: true }));

  it("draws what no seed foretells, and keeps the seed for the rest", async () => {
    const drawn = await Promise.all(
      ["seeded", "real"].map(async (random) => {
        const values: unknown[] = [];
        for (let time = 0; time < 2; time++) {
          await using runtime = await open();
          const agent = await runtime.spawn({ id: "a", source: SOURCE, random: random as "seeded" | "real" }); // one of the two
          values.push(await agent.call("draw"), await agent.call("id"));
        }
        return values as [[string, number], string, [string, number], string]; // a UUID and a number each, then a UUID
      }),
    );
    const [seeded, real] = drawn;
    assert.ok(seeded !== undefined && real !== undefined);
    assert.deepEqual(seeded.slice(0, 2), seeded.slice(2));
    assert.notEqual(real[0][0], real[2][0]);
    assert.notEqual(real[1], real[3]);
    assert.equal(real[0][1], real[2][1]);
  });

  it("draws once for each message, however often its turn is run", () => {
    const letter = { kind: "call", method: "draw", text: "1" } as const;
    const [one, other] = [1, 2].map((seed) => messageOf(letter, { nowMs: 0, seed }));
    assert.ok(one !== undefined && other !== undefined);
    const { entropy } = turnOf(one, "real");
    assert.match(entropy ?? "", /^[0-9a-f]{64}$/);
    assert.deepEqual(turnOf(one, "real"), { id: 0, ...letter, nowMs: 0, seed: 1, entropy });
    assert.notEqual(turnOf(other, "real").entropy, entropy);
    assert.equal(turnOf(messageOf(letter, { nowMs: 0, seed: 1 }), undefined).entropy, undefined);
  });

  it("is recorded with what it drew from, so that a shadow draws the same", async () => {
    await using runtime = await open();
    const agent = await runtime.spawn({ id: "a", source: SOURCE, random: "real" });
    const reply = await agent.call("draw");
    const control = runtime.control("a");
    const [turn] = control.turns();
    assert.ok(turn !== undefined);
    await using shadow = await control.shadow({ artifact: await compile({ source: SOURCE, name: "a.agent.ts" }) });
    const { outcome } = await shadow.run(turn);
    assert.ok(outcome.kind === "done");
    assert.deepEqual(JSON.parse(outcome.reply), reply);
  });

  it("draws its own also while its module is evaluated, in each life", async () => {
    await using runtime = await open();
    const source = `const top = crypto.randomUUID(); const bytes = crypto.getRandomValues(new Uint8Array(8)).toBase64();
      export default { version: 1, state: () => ({}), on: { top: () => top + bytes } }`;
    const agents = await Promise.all(["a", "b"].map((id) => runtime.spawn({ id, source, random: "real" })));
    const drawn = await Promise.all(agents.map((agent) => agent.call("top")));
    await agents[0]?.stop();
    await runtime.drop("a");
    const again = await runtime.spawn({ id: "a", source, random: "real" });
    assert.equal(new Set([...drawn, await again.call("top")]).size, 3);
  });

  it("is refused another word", async () => {
    await using runtime = await open();
    const options = { id: "c", source: SOURCE, random: "maybe" as "real" }; // what a program without types may say
    await assert.rejects(runtime.spawn(options), { code: "RUNTIME_OPTIONS_INVALID" });
  });
});
