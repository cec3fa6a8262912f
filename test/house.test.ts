/**
 * Holds the rules of the house by reading the sources. If a rule stops you, change the plan, or change the rule in the
 * same commit with its reason; exceptions stand by name in the rule's own file.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import { callbackRules } from "./house/callbacks.ts";
import { clockRules } from "./house/clock.ts";
import { floorRules } from "./house/floors.ts";
import { houseOf, readHouse } from "./house/house.ts";
import { leakRules } from "./house/leaks.ts";
import { nameRules } from "./house/names.ts";
import { pureRules } from "./house/pure.ts";
import type { Specimen } from "./house/rule.ts";
import { shapeRules } from "./house/shape.ts";
import { wordRules } from "./house/words.ts";

const house = readHouse(join(import.meta.dirname, ".."));
const specimenHouse = ({ files }: Specimen) => houseOf(new Map(Object.entries(files)));

for (const rule of [
  ...floorRules,
  ...clockRules,
  ...pureRules,
  ...nameRules,
  ...shapeRules,
  ...leakRules,
  ...wordRules,
  ...callbackRules,
]) {
  describe(rule.title, () => {
    it(`in this repository, ${rule.title}`, () => {
      const findings = rule.findings(house);
      assert.ok(findings.length === 0, `${findings.length} breaches:\n  ${findings.join("\n  ")}\n`);
    });
    for (const specimen of rule.refuses) {
      it(`refuses ${specimen.shows}`, () => assert.notDeepEqual(rule.findings(specimenHouse(specimen)), []));
    }
    for (const specimen of rule.accepts) {
      it(`accepts ${specimen.shows}`, () => assert.deepEqual(rule.findings(specimenHouse(specimen)), []));
    }
  });
}

describe("reading the house", () => {
  it("finds every floor", () => {
    for (const floor of ["vault/index.ts", "sandbox/index.ts", "runtime/index.ts", "evolution/index.ts"]) {
      assert.ok(house.files.has(floor), `${floor} is missing`);
    }
  });
});
