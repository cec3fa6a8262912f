/** How amounts are told. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { counted } from "../../../evolution/command/vault-progress.ts";

it("one is told as one, and many as many", () => {
  const told = ["page", "entry", "branch"].flatMap((noun) => [0, 1, 2].map((count) => counted(count, noun)));
  assert.deepEqual(told, [
    ...["0 pages", "1 page", "2 pages"],
    ...["0 entries", "1 entry", "2 entries"],
    ...["0 branches", "1 branch", "2 branches"],
  ]);
});
