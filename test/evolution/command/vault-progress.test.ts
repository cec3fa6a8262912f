/** How amounts are told. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { counted } from "../../../evolution/command/vault-progress.ts";

const AMOUNTS: readonly (readonly [string, number, string])[] = [
  ["page", 0, "0 pages"],
  ["page", 1, "1 page"],
  ["page", 2, "2 pages"],
  ["entry", 1, "1 entry"],
  ["entry", 2, "2 entries"],
  ["branch", 1, "1 branch"],
  ["branch", 2, "2 branches"],
];

describe("an amount is told with its noun", () => {
  for (const [noun, count, text] of AMOUNTS) it(text, () => assert.equal(counted(count, noun), text));
});
