/**
 * Candidates that must not be promoted, by family: each fault in many strengths, from one that every turn shows to one that a
 * few thousand turns hide. Chance inside a fault belongs to what was asked and to the candidate's salt: it repeats exactly.
 */
import type { Candidate, Family } from "./candidate.ts";
import { championSource, edited, salted, wrapped } from "./champion.ts";
import type { Wrapping } from "./champion.ts";

/** A kind of fault at one strength; `salt` makes another candidate of the same kind. */
interface Recipe {
  readonly family: Family;
  readonly what: string;
  source(salt: string): string;
}

/** Shares of turns that rare faults hit. */
const RATES = [0.005, 0.01, 0.02, 0.05];
/** Messages after which late faults begin. */
const LATER = [30, 120, 400, 900];
/** How many times the work slow candidates do. */
const SLOWNESS = [1.5, 2, 3, 8];

/** `count` faulty candidates, the families in turns. */
export function faultyCandidates(count: number, seed: number): readonly Candidate[] {
  const kinds = byFamily([
    ...broken(),
    ...slow(),
    ...leaks(),
    ...hangs(),
    ...corrupters(),
    ...rare(),
    ...late(),
    ...forgetful(),
  ]);
  return Array.from({ length: count }, (_, index) => {
    const recipes = kinds[index % kinds.length] ?? [];
    const round = Math.floor(index / kinds.length);
    const recipe = recipes[round % recipes.length];
    if (recipe === undefined) throw new Error("a family without a recipe");
    const salt = `${seed}-${index}`;
    const { family, what } = recipe;
    return { id: `bad-${index}`, family, what, isGood: false, source: salted(recipe.source(salt), salt) };
  });
}

function byFamily(recipes: readonly Recipe[]): readonly (readonly Recipe[])[] {
  return [...Map.groupBy(recipes, ({ family }) => family).values()];
}

function recipe(family: Family, what: string, wrapping: (salt: string) => Wrapping): Recipe {
  return { family, what, source: (salt) => wrapped(wrapping(salt)) };
}

/** True in a share of all turns: a piece of guest code. */
function chance(rate: number, salt: string): string {
  return `shareOf(method + JSON.stringify(arg) + ${JSON.stringify(salt)}) < ${rate}`;
}

const WRONG = `reply = method === "route" ? { ...reply, mark: reply.mark + 1 } : null;`;

function broken(): Recipe[] {
  const texts: readonly (readonly [string, () => string])[] = [
    ["a bracket is missing", () => championSource.replace("const OPEN_MAX = 60;", "const OPEN_MAX = (60;")],
    ["lacks a method", () => edited(["figures: {", "numbers: {"])],
    ["exports nothing", () => championSource.replace("export default agent({", "agent({")],
    ["throws as it loads", () => `${championSource}\nthrow new Error("not today");\n`],
    ["never ends to load", () => `${championSource}\nfor (;;);\n`],
    ["uses eval", () => `${championSource}\nexport const seven = () => eval("3 + 4");\n`],
    ["changes a built-in", () => `${championSource}\nArray.prototype.push = function push() { return 0; };\n`],
    ["a migration that throws", () => edited(["version: 1,", "version: 2,\n  migrate() { throw new Error('no'); },"])],
    [
      "a migration that loses everything",
      () =>
        edited(["version: 1,", "version: 2,\n  migrate() { return { open: [], seen: {}, opened: 0, closed: 0 }; },"]),
    ],
  ];
  return texts.map(([what, text]) => ({ family: "broken" as const, what, source: () => text() }));
}

function slow(): Recipe[] {
  return SLOWNESS.map((times) => ({
    family: "slow" as const,
    what: `${times} times the work`,
    source: () =>
      edited([
        "return mark;",
        `let more = mark;
  for (let round = 0; round < ${Math.round(300 * (times - 1))}; round++) {
    for (let index = 0; index < text.length; index++) more = (more * 31 + text.charCodeAt(index)) % 65_536;
  }
  return more < 0 ? more : mark;`,
      ]),
  }));
}

function leaks(): Recipe[] {
  return [
    recipe("leak", "100 KB of heap each turn", () => ({
      module: "const kept = [];",
      after: `kept.push(new Array(12_500).fill(kept.length + 0.5));`,
    })),
    recipe("leak", "20 KB of heap each turn", () => ({
      module: "const kept = [];",
      after: `kept.push(new Array(2_500).fill(kept.length + 0.5));`,
    })),
    recipe("leak", "1 KB of state each turn that writes", () => ({
      isWriting: true,
      after: `(ctx.state.log ??= []).push("x".repeat(1_000));`,
    })),
  ];
}

function hangs(): Recipe[] {
  return [...RATES.slice(1), 0.3].map((rate) =>
    recipe("hang", `never ends in ${rate * 100} % of all turns`, (salt) => ({
      before: `if (${chance(rate, salt)}) for (;;);`,
    })),
  );
}

function corrupters(): Recipe[] {
  return [
    ...RATES.slice(1).map((rate) =>
      recipe("corrupts state", `forgets a ticket in ${rate * 100} % of the turns that write`, (salt) => ({
        isWriting: true,
        after: `if (${chance(rate, salt)}) ctx.state.open.shift();`,
      })),
    ),
    recipe("corrupts state", "counts a customer twice now and then", (salt) => ({
      isWriting: true,
      after: `if (method === "open" && ${chance(0.03, salt)}) ctx.state.seen[arg.customer] += 1;`,
    })),
    recipe("corrupts state", "writes a NaN for a total", (salt) => ({
      isWriting: true,
      after: `if (${chance(0.02, salt)}) ctx.state.closed = Number.NaN;`,
    })),
  ];
}

function rare(): Recipe[] {
  return RATES.flatMap((rate) => [
    recipe("rare fault", `throws in ${rate * 100} % of all turns`, (salt) => ({
      before: `if (${chance(rate, salt)}) throw new Error("now and then");`,
    })),
    recipe("rare fault", `answers wrongly in ${rate * 100} % of all turns`, (salt) => ({
      after: `if (${chance(rate, salt)}) ${WRONG}`,
    })),
  ]);
}

function late(): Recipe[] {
  return LATER.map((after) =>
    recipe("fault after k messages", `answers wrongly from message ${after} on`, () => ({
      module: "let messages = 0;",
      after: `if (++messages > ${after}) ${WRONG}`,
    })),
  );
}

/** Right as long as the isolate lives that began with this state: what a restart finds is not what was there. */
function forgetful(): Recipe[] {
  return [
    recipe("fault after a restart", "keeps the newest tickets in a variable", () => ({
      module: "let held;",
      isWriting: true,
      before: `if (held !== undefined) ctx.state.open = held;`,
      after: `held = [...ctx.state.open]; ctx.state.open = held.slice(0, -1);\n  if (method === "open") reply = held.length;`,
    })),
    recipe("fault after a restart", "does not know its own second life", () => ({
      module: "let mine;",
      isWriting: true,
      before: `mine ??= ctx.state.lives = (ctx.state.lives ?? 0) + 1;`,
      after: `if (mine > 1) reply = null;`,
    })),
  ];
}
