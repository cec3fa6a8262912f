/** Specs and rules that make no sense are refused with OTP's names and the offending value. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  checkChildSpec,
  checkChildSpecs,
  checkFlags,
  isAutoShutdown,
} from "../../../runtime/supervision/child-spec.ts";
import type { CheckRules } from "../../../runtime/supervision/child-spec.ts";
import type { Refusal } from "../../../runtime/supervision/contract.ts";

const otp: CheckRules = { strategy: "one_for_one", autoShutdown: "any_significant" };
const never: CheckRules = { strategy: "one_for_one", autoShutdown: "never" };
const elixir: CheckRules = { strategy: "dynamic", autoShutdown: "never" };
const child = { id: "a", start: "code" };
const seconds = { unitMs: 1_000, periodDefault: 5 };

const badChildren: readonly (readonly [shows: string, input: unknown, rules: CheckRules, Refusal, value: unknown])[] = [
  ["a text", "a", otp, "invalid_child_spec", "a"],
  ["a list", [1], otp, "invalid_child_spec", [1]],
  ["nothing", null, otp, "invalid_child_spec", null],
  ["no id", { start: 1 }, otp, "missing_id", { start: 1 }],
  ["no start", { id: "a" }, otp, "missing_start", { id: "a" }],
  ["an unknown restart type", { ...child, restart: "often" }, otp, "invalid_restart_type", "often"],
  ["no restart type at all", { ...child, restart: null }, otp, "invalid_restart_type", null],
  ["an unknown type", { ...child, type: "boss" }, otp, "invalid_child_type", "boss"],
  ["a negative shutdown time", { ...child, shutdown: -1 }, otp, "invalid_shutdown", -1],
  ["half a millisecond", { ...child, shutdown: 0.5 }, otp, "invalid_shutdown", 0.5],
  ["an unknown shutdown", { ...child, shutdown: "soon" }, otp, "invalid_shutdown", "soon"],
  ["a significance that is none", { ...child, significant: "very" }, otp, "invalid_significant", "very"],
  [
    "a significant permanent child",
    { ...child, significant: true },
    otp,
    "bad_combination",
    { restart: "permanent", significant: true },
  ],
  [
    "a significant child without automatic shutdown",
    { ...child, restart: "transient", significant: true },
    never,
    "bad_combination",
    { auto_shutdown: "never", significant: true },
  ],
  ["a dynamic child without an id", { start: 1 }, elixir, "invalid_child_spec", { start: 1 }],
  ["a dynamic child without time to shut down", { ...child, shutdown: 0 }, elixir, "invalid_shutdown", 0],
];

const badFlags: readonly (readonly [shows: string, input: object, Refusal, value: unknown])[] = [
  ["an unknown strategy", { strategy: "all" }, "invalid_strategy", "all"],
  ["a negative intensity", { intensity: -1 }, "invalid_intensity", -1],
  ["an intensity that is no number", { intensity: "3" }, "invalid_intensity", "3"],
  ["no period", { period: 0 }, "invalid_period", 0],
  ["half a second", { period: 0.5 }, "invalid_period", 0.5],
  ["an unknown automatic shutdown", { autoShutdown: "maybe" }, "invalid_auto_shutdown", "maybe"],
  ["a negative limit of children", { strategy: "dynamic", maxChildren: -1 }, "invalid_max_children", -1],
];

describe("a child spec", () => {
  for (const [shows, input, rules, error, value] of badChildren) {
    it(`with ${shows} is refused: ${error}`, () => {
      const refused = checkChildSpec(input, rules);
      assert.ok(refused.type === "refused");
      assert.deepEqual([refused.error, refused.value], [error, value]);
    });
  }

  it("gets OTP's defaults: permanent, worker, 5 s; a supervisor has all the time it needs", () => {
    const rest = { restart: "permanent", significant: false, start: "code" };
    const good = checkChildSpec(child, otp);
    assert.deepEqual(good, { type: "good", value: { id: "a", ...rest, shutdown: 5_000, type: "worker" } });
    const sup = checkChildSpec({ ...child, type: "supervisor" }, otp);
    assert.deepEqual(sup, { type: "good", value: { id: "a", ...rest, shutdown: "infinity", type: "supervisor" } });
  });

  it("may be significant where nobody said for which supervisor it is", () => {
    const spec = { ...child, restart: "transient", significant: true };
    assert.equal(checkChildSpec(spec, { strategy: "one_for_one", autoShutdown: undefined }).type, "good");
  });

  it("of a dynamic supervisor is never significant", () => {
    const checked = checkChildSpec({ ...child, significant: true }, elixir);
    assert.ok(checked.type === "good" && !checked.value.significant);
  });
});

describe("a list of child specs", () => {
  it("is refused when it is no list, when an id is there twice, and with its first bad spec", () => {
    const bad = (input: unknown) => {
      const checked = checkChildSpecs(input, otp);
      return checked.type === "refused" ? [checked.error, checked.value] : undefined;
    };
    assert.deepEqual(bad({}), ["badarg", {}]);
    assert.deepEqual(bad([child, child]), ["duplicate_child_name", "a"]);
    assert.deepEqual(bad([child, { ...child, restart: 1 }, child]), ["invalid_restart_type", 1]);
    assert.equal(bad([child, { ...child, id: "b" }]), undefined);
  });
});

describe("a supervisor's rules", () => {
  for (const [shows, input, error, value] of badFlags) {
    it(`with ${shows} are refused: ${error}`, () => {
      assert.deepEqual(checkFlags(input, seconds), { type: "refused", error, value });
    });
  }

  it("are OTP's by default, and Elixir's for a dynamic supervisor", () => {
    const good = {
      strategy: "one_for_one",
      intensity: 1,
      periodMs: 5_000,
      autoShutdown: "never",
      maxChildren: "infinity",
    };
    assert.deepEqual(checkFlags({}, seconds), { type: "good", value: good });
    const dynamic = { ...good, strategy: "dynamic", intensity: 3 };
    assert.deepEqual(checkFlags({ strategy: "dynamic" }, seconds), { type: "good", value: dynamic });
  });

  it("name three kinds of automatic shutdown", () => {
    const known = ["never", "any_significant", "all_significant", "always", undefined].filter(isAutoShutdown);
    assert.deepEqual(known, ["never", "any_significant", "all_significant"]);
  });
});
