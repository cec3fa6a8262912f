/** Random cases of kind "procs": a handful of processes, their links, monitors, signals and names. */
import type { Chance } from "../support/chance.ts";
import type { Action } from "./case.ts";
import { oneOf } from "./weighted.ts";

const NAMES = ["north", "south"];

/** `count` actions on two to five processes, which are spawned first. */
export function randomProcesses(chance: Chance, count: number): Action[] {
  const ids = "abcde".slice(0, 2 + chance.below(4)).split("");
  const refs: string[] = [];
  const spawns = ids.map((id, index) => ({
    op: "spawn",
    id,
    ...(index > 0 && chance.oneIn(2) ? { link: chance.of(ids.slice(0, index)) } : {}),
    ...(chance.oneIn(2) ? { trap: true } : {}),
  }));
  return [
    ...spawns,
    ...Array.from({ length: count }, () => randomStep({ chance, ids, refs })),
    ...ids.map((id) => ({ op: "messages", id })),
  ];
}

function randomStep({ chance, ids, refs }: { chance: Chance; ids: readonly string[]; refs: string[] }): Action {
  const op = oneOf(chance, [
    [6, "link"],
    [2, "unlink"],
    [5, "monitor"],
    [2, "demonitor"],
    [4, "trap"],
    [8, "signal"],
    [5, "exit"],
    [5, "messages"],
    [4, "register"],
    [1, "unregister"],
    [4, "whereis"],
  ]);
  const id = chance.of(ids);
  const [from, to] = [id, chance.of(ids)];
  switch (op) {
    case "link":
    case "unlink":
      return { op, from, to };
    case "monitor":
      refs.push(`m${refs.length}`);
      return { op, from, to, ref: `m${refs.length - 1}` };
    case "demonitor":
      return refs.length === 0 ? { op: "messages", id } : { op, from, ref: chance.of(refs) };
    case "trap":
      return { op, id, value: chance.oneIn(2) };
    case "signal":
      return { op, from, to, reason: randomReason(chance) };
    case "exit":
      return { op, id, reason: randomReason(chance) };
    case "register":
      return { op, name: chance.of(NAMES), id };
    case "unregister":
    case "whereis":
      return { op, name: chance.of(NAMES) };
    default:
      return { op: "messages", id };
  }
}

function randomReason(chance: Chance): string {
  return oneOf(chance, [
    [5, "boom"],
    [4, "normal"],
    [2, "shutdown"],
    [1, "shutdown:why"],
    [3, "kill"],
    [1, "killed"],
  ]);
}
