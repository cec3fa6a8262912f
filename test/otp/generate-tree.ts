/**
 * Random supervision trees: every strategy, restart and shutdown kind, significant children, scripts that fail to start.
 *
 * A child that hangs in its hook has a shutdown time of a few real milliseconds and is never waited for without end.
 */
import type { Chance } from "../support/chance.ts";
import type { Script } from "./case.ts";
import { damagedSpec, likely, oneOf } from "./weighted.ts";

const CHILDREN_MAX = 4;
const DEPTH_MAX = 3;

/** What a generated tree may hold. */
export interface TreeRules {
  readonly chance: Chance;
  /** Whether supervisors of strategy "dynamic" can be compared here. */
  readonly hasDynamic: boolean;
}

/** A root with its tree. */
export function randomRoot(rules: TreeRules): Script {
  const { chance } = rules;
  const root = randomSupervisor(rules, { id: "root", depth: 0 });
  // A root that gives up at the first crash ends the case: most have some patience.
  return chance.oneIn(4) ? root : { ...root, intensity: 2 + chance.below(4) };
}

/** A supervisor with its children; `depth` 0 is the root. */
export function randomSupervisor(
  rules: TreeRules,
  { id, depth }: { readonly id: string; readonly depth: number },
): Script {
  const { chance, hasDynamic } = rules;
  const strategy = oneOf(chance, [
    [5, "one_for_one"],
    [5, "one_for_all"],
    [5, "rest_for_one"],
    [3, "simple_one_for_one"],
    [hasDynamic ? 3 : 0, "dynamic"],
    [1, undefined],
  ]);
  const isDynamic = strategy === "dynamic";
  const flags: Script = {
    id,
    type: "supervisor",
    ...(strategy === undefined ? {} : { strategy }),
    ...(chance.oneIn(4) ? {} : { intensity: chance.below(6) }),
    ...(chance.oneIn(4) ? {} : { period: 1 + chance.below(10) }),
    ...(!isDynamic && chance.oneIn(3) ? { auto_shutdown: chance.of(["any_significant", "all_significant"]) } : {}),
    ...(isDynamic && chance.oneIn(2) ? { max_children: chance.below(4) } : {}),
  };
  const damaged = chance.oneIn(120) ? { ...flags, ...badFlag(chance, isDynamic) } : flags;
  if (isDynamic) return damaged;
  if (strategy === "simple_one_for_one") return { ...damaged, ...randomTemplate(rules, { depth, flags }) };
  return { ...damaged, children: randomChildren(rules, { depth, flags }) };
}

function randomTemplate(rules: TreeRules, { depth, flags }: { depth: number; flags: Script }): Script {
  const { chance } = rules;
  if (chance.oneIn(200)) return {};
  const child = randomChild(rules, { id: "t", depth, flags });
  const template = chance.oneIn(60) ? damagedSpec(chance, child) : child;
  const { start } = template;
  return { template: Array.isArray(start) ? { ...template, start: withoutLaterIgnore(start) } : template };
}

/**
 * OTP 25 keeps a child of simple_one_for_one whose restart answered `ignore` under the key `undefined`, and then crashes in
 * terminate_dynamic_children, which knows no such key. There is nothing to compare with.
 */
export function withoutLaterIgnore(start: readonly unknown[]): readonly unknown[] {
  return start.map((outcome, index) => (index > 0 && outcome === "ignore" ? "error" : outcome));
}

function randomChildren(rules: TreeRules, { depth, flags }: { depth: number; flags: Script }): Script[] {
  const { chance } = rules;
  const count = chance.oneIn(12) ? 0 : 1 + chance.below(CHILDREN_MAX);
  const children = Array.from({ length: count }, (_, index) =>
    randomChild(rules, { id: "abcd".charAt(index), depth, flags }),
  );
  if (!chance.oneIn(100) || children.length === 0) return children;
  return [...children, damagedSpec(chance, chance.of(children))];
}

/** A child of a supervisor with these flags: a worker, or a supervisor where the tree is not too deep. */
export function randomChild(
  rules: TreeRules,
  { id, depth, flags }: { readonly id: string; readonly depth: number; readonly flags: Script },
): Script {
  const { chance } = rules;
  const isSupervisor = depth < DEPTH_MAX - 1 && chance.oneIn(3 + depth);
  const base = isSupervisor
    ? {
        ...randomSupervisor(rules, { id, depth: depth + 1 }),
        ...likely(chance, 8, { shutdown: chance.of(["brutal_kill", 5000]) }),
      }
    : randomWorker(chance, id);
  const restart = oneOf(chance, [
    [6, "permanent"],
    [4, "transient"],
    [3, "temporary"],
    [1, undefined],
  ]);
  const isSignificant =
    flags["auto_shutdown"] !== undefined && (restart === "transient" || restart === "temporary") && !chance.oneIn(3);
  return {
    ...base,
    ...(restart === undefined ? {} : { restart }),
    ...(isSignificant ? { significant: true } : {}),
    ...randomStarts(chance, isSupervisor ? 16 : 6),
  };
}

function randomWorker(chance: Chance, id: string): Script {
  if (chance.oneIn(30))
    return { id, on_shutdown: "hang", shutdown: chance.oneIn(5) ? "brutal_kill" : 1 + chance.below(4) };
  if (chance.oneIn(40)) return { id, shutdown: 0, ...likely(chance, 2, { trap_exit: false }) };
  return {
    id,
    ...likely(chance, 3, { shutdown: chance.of(["brutal_kill", "infinity", 5000]) }),
    ...likely(chance, 4, { trap_exit: false }),
    ...likely(chance, 4, { on_shutdown: chance.of(["ok", "normal", "error", "shutdown_term"]) }),
    ...likely(chance, 12, { type: "worker" }),
  };
}

/** In one of `times` cases a script of start outcomes; most of them start well at first. */
function randomStarts(chance: Chance, times: number): Script {
  if (!chance.oneIn(times)) return {};
  const bad = () => chance.of(["error", "crash", "raise", "ignore"]);
  const length = 1 + chance.below(4);
  const later = Array.from({ length }, () => (chance.oneIn(2) ? bad() : "ok"));
  return { start: chance.oneIn(10) ? [bad(), ...later] : ["ok", ...later] };
}

function badFlag(chance: Chance, isDynamic: boolean): Script {
  const flags: Script[] = [{ intensity: -1 }, { period: 0 }];
  return chance.of(
    isDynamic
      ? [...flags, { max_children: -1 }]
      : [...flags, { strategy: "all_at_once" }, { auto_shutdown: "sometimes" }, { intensity: "many" }],
  );
}
