/** Candidates that may be promoted: equal ones, better judges, and ones that need less CPU. */
import type { Candidate, Family } from "./candidate.ts";
import { edited } from "./champion.ts";

/** Share of tickets routed by the better rule, for a gain of so many points: the rule is right for 91.6 % instead of 75.4 %. */
const FULL_GAIN = 0.916 - 0.754;

interface Recipe {
  readonly family: Family;
  readonly what: string;
  source(salt: number): string;
}

const recipes: readonly Recipe[] = [
  {
    family: "gains 5 points",
    what: "routes three tickets of ten by their history, too",
    source: (salt) => judging(0.05 / FULL_GAIN, salt),
  },
  { family: "equal", what: "says the same in other words", source: (salt) => renamed(salt) },
  {
    family: "gains 2 points",
    what: "routes an eighth of all tickets by their history, too",
    source: (salt) => judging(0.02 / FULL_GAIN, salt),
  },
  { family: "a fifth less CPU", what: "marks tickets in a way that costs less", source: (salt) => faster(salt) },
];

/** `count` good candidates, the families in turns. */
export function goodCandidates(count: number): readonly Candidate[] {
  return Array.from({ length: count }, (_, index) => {
    const recipe = recipes[index % recipes.length] as Recipe; // the list is not empty
    const { family, what } = recipe;
    return { id: `good-${index}`, family, what, isGood: true, source: recipe.source(index) };
  });
}

/** Another share of tickets each time, chosen by their ids. */
function judging(quota: number, salt: number): string {
  return edited(
    [
      'if (ticket.urgency > 0.6) return "now";',
      `let chosen = ${salt};
  for (let index = 0; index < ticket.id.length; index++) chosen = (chosen * 31 + ticket.id.charCodeAt(index)) % 9_973;
  const score = chosen < 9_973 * ${quota} ? 0.7 * ticket.urgency + 0.3 * ticket.history : ticket.urgency;
  if (score > 0.6) return "now";`,
    ],
    ['if (ticket.urgency > 0.3) return "later";', 'if (score > 0.3) return "later";'],
  );
}

function renamed(salt: number): string {
  return edited(
    ["if (index < 0) return false;", `const isThere${salt} = index >= 0;\n      if (!isThere${salt}) return false;`],
    ["ctx.state.opened += 1;", "ctx.state.opened = ctx.state.opened + 1;"],
  );
}

/** The same mark: nine rounds of ten are done at once each, since a round is one multiplication and one addition in all. */
function faster(salt: number): string {
  return edited(
    [
      "let mark = 7;",
      `let times = 1;
  let plus = 0;
  for (let index = 0; index < text.length; index++) {
    times = (times * 31) % 65_536;
    plus = (plus * 31 + text.charCodeAt(index)) % 65_536;
  }
  let mark = 7 + ${salt} - ${salt};
  for (let round = 0; round < ROUNDS - 30; round++) mark = (mark * times + plus) % 65_536;`,
    ],
    ["for (let round = 0; round < ROUNDS; round++) {", "for (let round = ROUNDS - 30; round < ROUNDS; round++) {"],
  );
}
