/** Duels with real isolates: what each harm looks like, who survives, and that a run repeats. */
import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { deskOf } from "../../../evolution/experiments/red-blue/play.ts";
import { trafficOf } from "../../../evolution/experiments/red-blue/desk.ts";
import { VERSIONS } from "../../../evolution/experiments/red-blue/texts.ts";
import { openRunner } from "../../../evolution/population/run/runner.ts";
import { testFrom } from "../../../evolution/red-blue/attacker.ts";
import { Bouts, Version } from "../../../evolution/red-blue/bouts.ts";
import type { Defence, Session } from "../../../evolution/red-blue/defence.ts";
import type { DuelOptions } from "../../../evolution/red-blue/duel.ts";
import { duel, FUEL } from "../../../evolution/red-blue/duel.ts";
import type { Success } from "../../../evolution/red-blue/lines.ts";
import { shrunk } from "../../../evolution/red-blue/shrink.ts";
import { PLAIN } from "../../../evolution/red-blue/schedule.ts";

const runner = await openRunner({ workers: 2 });
after(() => runner[Symbol.asyncDispose]());
const signal = new AbortController().signal;

/** Documented: it says every text again, and everything else is "no". */
const echo: Defence = {
  name: "echo",
  versions: [],
  traffic: [[{ message: "hello", at: 0 }]],
  attackers: [],
  words: [],
  expected: (session) => session.map(({ message }) => (typeof message === "string" ? message : "no")),
  isForbidden: (answer) => answer === "secret",
};

async function harmsOf(receive: string, session: Session) {
  const version = new Version(`function start() { return {}; }\nfunction receive(state, message, at) { ${receive} }`);
  const bouts = new Bouts({ defence: echo, runner, fuel: FUEL, signal });
  const honest = testFrom([{ message: "x", at: 5 }])!;
  const hostile = testFrom(session)!;
  // In one run, the hostile one first: nothing it leaves behind may cost the other.
  await bouts.play([version], [hostile, honest]);
  return [version.harm(hostile), version.harm(honest)];
}

const attack: Session = [
  { message: "hi", at: 0 },
  { message: { a: 1 }, at: 1 },
];

describe("a version that is attacked", () => {
  for (const [harm, receive] of [
    [undefined, 'return typeof message === "string" ? message : "no";'],
    ["crash", "return message.trim();"],
    ["fuel", 'while (typeof message !== "string") {} return message;'],
    ["wrong", "return message;"],
    ["forbidden", 'return typeof message === "string" ? message : "secret";'],
    ["pollution", 'if (typeof message !== "string") { ({}).__proto__.seen = at; return "no"; } return message;'],
    ["crash", 'if (typeof message !== "string") { ({}).__proto__.seen = at; throw 1; } return message;'],
  ] as const) {
    it(`by ${receive} comes to ${harm ?? "no harm"}, and to none by an honest session after it`, async () => {
      assert.deepEqual(await harmsOf(receive, attack), [harm, undefined]);
    });
  }

  it("is not asked twice, and each session counts once", async () => {
    const bouts = new Bouts({ defence: echo, runner, fuel: FUEL, signal });
    const version = new Version(VERSIONS[0]!);
    const tests = [testFrom(attack)!];
    await bouts.play([version], tests);
    await bouts.play([version], tests);
    assert.equal(bouts.evaluations, 1);
  });
});

describe("an attacker", () => {
  it("makes the same sessions for the same seeds, and none when it never ends", async () => {
    const bouts = new Bouts({ defence: echo, runner, fuel: FUEL, signal });
    const made = (text: string) => bouts.testsOf({ text, schedule: PLAIN, seeds: [1, 2] });
    const lucky = "function generate(random) { return [random(), random() < 1]; }";
    const [first, second] = await Promise.all([made(lucky), made(lucky)]);
    assert.deepEqual(first, second);
    assert.equal(first.length, 2);
    assert.deepEqual(await made("function generate(random) { for (;;) random(); }"), []);
    assert.deepEqual(await made("const no = 1;"), []);
  });
});

const small = (over: Partial<DuelOptions> = {}): DuelOptions => ({
  defence: deskOf(1),
  runner,
  seed: 3,
  pressure: "evolved",
  evaluations: 100_000,
  rounds: 5,
  signal,
  ...over,
});

describe("a duel", () => {
  it("comes to the same with one worker and with three, and to something else with another seed", async () => {
    const runs = [1, 3].map(async (workers) => {
      await using own = await openRunner({ workers });
      return await duel(small({ runner: own }));
    });
    const [one, three] = await Promise.all(runs);
    assert.equal(one?.hash, three?.hash);
    assert.equal(one?.rounds.length, 5);
    assert.ok((one?.successes.length ?? 0) > 5);
    assert.notEqual((await duel(small({ seed: 4 }))).hash, one?.hash);
    assert.notEqual((await duel(small({ isGuided: true }))).hash, one?.hash);
  });

  it("ends before the round that its budget does not cover", async () => {
    const { evaluations, rounds } = await duel(small({ evaluations: 1_500, rounds: 100 }));
    assert.ok(evaluations < 2_500, String(evaluations));
    assert.ok(rounds.length >= 1 && rounds.length < 10);
  });

  it("is lost by a version that refuses everything, though no attack harms it as badly", async () => {
    const refuses = 'function start() { return 0; }\nfunction receive() { return { kind: "refused" }; }';
    const { champion } = await duel(small({ defence: { ...deskOf(1), versions: [refuses, ...VERSIONS] } }));
    assert.notEqual(champion, refuses);
    const bouts = new Bouts({ defence: deskOf(1), runner, fuel: FUEL, signal });
    assert.equal(await bouts.serves(new Version(refuses)), false);
    assert.equal(await bouts.serves(new Version(champion)), true);
    await assert.rejects(duel(small({ defence: { ...deskOf(1), versions: [refuses] } })), {
      code: "EVOLUTION_SEED_UNFIT",
    });
  });

  it("that is stopped has what its whole rounds found", async () => {
    const stop = new AbortController();
    const onRound = ({ number }: { number: number }): void => void (number === 1 && stop.abort(new Error("enough")));
    const stopped = await duel(small({ signal: stop.signal, onRound }));
    assert.equal(stopped.rounds.length, 2);
    assert.equal(stopped.hash, (await duel(small({ rounds: 2 }))).hash);
    assert.equal((await duel(small({ signal: AbortSignal.abort() }))).champion, VERSIONS[0]);
  });
});

describe("the first versions of the desk", () => {
  it("serve ordinary traffic of any seed, and each falls to something that another one stands", async () => {
    const bouts = new Bouts({ defence: deskOf(1), runner, fuel: FUEL, signal });
    const versions = VERSIONS.map((text) => new Version(text));
    const ordinary = trafficOf(99, 20).map((session) => testFrom(session)!);
    const message = (value: unknown) => testFrom([{ message: value, at: 0 }])!;
    const hostile = [
      message({ author: "__proto__", text: "x" }),
      message({ author: "a", text: "a < b" }),
      message({ author: "a", text: "x".repeat(600) }),
      message({ author: "a", text: "<<" }),
      message({ author: "a", text: "<B>" }),
      message(null),
    ];
    await bouts.play(versions, [...ordinary, ...hostile]);
    for (const version of versions)
      assert.deepEqual(
        ordinary.filter((test) => version.hasFallen(test)),
        [],
      );
    assert.deepEqual(
      versions.map((version) => hostile.map((test) => version.harm(test) ?? "-").join(" ")),
      ["crash - - - forbidden crash", "- fuel wrong fuel - crash", "pollution - - forbidden - -"],
    );
  });
});

describe("an attack that is kept", () => {
  const long: Session = [
    { message: { author: "ann", text: "hello everybody" }, at: 0 },
    { message: { author: "__proto__", text: "what a day" }, at: 4_000 },
    { message: { author: "bob", text: "see you at ten" }, at: 60_000 },
  ];
  const success = async (session: Session, text: string) => {
    const bouts = new Bouts({ defence: deskOf(1), runner, fuel: FUEL, signal });
    const version = new Version(text);
    const test = testFrom(session)!;
    await bouts.play([version], [test]);
    return { test, harm: version.harm(test)!, felled: text, round: 0 };
  };
  const options = { defence: deskOf(1), runner, fuel: FUEL, signal };

  it("is the fewest messages and the simplest values that do the same to the same versions", async () => {
    const { successes, tries } = await shrunk([await success(long, VERSIONS[0]!)], options);
    const [{ test, harm }] = successes as [Success];
    const text = textIn(test.session);
    assert.deepEqual([test.session, harm], [[{ message: { author: "__proto__", text }, at: 0 }], "crash"]);
    assert.equal(text.length, 1);
    assert.ok(tries > 5 && tries <= 200, String(tries));
    // Others that become the same are one with it.
    const twice = [await success(long, VERSIONS[0]!), await success(long.slice(0, 2), VERSIONS[0]!)];
    assert.equal((await shrunk(twice, options)).successes.length, 1);
  });

  it("stays another one than what brings the same version down elsewhere", async () => {
    const both = [await success(long, VERSIONS[0]!), await success([{ message: null, at: 5 }], VERSIONS[0]!)];
    const { successes } = await shrunk(both, options);
    assert.deepEqual(
      successes.map(({ test: { session } }) => JSON.stringify(session).includes("__proto__")),
      [true, false],
    );
    assert.deepEqual((await shrunk(both, options)).successes, successes);
  });

  function textIn(session: Session): string {
    const message = session[0]?.message as { readonly text?: unknown } | undefined;
    return String(message?.text);
  }
});
