/** Counters at branches: the program does what it did, and its ways can be told apart. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { runInNewContext } from "node:vm";
import { VERSIONS } from "../../../evolution/experiments/red-blue/texts.ts";
import { branched, waysIn } from "../../../evolution/red-blue/branches.ts";

/** Every form that a branch has, nested where edits meet at one place. */
const FORMS = `
"use strict";
let $b0 = "taken";
function kind(x) {
  "use strict";
  if (x === 0) return typeof this;
  else if (x === 1) for (const y of [1, 2]) if (y > 1) return "loop";
  let z = null;
  z ??= x && (x > 3 ? { z: 1 } : [x]) || x ?? 9;
  switch (x) { case 2: const { a } = { a: 3 }; return a; case 3: case 4: break; default: z = (() => ({ late: x }))(); }
  const f = x > 5 ? (q) => q ? q : 0 : async (q) => { await q; };
  do x--; while (x > 6);
  try { if (x === 6) throw x } catch (e) { z = [z, e] } finally { x = f.length }
  label: { if (z) break label; }
  return JSON.stringify([z, x, (() => { "use strict"; return this; })() === undefined]);
}
result = [0, 1, 2, 3, 4, 5, 6, 7, 8].map((x) => kind.call(undefined, x));
`.replace("(x > 3 ? { z: 1 } : [x]) || x ?? 9", "((x > 3 ? { z: 1 } : [x]) || x)");

interface Ran {
  readonly result: unknown;
  readonly counts: readonly number[];
}

/** Runs a text with counters and without. */
function ran(text: string, name = "counts"): Ran {
  const sandbox: Record<string, unknown> = {};
  runInNewContext(
    `(() => { ${text}\n;globalThis.counts = ${name}; })()`,
    Object.assign(sandbox, { counts: [], result: 0 }),
  );
  // Values of another context have prototypes of their own.
  return JSON.parse(JSON.stringify({ result: sandbox["result"], counts: sandbox["counts"] })) as Ran;
}

describe("a version with counters at its branches", () => {
  it("does what it did before, whatever form its branches have", () => {
    const { code, name, branches } = branched(FORMS);
    const { result, counts } = ran(code, name);
    assert.deepEqual(result, ran(FORMS).result);
    assert.equal(name, "$b1");
    assert.equal(counts.length, branches.length);
    assert.ok(branches.length >= 18, String(branches.length));
  });

  it("tells which ways were taken, and whether once or often", () => {
    const text =
      "function f(x) { if (x > 1) { return 1; } for (let i = 0; i < x * 9; i++); return x || 2; }\nresult = 0;";
    const { code, name, branches } = branched(text);
    const ways = (calls: string) => new Set(waysIn(ran(`${code}\n${calls}`, name).counts, branches));
    const [none, one, two] = [ways("f(0);"), ways("f(1);"), ways("f(2);")];
    assert.deepEqual([none.size, one.size, two.size], [2, 2, 2]);
    assert.equal(new Set([...none, ...one, ...two]).size, 4);
    assert.deepEqual(ways("f(0); f(0); f(0); f(0); f(0);"), ways("f(0); f(0); f(0); f(0);"));
    assert.notDeepEqual(ways("f(0); f(0);"), none);
  });

  it("shares its ways with another version that has the same branch, and tells two branches of one text apart", () => {
    const branchesOf = (text: string) => branched(text).branches;
    const [own, other] = [
      branchesOf('function f(x) { if (x) return "a"; return g(x); }\nfunction g(x) { return x || 1; }'),
      branchesOf('function f(x) { if (x) return "b"; return g(x); }\nfunction g(x) { return x || 1; }'),
    ];
    assert.equal(own.filter((branch) => other.includes(branch)).length, 2);
    assert.equal(new Set(branchesOf("a || 1; b || 1; c || 1;")).size, 3);
    for (const text of VERSIONS) assert.ok(new Set(branchesOf(text)).size > 5);
  });

  it("is left as it is where it does not parse", () => {
    assert.deepEqual(branched("function ("), { code: "const $b0=[];function (", name: "$b0", branches: [] });
  });

  it("tells nothing where it says of its counters what no counters say", () => {
    const { branches } = branched("a || 1; b || 1;");
    for (const counts of [undefined, null, {}, "11", [1], [1, 1, 1], ["1", -1], [0.5, NaN], [Infinity, 0]])
      assert.deepEqual(waysIn(counts, branches), [], JSON.stringify(counts));
    assert.equal(waysIn([1, 1e9], branches).length, 2);
    assert.ok(waysIn([1, 1e9], branches).every((way) => Number.isSafeInteger(way)));
  });
});
