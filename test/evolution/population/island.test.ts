/** Who becomes a parent and who stays, rule by rule; who travels, and which island starts again. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Mutator } from "../../../evolution/mutation/mutator.ts";
import type { IslandRule, Member } from "../../../evolution/population/island.ts";
import { parentChooser, ranking, survivors } from "../../../evolution/population/island.ts";
import { migrants, restarted } from "../../../evolution/population/migration.ts";
import { seededRandom } from "../../../runtime/random.ts";
import { Search } from "../../../evolution/population/search.ts";
import { someone } from "./someone.ts";

const RULES: readonly IslandRule[] = ["greedy", "lexicase", "novelty", "crossover"];
const CASES = [0, 1, 2, 3];

/** Members with four scores each, by chance. */
function crowd(count: number, seed: number): readonly Member[] {
  const random = seededRandom(seed);
  return Array.from({ length: count }, (_, index) => {
    const scores = CASES.map(() => (random.next32() % 5) / 4);
    return { individual: someone(`program ${index}`, scores) };
  });
}

describe("who stays", () => {
  for (const rule of RULES) {
    it(`${rule}: never more than there is room for, each once, the best among them`, () => {
      for (let seed = 1; seed <= 20; seed++) {
        const everybody = crowd(30, seed);
        const staying = survivors({ rule, cases: CASES }, everybody, 8, seededRandom(seed));
        assert.equal(staying.length, 8, `seed ${seed}`);
        assert.equal(new Set(staying).size, 8, `seed ${seed}`);
        assert.ok(staying.includes(ranking(everybody)[0] as Member), `seed ${seed}`); // thirty have a first
      }
    });
  }

  it("of those that behave the same the shortest stays, and the newest of the shortest", () => {
    const signature = "same";
    const members = ["long text", "short", "other"].map((text) => ({ individual: someone(text, [1], { signature }) }));
    const staying = survivors({ rule: "greedy", cases: [0] }, members, 5, seededRandom(1));
    assert.deepEqual(
      staying.map(({ individual }) => individual.text),
      ["other"],
    );
  });

  it("lexicase keeps a specialist that greed drops", () => {
    const good = [1, 2, 3].map((index) => ({ individual: someone(`good ${index}`, [0.9, 0.9, 0.9, 0]) }));
    const specialist = { individual: someone("specialist", [0, 0, 0, 1]) };
    const everybody = [...good, specialist];
    assert.ok(!survivors({ rule: "greedy", cases: CASES }, everybody, 3, seededRandom(1)).includes(specialist));
    const kept = [1, 2, 3, 4, 5].map((seed) =>
      survivors({ rule: "lexicase", cases: CASES }, everybody, 3, seededRandom(seed)).includes(specialist),
    );
    assert.ok(kept.filter(Boolean).length >= 3);
  });

  it("novelty keeps the one that is unlike all others", () => {
    const alike = [0, 1, 2, 3, 4].map((index) => ({
      individual: someone(`alike ${index}`, [1, 1, 0.5, 0.01 * index]),
    }));
    const unlike = { individual: someone("unlike", [0, 0, 0, 1]) };
    assert.ok(survivors({ rule: "novelty", cases: CASES }, [unlike, ...alike], 4, seededRandom(1)).includes(unlike));
  });
});

describe("who becomes a parent", () => {
  for (const rule of RULES) {
    it(`${rule}: one of the members or of the archive, the same for the same seed`, () => {
      const members = crowd(10, 3);
      const elites = [someone("elite", [1, 1, 1, 1])];
      const choose = parentChooser({ rule, members, elites, cases: CASES, childrenOf: () => 0 });
      const all = new Set([...members.map(({ individual }) => individual.id), ...elites.map(({ id }) => id)]);
      for (let seed = 1; seed <= 50; seed++) {
        const { id } = choose(seededRandom(seed));
        assert.ok(all.has(id));
        assert.equal(choose(seededRandom(seed)).id, id);
      }
    });
  }

  it("greedy: the better more often, and who has many children less often", () => {
    const members = [0.2, 0.5, 0.9].map((score) => ({ individual: someone(`score ${score}`, [score]) }));
    const count = (childrenOf: (id: string) => number): number => {
      const choose = parentChooser({ rule: "greedy", members, elites: [], cases: [0], childrenOf });
      const best = members.at(-1)?.individual.id;
      return Array.from({ length: 300 }, (_, seed) => choose(seededRandom(seed)).id).filter((id) => id === best).length;
    };
    const childless = count(() => 0);
    assert.ok(childless > 150, `${childless} of 300`);
    const fertile = count((id) => (id === members.at(-1)?.individual.id ? 20 : 0));
    assert.ok(fertile < childless / 3, `${fertile} of 300`);
  });

  it("an island without members has no parents", () => {
    const empty = { rule: "greedy", members: [], elites: [], cases: [], childrenOf: () => 0 } as const;
    assert.throws(() => parentChooser(empty), RangeError);
  });
});

describe("between islands", () => {
  const islands = [0, 1, 2, 3].map((island) =>
    [1, 2, 3].map((rank) => ({ individual: someone(`island ${island}, ${rank}`, [island / 10 + rank / 100]) })),
  );

  it("the best travels to the next island of the ring, marked as a copy", () => {
    const arriving = migrants(islands).map((came) =>
      came.map(({ individual, copiedFrom }) => [individual.text, copiedFrom]),
    );
    assert.deepEqual(arriving, [
      [["island 3, 3", 3]],
      [["island 0, 3", 0]],
      [["island 1, 3", 1]],
      [["island 2, 3", 2]],
    ]);
  });

  it("nobody travels to where it is, and an island alone has no ring", () => {
    const twins = [islands[0] ?? [], islands[0] ?? []];
    assert.deepEqual(migrants(twins), [[], []]);
    assert.deepEqual(migrants([islands[0] ?? []]), [[]]);
  });

  it("the worse half starts again from the best of the better half", () => {
    const next = restarted(islands, seededRandom(5));
    assert.deepEqual(next.restarted, [0, 1]);
    for (const island of next.restarted) {
      const [founder, ...others] = next.islands[island] ?? [];
      assert.match(founder?.individual.text ?? "", /^island [23], 3$/);
      assert.ok((founder?.copiedFrom ?? 0) >= 2);
      assert.deepEqual(others, []);
    }
    assert.deepEqual(next.islands.slice(2), islands.slice(2));
  });
});

describe("slots of a generation", () => {
  const problem = { name: "shares", seeds: ["seed"], entry: "f", cases: [{ id: "one", args: [] }], score: () => 0 };
  const mutator: Mutator = { id: "any", kind: "ast", async *propose() {} };
  const drawn = { refused: {}, count: 1, usd: 0, tokens: 0 };
  const settings = { problem, mutators: [mutator], islands: 3, populationPerIsland: 8, seed: 1 };

  /** Slots of each island, generation by generation, where the best of these islands rises with each child. */
  const sharesWhere = (isRising: (island: number) => boolean, generations: number): readonly (readonly number[])[] => {
    const search = new Search({ ...settings, rules: ["greedy"] });
    search.seeded([someone("seed", [0.1])]);
    return Array.from({ length: generations }, (_, generation) => {
      const slots = search.plan();
      search.commit(
        slots.map((slot) => {
          const score = isRising(slot.island) ? 0.1 + (generation + 1) / 100 : 0.05;
          return { slot, drawn, child: someone(`${generation} ${slot.number}`, [score]) };
        }),
      );
      return [0, 1, 2].map((island) => slots.filter((slot) => slot.island === island).length);
    });
  };

  it("are as many for each island while none is better than another", () => {
    for (const shares of sharesWhere(() => false, 5)) assert.deepEqual(shares, [8, 8, 8]);
  });

  it("go where the best rises, and nobody is left without any for long", () => {
    const all = sharesWhere((island) => island === 1, 20);
    const [rest = 0, rising = 0, other = 0] = [0, 1, 2].map((island) =>
      all.slice(1).reduce((sum, shares) => sum + (shares[island] ?? 0), 0),
    );
    assert.ok(rising > 4 * rest && rising > 4 * other, `${rest}, ${rising}, ${other}`);
    assert.ok(rest >= 19 * 2 && other >= 19 * 2, `${rest}, ${rising}, ${other}`);
  });
});
