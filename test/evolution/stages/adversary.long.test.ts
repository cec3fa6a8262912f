/**
 * The adversary: hostile messages that harm a candidate and not what runs, and the ratchet: what was found once is tried on all.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { Arbiter } from "../../../evolution/arbiter.ts";
import { Attacks } from "../../../evolution/attacks.ts";
import type { ArbiterOptions } from "../../../evolution/options.ts";
import type { StageVerdict } from "../../../evolution/stage.ts";
import { adversaryStage } from "../../../evolution/stages/adversary.ts";
import { compileStage } from "../../../evolution/stages/compile.ts";
import { smokeStage } from "../../../evolution/stages/smoke.ts";
import { Runtime } from "../../../runtime/index.ts";
import { withRuntime } from "../../../runtime/testing.ts";
import { tempFolder } from "../../support/temp-vault.ts";
import { changed, saidOf, saidUnderKill } from "./trial.ts";

const SEED = Number(process.env["SEED"] ?? 11);

const DESK = `
import { agent } from "planaria/agent";
const groups = new Map<string, Map<string, number>>();
const groupOf = (name: string) => groups.get(name) ?? groups.set(name, new Map()).get(name)!;
export default agent({
  version: 1,
  state: () => ({ titles: [] as string[], tags: 0, log: "" }),
  on: {
    add(ctx, title: string) { ctx.state.titles.push(String(title)); return true; },
    list: { reads: true, handle: (ctx) => ctx.state.titles.map((title) => title.length) },
    search(ctx, text: string) { if (typeof text !== "string") return []; return ctx.state.titles.filter((title) => title.includes(text)); },
    tag(ctx, tag: { group: string; name: string }) {
      groupOf(String(tag?.group)).set(String(tag?.name), 1);
      ctx.state.tags += 1;
      return true;
    },
    known(_ctx, name: string) { const shown: Record<string, number> = { closed: 1 }; return String(name) in shown; },
    replace(ctx, titles: string[]) { if (Array.isArray(titles) && titles.every((each) => typeof each === "string")) ctx.state.titles = titles; return true; },
    depth(_ctx, tree: { next?: unknown }) { let levels = 0; for (let at: any = tree; at?.next != null; at = at.next) levels++; return levels; },
  },
});
`;

const IN_SEARCH = 'if (typeof text !== "string") return [];';
const FOREVER = "for (;;);";
/** What does not end is stopped by the wall clock; little CPU time is enough to know it for what it is, on a busy machine too. */
const LIMITS = { cpuMs: 25, wallMs: 250 };

const cleanUps: (() => Promise<void>)[] = [];
let runtime: Runtime;
let stores = 0;

/** An agent that was asked each of its methods. */
async function desk(inside: Runtime, source = DESK): Promise<void> {
  const ref = await inside.spawn({ id: "desk", source, limits: LIMITS });
  await ref.call("add", "open");
  await ref.call("add", "worms");
  await ref.call("search", "wor");
  await ref.call("tag", { group: "state", name: "open" });
  await ref.call("known", "open");
  await ref.call("replace", ["open", "worms"]);
  await ref.call("depth", { next: { next: null } });
  await ref.call("list");
}

before(async () => {
  runtime = await withRuntime({ after: (cleanUp) => void cleanUps.push(cleanUp) });
  await desk(runtime);
});
after(async () => {
  for (const cleanUp of cleanUps) await cleanUp();
});

/** A store that no other test has seen. */
async function freshAttacks(): Promise<Attacks> {
  stores += 1;
  const name = `attacks-${stores}`;
  return await Attacks.open({ events: runtime.events, journal: () => runtime.journal(name) });
}

interface Tried {
  readonly said: StageVerdict;
  readonly attacks: Attacks;
}

async function tried(
  source: string,
  given: { readonly options?: ArbiterOptions; readonly attacks?: Attacks; readonly signal?: AbortSignal } = {},
): Promise<Tried> {
  const attacks = given.attacks ?? (await freshAttacks());
  return {
    said: await saidOf(adversaryStage, { runtime, agent: "desk", source, seed: SEED, ...given, attacks }),
    attacks,
  };
}

const textsOf = (attacks: Attacks): readonly (readonly string[])[] =>
  attacks.of("desk").map(({ messages }) => messages.map(({ method, text }) => `${method}(${text})`));

describe(`an adversary (seed ${SEED})`, () => {
  it("lets a candidate pass that stands what the running version stands, and leaves the agent as it was", async () => {
    const before = [runtime.vaultStats().branches, await runtime.ref("desk").call("list")];
    const { said, attacks } = await tried(changed(DESK, "levels++", "levels += 1"));
    assert.equal(said.verdict, "pass", said.reason);
    assert.deepEqual([said.figures?.["kept"], said.figures?.["findings"], attacks.of("desk")], [0, 0, []]);
    assert.ok((said.figures?.["generated"] ?? 0) >= 10, said.reason);
    // The store of this test has a journal.
    assert.deepEqual([runtime.vaultStats().branches - 1, await runtime.ref("desk").call("list")], before);
  });

  it("does not mind errors: they are told", async () => {
    const { said } = await tried(
      changed(DESK, IN_SEARCH, 'if (typeof text !== "string") throw new TypeError("text, please");'),
    );
    assert.equal(said.verdict, "pass", said.reason);
    assert.match(said.notes?.join("\n") ?? "", /met with an error that the running version answers/);
  });

  const harmful: readonly (readonly [what: string, source: string, reason: RegExp])[] = [
    [
      "does not end on an empty text",
      changed(DESK, IN_SEARCH, `${IN_SEARCH} if (text === "") ${FOREVER}`),
      /it does not end after search\(""\)/,
    ],
    [
      "needs all memory for deep objects",
      changed(DESK, "levels++", "(levels++, (kept as unknown[]).push(new Array(300_000).fill(levels)))").replace(
        "let levels = 0;",
        "let levels = 0; const kept: unknown[] = [];",
      ),
      /it needs more memory than it has after depth\(/,
    ],
    [
      "asks the outside",
      changed(
        DESK,
        "search(ctx, text: string) {",
        'async search(ctx, text: string) { if (text === "") await ctx.call("spy", "tell", 1);',
      ),
      /it asks the outside \(call\)/,
    ],
    [
      "takes a key away",
      changed(DESK, IN_SEARCH, `${IN_SEARCH} if (text === "") delete (ctx.state as { log?: string }).log;`),
      /it takes ctx\.state\.log away/,
    ],
    [
      "writes what it cannot read",
      changed(DESK, 'if (Array.isArray(titles) && titles.every((each) => typeof each === "string")) ctx', "ctx"),
      /it no longer answers (list|add|search) after replace\(/,
    ],
    [
      "changes what all objects inherit",
      changed(
        changed(
          DESK,
          "groupOf(String(tag?.group)).set(String(tag?.name), 1);",
          "(records[String(tag?.group)] ??= {})[String(tag?.name)] = 1;",
        ),
        "export default",
        "const records: Record<string, Record<string, number>> = {};\nexport default",
      ),
      /it answers known otherwise than a new life on its state does after tag\(.*__proto__/,
    ],
  ];
  for (const [what, source, reason] of harmful) {
    it(`fails a candidate that ${what}, and keeps how`, async () => {
      const { said, attacks } = await tried(source);
      assert.deepEqual([said.verdict, said.code], ["fail", "EVOLUTION_ATTACK_SUCCEEDED"], said.reason);
      assert.match(said.reason, reason);
      assert.ok(attacks.of("desk").length > 0);
      const again = await tried(source, { attacks, options: { generatedCases: 0 } });
      assert.deepEqual([again.said.verdict, again.said.figures?.["generated"]], ["fail", 0], again.said.reason);
      const honest = await tried(changed(DESK, "levels++", "levels += 1"), { attacks, options: { generatedCases: 0 } });
      assert.equal(honest.said.verdict, "pass", "the attacks are none for what stands them");
    });
  }

  it("makes an attack as small as it can", async () => {
    const drop = "delete (ctx.state as { log?: string }).log;";
    const long = changed(DESK, IN_SEARCH, `${IN_SEARCH} if (text.length > 99) ${drop}`);
    const { attacks } = await tried(long);
    const lengths = attacks.of("desk").map(({ messages }) => messages[0]!.text.length);
    assert.ok(lengths.length > 0 && lengths.every((length) => length < 250), lengths.join(", "));
  });

  it("keeps as many messages as it takes, and no more", async () => {
    const source = changed(
      changed(DESK, IN_SEARCH, `if (typeof text !== "string") { (ctx.state as any).armed = 1; return []; }`),
      "ctx.state.tags += 1;",
      'ctx.state.tags += 1; if (typeof tag?.group !== "string" && (ctx.state as any).armed) (ctx.state as any).titles = null;',
    );
    const { said, attacks } = await tried(source);
    assert.equal(said.verdict, "fail", said.reason);
    const methods = attacks.of("desk").map(({ messages }) => messages.map(({ method }) => method));
    assert.deepEqual(methods, [["search", "tag"]]);
  });

  it("runs attacks of several messages in their order", async () => {
    const attacks = await freshAttacks();
    const messages = ["one", "two"].map(
      (text) => ({ kind: "call", method: "add", text: JSON.stringify(text) }) as const,
    );
    await attacks.add("desk", { messages, found: { timeMs: 1, what: "two after one" } });
    const source = changed(
      DESK,
      "ctx.state.titles.push(String(title));",
      `if (title === "two" && ctx.state.titles.at(-1) === "one") ${FOREVER} ctx.state.titles.push(String(title));`,
    );
    const { said } = await tried(source, { attacks, options: { generatedCases: 0 } });
    assert.deepEqual([said.verdict, said.figures?.["kept"]], ["fail", 1], said.reason);
    assert.match(said.reason, /after add\("one"\) and 1 more/);
    assert.equal(attacks.of("desk")[0]?.felled, 2);
  });

  it("says what it has when it is ended", async () => {
    const attacks = await freshAttacks();
    const { said } = await tried(changed(DESK, "levels++", "levels += 1"), { attacks, signal: AbortSignal.abort() });
    assert.deepEqual([said.verdict, said.code], ["inconclusive", "EVOLUTION_BUDGET_OVER"]);
  });

  it("fails a candidate that cannot take the state over", async () => {
    const { said } = await tried(changed(DESK, "version: 1", "version: 2"));
    assert.deepEqual([said.verdict, said.code], ["fail", "EVOLUTION_MIGRATE_FAILED"]);
  });
});

describe("an answer that differs", () => {
  it("is counted and shown, and fails nobody by itself", async () => {
    const { said } = await tried(changed(DESK, IN_SEARCH, 'if (typeof text !== "string") return ["no text"];'));
    assert.equal(said.verdict, "pass", said.reason);
    assert.ok((said.figures?.["otherwise"] ?? 0) > 0);
    assert.match(said.reason, /; \d+ are answered otherwise than the running version answers them \(search\(/);
  });

  it("is looked into at once: a state that is damaged fails, though a later message mends it", async () => {
    const damage = `if (text === null) { (ctx.state as any).titles = null; return ["no text"]; } ${IN_SEARCH}`;
    const mends = "ctx.state.tags += 1; (ctx.state as any).titles ??= [];";
    const { said, attacks } = await tried(changed(changed(DESK, IN_SEARCH, damage), "ctx.state.tags += 1;", mends));
    assert.deepEqual([said.verdict, said.code], ["fail", "EVOLUTION_ATTACK_SUCCEEDED"], said.reason);
    assert.match(said.reason, /it no longer answers (add|list|search) after search\(/);
    assert.ok(attacks.of("desk").every(({ messages }) => messages.length === 1));
  });
});

describe("what the running version does not stand either", () => {
  const weak = changed(DESK, IN_SEARCH, `${IN_SEARCH} if (text === "") ${FOREVER}`);

  it("fails no candidate, and is not kept", async (t) => {
    const own = await withRuntime(t);
    await desk(own, weak);
    const attacks = await Attacks.open(own);
    await attacks.add("desk", {
      messages: [{ kind: "call", method: "search", text: '""' }],
      found: { timeMs: 1, what: "an empty text" },
    });
    const source = changed(weak, "levels++", "levels += 1");
    const said = await saidOf(adversaryStage, { runtime: own, agent: "desk", source, seed: SEED, attacks });
    assert.equal(said.verdict, "pass", said.reason);
    assert.equal(said.figures?.["kept"], 1);
    assert.equal(attacks.of("desk")[0]?.felled, 1);
  });
});

describe("the ratchet", () => {
  const hangs = changed(DESK, IN_SEARCH, `${IN_SEARCH} if (text === "") ${FOREVER}`);

  it("holds across runs: found in one, it fails the next candidate in another", async (t) => {
    const vault = join(tempFolder(t), "vault");
    {
      await using first = await Runtime.open({ vault });
      await desk(first);
      assert.equal(
        (await saidOf(adversaryStage, { runtime: first, agent: "desk", source: hangs, seed: SEED })).verdict,
        "fail",
      );
    }
    await using second = await Runtime.open({ vault });
    await second.spawn({ id: "desk", source: DESK, limits: LIMITS });
    const attacks = await Attacks.open(second);
    assert.ok(
      textsOf(attacks).some(([text]) => text === 'search("")'),
      JSON.stringify(textsOf(attacks)),
    );
    const other = changed(hangs, "levels++", "levels += 1");
    const options = { generatedCases: 0 };
    const said = await saidOf(adversaryStage, { runtime: second, agent: "desk", source: other, options, attacks });
    assert.deepEqual([said.verdict, said.code], ["fail", "EVOLUTION_ATTACK_SUCCEEDED"], said.reason);
    assert.ok(attacks.of("desk").some(({ felled }) => felled === 2));
  });

  it("holds for two arbiters: what the first one found, the second one tries", async (t) => {
    const vault = join(tempFolder(t), "vault");
    const stages = [compileStage, smokeStage, adversaryStage];
    const verdicts: (string | undefined)[] = [];
    for (const [source, options] of [
      [hangs, {}],
      [changed(hangs, "return levels;", "return levels + 0;"), { generatedCases: 0 }],
    ] as const) {
      await using own = await Runtime.open({ vault });
      if (verdicts.length === 0) await desk(own);
      else await own.spawn({ id: "desk", source: DESK, limits: LIMITS });
      await using arbiter = await Arbiter.start(own, { seed: SEED, ...options }, stages);
      const { code, reason } = await arbiter.propose({ agent: "desk", source });
      verdicts.push(code);
      assert.match(reason, /^adversary: it does not end after search\(""\)/);
    }
    assert.deepEqual(verdicts, ["EVOLUTION_ATTACK_SUCCEEDED", "EVOLUTION_ATTACK_SUCCEEDED"]);
  });
});

describe("a cell that is killed under an adversary", () => {
  it("is no attack that succeeded", async (t) => {
    const own = await withRuntime(t);
    await desk(own);
    const attacks = await Attacks.open(own);
    const source = changed(DESK, "levels++", "levels += 1");
    const said = await saidUnderKill(adversaryStage, { runtime: own, agent: "desk", source, seed: SEED, attacks });
    assert.equal(said.verdict, "pass", said.reason);
    assert.ok(said.killed > 0);
    assert.deepEqual(attacks.of("desk"), []);
  });
});
