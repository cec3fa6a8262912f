/** median.ts: a median with two bugs. Which changes mend it? */
import type { Problem } from "planaria/evolution";

const answers: Readonly<Record<string, number>> = {
  "5": 5,
  "1,9,2": 2,
  "4,1": 2.5,
  "10,9,100,1,2": 9,
  "9,7,1,3": 5,
  "1,2,10,20,30,40": 15,
  "8,6,7": 7,
  "60,1,50,2,3,4": 3.5,
};
const cases = Object.keys(answers).map((id) => ({ id, args: [id.split(",").map(Number)] }));

const seed = `function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length % 2 === 0) return sorted[middle];
  return (sorted[middle - 1] - sorted[middle]) / 2;
}
`;

export default {
  name: "median",
  seeds: [seed],
  entry: "median",
  cases: cases.slice(0, 6),
  held: cases.slice(6), // asked once, at the end: the search does not see them
  score: ({ id }, outcome) => (outcome.kind === "returned" && outcome.value === answers[id] ? 1 : 0),
} satisfies Problem;
