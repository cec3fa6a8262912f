/** Cases written briefly, and their traces read briefly: `a1 up` instead of `["start","root/a",1]`. */
import assert from "node:assert/strict";
import { simulate } from "../../../runtime/testing.ts";
import type { Action, Script, Step } from "../../../runtime/testing.ts";

/** The steps of a tree under `root` with these rules and children, after these actions. */
export function tree(supervisor: Script, ...when: readonly Action[]): readonly Step[] {
  const trace = simulate({ id: "case", kind: "tree", given: { supervisor: { id: "root", ...supervisor } }, when });
  assert.ok("steps" in trace, "the case is not built");
  return trace.steps;
}

/** The steps of plain processes. */
export function procs(...when: readonly Action[]): readonly Step[] {
  const trace = simulate({ id: "case", kind: "procs", when });
  assert.ok("steps" in trace, "the case is not built");
  return trace.steps;
}

const words: Readonly<Record<string, string>> = { start: "up", start_failed: "failed", start_ignored: "ignored" };

/** The events of a step: `a1 up`, `a1 failed`, `a1 told shutdown` (its hook), `a1 down boom`. The root's name is left out. */
export function events(step: Step | undefined): readonly string[] {
  return (step?.events ?? []).map(([name, path, n, reason]) => {
    const who = `${path.replace(/^root\//, "")}${n}`;
    if (name === "terminate") return `${who} told ${reason}`;
    return name === "down" ? `${who} down ${reason}` : `${who} ${words[name]}`;
  });
}

/** The tree after a step, without its root: `a up2`, `b stopped`; `root down` when nothing is left. */
export function lines(step: Step | undefined): readonly string[] {
  const all = (step?.tree ?? []).map(([path, status, n]) => `${path.replace(/^root\//, "")} ${status}${n ?? ""}`);
  return all.filter((line) => !line.startsWith("root up"));
}

/** It ends itself. */
export const crash = (path: string, reason = "boom"): Action => ({ op: "crash", target: `root/${path}`, reason });

/** It is killed. */
export const kill = (path: string): Action => ({ op: "kill", target: `root/${path}` });

/** Something is asked of the root. */
export const ask = (op: string, id?: string): Action => ({ op, sup: "root", ...(id === undefined ? {} : { id }) });

/** All of it is in the mailbox before the supervisor runs. */
export const batch = (...ops: readonly Action[]): Action => ({ op: "batch", ops });

/** A dynamic child is asked for. */
export const startDynamic = (sup = "root", spec: Script = {}): Action => ({ op: "start_dynamic", sup, spec });
