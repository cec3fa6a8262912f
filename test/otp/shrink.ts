/** Makes a failing case small: the same difference with fewer actions, fewer children and fewer words. */
import type { Action, Script, SimCase } from "./case.ts";

/** A bound on how long shrinking goes on. */
const TRIES_MAX = 2_000;

/**
 * A case that is no larger than the given one, for which `differs` still holds, and from which nothing can be taken away
 * (or the tries are used up).
 */
export async function shrink(given: SimCase, differs: (candidate: SimCase) => Promise<boolean>): Promise<SimCase> {
  let smallest = given;
  let tries = 0;
  let isSmaller = true;
  while (isSmaller) {
    isSmaller = false;
    for (const candidate of smallerCases(smallest)) {
      if (++tries > TRIES_MAX) return smallest;
      // One after the other: each try starts from the smallest case so far.
      if (!(await differs(candidate))) continue;
      smallest = candidate;
      isSmaller = true;
      break;
    }
  }
  return smallest;
}

/** Every case with one thing less, the largest pieces first. */
function* smallerCases(given: SimCase): Generator<SimCase> {
  for (let size = given.when.length >> 1; size >= 1; size >>= 1)
    for (const when of withoutRun(given.when, size)) yield { ...given, when };
  for (const when of withSmallerItem(given.when, smallerActions)) yield { ...given, when };
  const { supervisor } = given.given;
  if (supervisor === undefined) return;
  for (const smaller of smallerScripts(supervisor)) yield { ...given, given: { supervisor: smaller } };
}

function* smallerActions(action: Action): Generator<Action> {
  if (action.ops !== undefined) {
    for (const ops of withoutRun(action.ops, 1)) yield { ...action, ops };
    for (const ops of withSmallerItem(action.ops, smallerActions)) yield { ...action, ops };
  }
  for (const key of ["spec", "supervisor"]) {
    // The cast: the generator writes scripts under these keys.
    const script = action[key] as Script | undefined;
    if (typeof script !== "object") continue;
    for (const smaller of smallerScripts(script)) yield { ...action, [key]: smaller };
  }
}

function* smallerScripts(script: Script): Generator<Script> {
  const { children = [] } = script;
  for (const fewer of withoutRun(children, 1)) yield { ...script, children: fewer };
  for (const key of Object.keys(script).filter((name) => !["id", "children", "template"].includes(name))) {
    const { [key]: _, ...rest } = script;
    yield rest;
  }
  for (const smaller of withSmallerItem(children, smallerScripts)) yield { ...script, children: smaller };
}

function* withoutRun<T>(items: readonly T[], size: number): Generator<readonly T[]> {
  for (let start = 0; start + size <= items.length; start += size) yield items.toSpliced(start, size);
}

function* withSmallerItem<T>(items: readonly T[], smaller: (item: T) => Iterable<T>): Generator<readonly T[]> {
  for (const [index, item] of items.entries()) for (const less of smaller(item)) yield items.with(index, less);
}
