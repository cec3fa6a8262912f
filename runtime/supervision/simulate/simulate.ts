/**
 * `simulate(case)`: drives the supervision core of production in a simulated world, under a virtual clock and without
 * cells, and writes down what it did in a form that can be compared with that of the real OTP.
 *
 *   case --parse--> tree (supervisors, scripted children) --.
 *              `--> procs (links, monitors, names) ---------+--> { id, steps }
 */
import type { CaseId, Trace } from "./case.ts";
import { parseCase } from "./case.ts";
import { simulateProcs } from "./procs.ts";
import { simulateTree } from "./tree.ts";

/**
 * Runs one case and gives its trace: step 0 is the start, then one step for each action, `{ op, result, events, tree }`.
 * The same case gives the same trace, always. The form of cases and traces is documented in docs/SIMULATE.md.
 *
 * Gives `{ id, unsupported: true }` for a kind or an op that is not built. Throws RUNTIME_CASE_INVALID for what is no case.
 *
 * @example
 * const trace = simulate({
 *   id: "1", kind: "tree",
 *   given: { supervisor: { id: "root", strategy: "one_for_one", children: [{ id: "a" }] } },
 *   when: [{ op: "crash", target: "root/a", reason: "boom" }],
 * });
 * if ("steps" in trace) trace.steps[1]?.events; // [["terminate","root/a",1,"boom"], ["down","root/a",1,"boom"], ["start","root/a",2]]
 */
export function simulate(input: unknown): Trace {
  const parsed = parseCase(input);
  // An object with an id was looked at by parseCase, else it had thrown.
  if (parsed === undefined) return { id: (input as { readonly id: CaseId }).id, unsupported: true };
  return { id: parsed.id, steps: parsed.kind === "tree" ? simulateTree(parsed) : simulateProcs(parsed) };
}
