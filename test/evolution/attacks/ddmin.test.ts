/** Delta debugging: what is left is small, true and found within its bound. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ddmin, Tries } from "../../../evolution/attacks/ddmin.ts";
import { seededRandom } from "../../../runtime/index.ts";

const SEED = Number(process.env["SEED"] ?? 7);
const letters = (text: string): readonly string[] => text.split("");

/** Makes `text` smaller as long as all of `needed` are in it, in their order. */
async function made(text: string, needed: string, triesMax = 1_000) {
  const asked: string[] = [];
  const does = (items: readonly string[]): boolean => {
    asked.push(items.join(""));
    let at = 0;
    for (const item of items) if (item === needed[at]) at += 1;
    return at === needed.length;
  };
  const tries = new Tries<readonly string[]>({ triesMax, first: async (all) => all.findIndex(does) });
  return { small: (await ddmin(letters(text), tries)).join(""), asked, spent: tries.spent };
}

describe(`delta debugging (seed ${SEED})`, () => {
  it("leaves what is needed and nothing else, wherever it stands", async () => {
    const random = seededRandom(SEED);
    for (let round = 0; round < 50; round++) {
      const items = letters("abcdefghijklmnopqrst");
      const needed = items.filter(() => random.next32() % 5 === 0).join("") || "k";
      assert.equal((await made(items.join(""), needed)).small, needed);
    }
  });

  it("finds one of twenty in a few tries, and asks the same each time", async () => {
    const { small, asked, spent } = await made("abcdefghijklmnopqrst", "q");
    assert.equal(small, "q");
    assert.ok(spent <= 10, String(spent));
    assert.deepEqual((await made("abcdefghijklmnopqrst", "q")).asked, asked);
  });

  it("leaves a list of one as it is without asking, and one of which all is needed", async () => {
    assert.deepEqual(await made("a", "a"), { small: "a", asked: [], spent: 0 });
    assert.equal((await made("abc", "abc")).small, "abc");
  });

  it("ends with what it has after as many tries as it may make", async () => {
    for (const triesMax of [0, 1, 5]) {
      const { small, asked, spent } = await made("abcdefghijklmnopqrst", "afkpt", triesMax);
      assert.ok(asked.length <= triesMax && spent <= triesMax);
      assert.ok(["abcdefghijklmnopqrst".length, 19, 15].includes(small.length), small);
    }
  });
});
