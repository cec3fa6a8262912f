/**
 * Random actions on a tree. What exists is tracked by definition only (paths that were declared or asked for), not by
 * what lives: that is what the two sides are to find out.
 */
import type { Chance } from "../support/chance.ts";
import type { Action, Script } from "./case.ts";
import { randomChild, withoutLaterIgnore } from "./generate-tree.ts";
import type { TreeRules } from "./generate-tree.ts";
import { damagedSpec, likely, oneOf } from "./weighted.ts";

/** A supervisor that was declared somewhere. */
interface Place {
  readonly path: string;
  script: Script;
  /** Ids of declared children; numbers of dynamic ones. */
  readonly ids: string[];
  asked: number;
}

/** The places of a tree, in the order of their declaration. */
export class Ground {
  readonly rules: TreeRules;
  readonly places: Place[] = [];
  readonly workers: string[] = [];

  constructor(rules: TreeRules, root: Script) {
    this.rules = rules;
    this.declare("", root);
  }

  /** Adds a child, and everything under it, to what can be addressed. */
  declare(parent: string, script: Script): void {
    if (typeof script.id !== "string") return;
    const path = parent === "" ? script.id : `${parent}/${script.id}`;
    if (script.type !== "supervisor") {
      if (!this.workers.includes(path)) this.workers.push(path);
      return;
    }
    if (this.places.some((place) => place.path === path)) return;
    const children = script.children ?? [];
    const ids = children.map(({ id }) => id).filter((id) => typeof id === "string");
    this.places.push({ path, script, ids, asked: 0 });
    for (const child of children) this.declare(path, child);
  }
}

/** `count` actions, one after the other. */
export function randomActions(ground: Ground, count: number): Action[] {
  const { chance } = ground.rules;
  const actions = Array.from({ length: count }, () => randomAction(ground));
  return chance.oneIn(6) ? [...actions, { op: "stop" }] : actions;
}

function randomAction(ground: Ground): Action {
  const { chance } = ground.rules;
  const kind = oneOf(chance, [
    [30, "exit"],
    [14, "batch"],
    [10, "advance"],
    [34, "call"],
    [3, "check"],
    [3, "upgrade"],
  ]);
  if (kind === "exit") return exitOf(chance, anyTarget(ground));
  if (kind === "batch") return randomBatch(ground);
  if (kind === "advance") return { op: "advance", ms: chance.of([500, 1000, 1000, 2000, 3000, 5000, 10_000]) };
  if (kind === "check") return randomCheck(ground);
  if (kind === "call") return randomCall(ground, chance.of(ground.places));
  // Numbers of dynamic children are given out as the case runs: what stands under one is not known for certain.
  return randomUpgrade(
    ground,
    chance.of(ground.places.filter(({ path }) => !/\d/.test(path.replaceAll(/\/s\d+/g, "")))),
  );
}

function anyTarget(ground: Ground): string {
  const { chance } = ground.rules;
  if (chance.oneIn(40)) return "root/nobody";
  const supervisors = ground.places.slice(1).map(({ path }) => path);
  if (chance.oneIn(100)) return "root";
  if (supervisors.length > 0 && chance.oneIn(4)) return chance.of(supervisors);
  return ground.workers.length > 0 ? chance.of(ground.workers) : "root/nobody";
}

function exitOf(chance: Chance, target: string): Action {
  const op = oneOf(chance, [
    [6, "crash"],
    [2, "kill"],
    [2, "signal"],
  ]);
  if (op === "kill") return { op, target };
  const reason = oneOf(chance, [
    [10, "boom"],
    [4, "normal"],
    [2, "shutdown"],
    [2, "shutdown:why"],
    [1, "kill"],
    [1, "killed"],
  ]);
  return { op, target, reason };
}

/** Exits of one supervisor's children and calls to it, all in its mailbox at once. */
function randomBatch(ground: Ground): Action {
  const { chance } = ground.rules;
  const place = chance.of(ground.places);
  const ops = Array.from({ length: 2 + chance.below(4) }, () => {
    if (chance.oneIn(30)) return { op: "stop" };
    const names = place.ids.length > 0 ? place.ids : ["nobody"];
    return chance.below(10) < 6 ? exitOf(chance, `${place.path}/${chance.of(names)}`) : randomCall(ground, place);
  });
  // A `stop` is in the root's mailbox; the others are in this supervisor's.
  return { op: "batch", ops: place.path === "root" ? ops : ops.filter(({ op }) => op !== "stop") };
}

function randomCheck({ rules }: Ground): Action {
  const { chance } = rules;
  const auto = oneOf(chance, [
    [3, undefined],
    [1, "never"],
    [1, "any_significant"],
    [1, "all_significant"],
    [1, "sometimes"],
  ]);
  const flags = auto === undefined ? {} : { auto_shutdown: auto };
  const specs: unknown[] = Array.from({ length: 1 + chance.below(3) }, (_, index) => {
    const spec = randomChild(rules, { id: "abc".charAt(chance.oneIn(8) ? 0 : index), depth: 2, flags });
    return chance.oneIn(3) ? damagedSpec(chance, spec) : spec;
  });
  if (chance.oneIn(20)) return { op: "check_childspecs", specs: "no list", ...flags };
  return { op: "check_childspecs", specs: chance.oneIn(12) ? [...specs, "no spec"] : specs, ...flags };
}

function randomCall(ground: Ground, place: Place): Action {
  const { chance } = ground.rules;
  const sup = chance.oneIn(60) ? `${place.path}/nobody` : place.path;
  if (chance.oneIn(6)) return { op: chance.of(["which_children", "count_children"]), sup };
  const { strategy } = place.script;
  if ((strategy === "dynamic" && !chance.oneIn(40)) || (strategy === "simple_one_for_one" && !chance.oneIn(8)))
    return dynamicCall(ground, place);
  const op = oneOf(chance, [
    [5, "start_child"],
    [6, "terminate_child"],
    [6, "restart_child"],
    [4, "delete_child"],
    [2, "get_childspec"],
  ]);
  if (op === "start_child" && strategy === "dynamic") return dynamicCall(ground, place);
  if (op === "start_child" && strategy !== "simple_one_for_one") return startChild(ground, place);
  const id = place.ids.length === 0 || chance.oneIn(12) ? "nobody" : chance.of(place.ids);
  return { op: op === "start_child" ? "get_childspec" : op, sup, id: strategy === "simple_one_for_one" ? "t" : id };
}

function startChild(ground: Ground, place: Place): Action {
  const { chance } = ground.rules;
  const known = place.ids.length > 0 && chance.oneIn(3) ? chance.of(place.ids) : chance.of(["x", "y", "z"]);
  const depth = place.path.split("/").length - 1;
  const child = randomChild(ground.rules, { id: known, depth, flags: place.script });
  // A supervisor's path is its own for the whole case, so that an upgrade fits whatever runs there.
  const id = child.type === "supervisor" ? `s${ground.workers.length + ground.places.length}` : known;
  const spec = { ...child, id };
  if (chance.oneIn(8)) return { op: "start_child", sup: place.path, spec: damagedSpec(chance, spec) };
  ground.declare(place.path, spec);
  if (!place.ids.includes(id)) place.ids.push(id);
  return { op: "start_child", sup: place.path, spec };
}

function dynamicCall(ground: Ground, place: Place): Action {
  const { chance } = ground.rules;
  const sup = place.path;
  if (place.asked > 0 && chance.oneIn(3))
    return { op: "terminate_dynamic", sup, n: 1 + chance.below(place.asked + (chance.oneIn(8) ? 1 : 0)) };
  const id = String(++place.asked);
  place.ids.push(id);
  const isSimple = place.script.strategy === "simple_one_for_one";
  const depth = place.path.split("/").length - 1;
  const child = randomChild(ground.rules, { id, depth, flags: {} });
  if (isSimple) ground.declare(sup, { ...place.script.template, id });
  else ground.declare(sup, child);
  const { id: _, ...spec } = isSimple ? behaviourOf(child) : child;
  if (!isSimple && chance.oneIn(12))
    return { op: "start_dynamic", sup, spec: { ...spec, ...chance.of([{ restart: "sometimes" }, { shutdown: -1 }]) } };
  return { op: "start_dynamic", sup, spec };
}

/** What start_dynamic may say about a child of simple_one_for_one, whose shutdown time is the template's. */
function behaviourOf({ start, trap_exit: trapExit, on_shutdown: onShutdown }: Script): Script {
  return {
    ...(Array.isArray(start) ? { start: withoutLaterIgnore(start) } : {}),
    ...(trapExit === undefined ? {} : { trap_exit: trapExit }),
    ...(onShutdown === undefined || onShutdown === "hang" ? {} : { on_shutdown: onShutdown }),
  };
}

/**
 * Children that run take the new restart type and shutdown time, but are started again as they were asked for. To and from
 * temporary is left out: OTP forgets how to start temporary children, and then cannot start those that no longer are.
 */
function upgradeOfTemplate({ rules: { chance } }: Ground, place: Place, next: Script): Action {
  const { template = {} } = place.script;
  const changed: Script = {
    ...template,
    ...(template["restart"] === "temporary"
      ? {}
      : likely(chance, 2, { restart: chance.of(["permanent", "transient"]) })),
    ...(template["on_shutdown"] === "hang" ? {} : likely(chance, 2, { shutdown: chance.of(["brutal_kill", 5000]) })),
    ...(template.type === "supervisor" ? {} : likely(chance, 2, { on_shutdown: chance.of(["ok", "normal", "error"]) })),
  };
  const supervisor = { ...next, template: changed };
  if (next["intensity"] !== -1) place.script = supervisor;
  return { op: "upgrade", sup: place.path, supervisor };
}

/** A new definition: other flags, some children gone, some with another restart type, some new. */
function randomUpgrade(ground: Ground, place: Place): Action {
  const { chance } = ground.rules;
  const { script } = place;
  const flags = {
    ...likely(chance, 2, { intensity: chance.oneIn(12) ? -1 : chance.below(6) }),
    ...likely(chance, 3, { period: 1 + chance.below(5) }),
  };
  const next: Script = { ...script, ...flags };
  if (script.template !== undefined && chance.oneIn(4))
    return { op: "upgrade", sup: place.path, supervisor: { ...next, template: damagedSpec(chance, script.template) } };
  if (script.template !== undefined) return upgradeOfTemplate(ground, place, next);
  if (script.children === undefined) return { op: "upgrade", sup: place.path, supervisor: next };
  const strategy = chance.oneIn(3) ? chance.of(["one_for_one", "one_for_all", "rest_for_one"]) : script.strategy;
  const kept = script.children
    .filter(() => !chance.oneIn(4))
    .map((child) => (chance.oneIn(3) && child["significant"] !== true ? { ...child, restart: "transient" } : child));
  const depth = place.path.split("/").length - 1;
  const added = chance.oneIn(2) ? [randomChild(ground.rules, { id: chance.of(["u", "v"]), depth, flags: script })] : [];
  for (const child of added) ground.declare(place.path, child);
  for (const { id } of added) if (typeof id === "string" && !place.ids.includes(id)) place.ids.push(id);
  const children = chance.oneIn(5) ? [...added, ...kept] : [...kept, ...added];
  const supervisor = { ...next, ...(strategy === undefined ? {} : { strategy }), children };
  if (flags["intensity"] !== -1) place.script = supervisor;
  return { op: "upgrade", sup: place.path, supervisor };
}
