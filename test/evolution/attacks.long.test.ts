/**
 * The store of attacks: named by content, bounded by agent, on disk, and not to be brought down by what it reads.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { TestContext } from "node:test";
import { Attacks } from "../../evolution/attacks.ts";
import type { NewAttack } from "../../evolution/attacks/attack.ts";
import { ATTACKS_MAX, selectAttacks } from "../../evolution/attacks/selection.ts";
import { Runtime } from "../../runtime/index.ts";
import { withRuntime } from "../../runtime/testing.ts";
import { encode } from "../../sandbox/index.ts";
import { systemClock, Vault, VAULT_SETTINGS } from "../../vault/index.ts";
import { flipPages, storedPages } from "../support/page-file.ts";
import { tempFolder } from "../support/temp-vault.ts";

const found = (timeMs: number, what = "it did not end"): NewAttack["found"] => ({ decision: "d1", timeMs, what });

const says = (value: unknown, method = "search"): NewAttack["messages"] => [
  { kind: "call", method, text: encode(value, { bytesMax: 1 << 20 }) },
];

function damageEvents(runtime: Runtime): readonly string[] {
  const told: string[] = [];
  const listen = { after: 0 };
  runtime.subscribe(({ event }) => {
    if (event.type === "candidate.attacks_damaged") told.push(String((event as { message?: unknown }).message));
  }, listen);
  return told;
}

describe("attacks", () => {
  it("are named by agent and messages: found again, one has brought down one more candidate", async (t) => {
    const attacks = await Attacks.open(await withRuntime(t));
    const first = await attacks.add("a", { messages: says(""), found: found(1) });
    const again = await attacks.add("a", { messages: says(""), found: { timeMs: 9, what: "otherwise" } });
    assert.deepEqual([again.id, again.felled, again.lastMs, again.found], [first.id, 2, 9, found(1)]);
    assert.equal(attacks.of("a").length, 1);
    assert.notEqual((await attacks.add("b", { messages: says(""), found: found(1) })).id, first.id);
    assert.notEqual((await attacks.add("a", { messages: says(0), found: found(1) })).id, first.id);
  });

  it("are on disk when they are added: another run has them, in their order", async (t) => {
    const vault = join(tempFolder(t), "vault");
    {
      await using runtime = await Runtime.open({ vault });
      const attacks = await Attacks.open(runtime);
      await Promise.all([3, 1, 2].map((n) => attacks.add("a", { messages: says(n), found: found(n) })));
      await attacks.add("a", { messages: says(1), found: found(4) });
    }
    await using runtime = await Runtime.open({ vault });
    const known = (await Attacks.open(runtime)).of("a");
    assert.deepEqual(
      known.map(({ messages, felled }) => [messages, felled]),
      [
        [says(1), 2],
        [says(2), 1],
        [says(3), 1],
      ],
    );
  });

  it("are bounded by agent: in memory, in the vault, and after it was opened again", async (t) => {
    const vault = join(tempFolder(t), "vault");
    {
      await using runtime = await Runtime.open({ vault, durability: "memory" });
      const attacks = await Attacks.open(runtime);
      for (let n = 0; n < ATTACKS_MAX + 20; n++) await attacks.add("a", { messages: says(n), found: found(n) });
      await attacks.add("b", { messages: says(1), found: found(1) });
      assert.equal(attacks.of("a").length, ATTACKS_MAX);
      assert.equal([...(await runtime.journal("attacks")).entries()].length, ATTACKS_MAX + 1);
    }
    await using runtime = await Runtime.open({ vault });
    const attacks = await Attacks.open(runtime);
    assert.deepEqual([attacks.of("a").length, attacks.of("b").length, attacks.of("c").length], [ATTACKS_MAX, 1, 0]);
  });

  for (const [what, messages] of [
    ["no message", []],
    ["too many messages", Array.from({ length: 21 }, () => says("")[0]!)],
    ["a text that is no encoded value", [{ kind: "call", method: "search", text: "{" }]],
    ["an own property __proto__", [{ kind: "call", method: "search", text: '{"__proto__":1}' }]],
    ["too long a text", says("x".repeat(300_000))],
    ["a message without a method", [{ kind: "call", method: "", text: "1" }]],
    ["a kind that no message has", [{ kind: "init" as "call", method: "search", text: "1" }]],
  ] as readonly (readonly [string, NewAttack["messages"]])[]) {
    it(`are refused with ${what}`, async (t) => {
      const attacks = await Attacks.open(await withRuntime(t));
      await assert.rejects(attacks.add("a", { messages, found: found(1) }), TypeError);
      assert.deepEqual(attacks.of("a"), []);
    });
  }
});

describe("attacks as lines", () => {
  it("go from one vault to another, for the same agent or for another one", async (t) => {
    const from = await Attacks.open(await withRuntime(t));
    await from.add("a", { messages: says(""), found: found(1) });
    await from.add("a", { messages: says(new Map([[1, NaN]])), found: found(2) });
    const lines = from.export("a");
    assert.equal(lines.trimEnd().split("\n").length, 2);
    const to = await Attacks.open(await withRuntime(t));
    assert.deepEqual(await to.import(lines), { added: 2, known: 0, dropped: 0, refused: [] });
    assert.deepEqual(await to.import(lines), { added: 0, known: 2, dropped: 0, refused: [] });
    assert.deepEqual(to.of("a"), from.of("a"));
    assert.equal((await to.import(lines, "b")).added, 2);
    assert.deepEqual(
      to.of("b").map(({ agent }) => agent),
      ["b", "b"],
    );
    assert.equal(from.export("nobody"), "");
  });

  it("that are none are named, and cost no other line anything", async (t) => {
    const attacks = await Attacks.open(await withRuntime(t));
    const good = JSON.stringify({ agent: "a", messages: says(1), found: found(1), felled: 1e300, lastMs: "now" });
    const bad = [
      "no json",
      "null",
      "[]",
      '{"agent":"a","messages":[{"kind":"call","method":"m","text":"~["}],"found":{"timeMs":1,"what":""}}',
      '{"agent":"a","messages":{"length":1e9},"found":{"timeMs":1,"what":""}}',
      '{"agent":"a","messages":[null],"found":{"timeMs":1,"what":""}}',
      `{"agent":"a","messages":${JSON.stringify(says(1))},"found":{"timeMs":1e999,"what":""}}`,
      `{"agent":"a","messages":${JSON.stringify(says(1))},"found":{"timeMs":1,"what":"${"x".repeat(2_000)}"}}`,
      `{"agent":${"[".repeat(100_000)}`,
      `"${"x".repeat(2_000_000)}"`,
    ];
    const { added, refused } = await attacks.import([...bad, good, ""].join("\n"));
    assert.equal(added, 1);
    assert.deepEqual(
      refused.map(({ line }) => line),
      bad.map((_, index) => index + 1),
    );
    assert.ok(refused.every(({ why }) => why.length > 0 && why.length < 200));
    const [kept] = attacks.of("a");
    assert.deepEqual([kept?.felled, kept?.lastMs], [1, 1]);
  });

  it("keep no more than an agent may have, and say what was dropped", async (t) => {
    const attacks = await Attacks.open(await withRuntime(t));
    const lines = Array.from({ length: ATTACKS_MAX + 5 }, (_, n) =>
      JSON.stringify({ agent: "a", messages: says(n), found: found(1_000 - n), felled: 1, lastMs: 1_000 - n }),
    );
    const { added, dropped } = await attacks.import(lines.join("\n"));
    assert.equal(added + dropped, lines.length);
    assert.equal(attacks.of("a").length, ATTACKS_MAX);
  });
});

describe("what is damaged", () => {
  it("costs the records that are no attacks, with an event each", async (t) => {
    const runtime = await withRuntime(t);
    const told = damageEvents(runtime);
    const journal = await runtime.journal("attacks");
    for (const record of ["garbage", '{"agent":7}', "[".repeat(1_000_000)]) await journal.append(record);
    await (await Attacks.open(runtime)).add("a", { messages: says(1), found: found(1) });
    assert.equal((await Attacks.open(runtime)).of("a").length, 1);
    assert.equal(told.length, 6, "three at each start");
    assert.match(told.join("\n"), /record 0 is no attack: it is no JSON[^]*record 1 is no attack: agent[^]*record 2 /);
  });

  it("costs the attacks on a page that cannot be read, and no others; a new one is kept all the same", async (t) => {
    const vault = await damagedVault(t, (leaves) => leaves.slice(0, 1));
    await using runtime = await Runtime.open({ vault });
    const told = damageEvents(runtime);
    const attacks = await Attacks.open(runtime);
    const left = attacks.of("a").length;
    assert.ok(left > 0 && left < 40, `${left} of 40 are left`);
    assert.equal(told.length, 40 - left);
    await attacks.add("a", { messages: says("new"), found: found(99) });
    assert.equal(attacks.of("a").length, left + 1);
  });

  it("costs the attacks of before where nothing of the journal can be read: another is begun, and found again", async (t) => {
    const vault = await damagedVault(t, (leaves) => leaves);
    for (const kept of [0, 1]) {
      await using runtime = await Runtime.open({ vault });
      const told = damageEvents(runtime);
      const attacks = await Attacks.open(runtime);
      assert.equal(attacks.of("a").length, kept);
      assert.match(told.join("\n"), /the journal attacks cannot be read/);
      await attacks.add("a", { messages: says("new"), found: found(99) });
    }
  });
});

/** A vault with 40 attacks of agent `a`, of which some leaves are damaged. */
async function damagedVault(
  t: TestContext,
  which: (leaves: ReturnType<typeof storedPages>) => ReturnType<typeof storedPages>,
): Promise<string> {
  const path = join(tempFolder(t), "vault");
  {
    await using runtime = await Runtime.open({ vault: path });
    const attacks = await Attacks.open(runtime);
    for (let n = 0; n < 40; n++) await attacks.add("a", { messages: says("x".repeat(1_000) + n), found: found(n) });
  }
  const settings = {
    ...VAULT_SETTINGS,
    path,
    clock: systemClock,
    durability: "disk",
    onEvent: () => undefined,
  } as const;
  const opened = await Vault.open(settings);
  const arena = opened.head("~journal:attacks")?.id;
  await opened.close();
  const pages = join(path, "pages.mdb");
  const leaves = storedPages(pages).filter(({ id, kind }) => id.arena === arena && kind === "leaf");
  assert.ok(leaves.length > 1, "the journal has leaves of its own");
  flipPages(pages, which(leaves));
  return path;
}

describe("which attacks are kept", () => {
  const attack = (id: number, felled: number) => ({
    id: String(id).padStart(4, "0"),
    agent: "a",
    messages: says(id),
    found: found(id),
    felled,
    lastMs: id,
  });

  it("the newest half, and of the others those that brought down most", () => {
    const all = Array.from({ length: 10 }, (_, id) => attack(id, id === 2 || id === 4 ? 5 : 1));
    const { kept, dropped } = selectAttacks(all, 4);
    assert.deepEqual(
      kept.map(({ found: { timeMs } }) => timeMs),
      [2, 4, 8, 9],
    );
    assert.equal(dropped.length, 6);
    assert.deepEqual(selectAttacks(all.toReversed(), 4).kept, kept, "the order of the list does not matter");
  });

  it("all of them, oldest first, where there is room", () => {
    const all = [attack(3, 1), attack(1, 1)];
    assert.deepEqual(selectAttacks(all, 2), { kept: [all[1], all[0]], dropped: [] });
  });
});
