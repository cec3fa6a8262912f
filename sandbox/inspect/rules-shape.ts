/** What the module exports. Whether an object is a whole agent is seen when it loads; what can be none is refused here, with its place. */
import { kindOf, textOf, type Bindings } from "./meaning.ts";
import type { AnyNode } from "./parse.ts";
import type { Report } from "./report.ts";
import type { Tree } from "./tree.ts";

/** The default export is no text, number, list, function or class. */
export function shapeRule({ definition, bindings }: Tree, report: Report): void {
  if (definition === undefined) return;
  const value = valueOf(definition, bindings);
  const kind =
    value.type === "UnaryExpression" || textOf(value, bindings) !== undefined ? "plain" : kindOf(value, bindings);
  if (kind !== undefined && kind !== "Object") report("no-agent", value);
}

/** What a variable is given once, followed to where it is written down. */
function valueOf(node: AnyNode, bindings: Bindings): AnyNode {
  let value = node;
  for (let steps = 0; steps < STEPS_MAX && value.type === "Identifier"; steps += 1) {
    const binding = bindings.get(value);
    if (binding?.writes !== 1 || binding.value === undefined || binding.property !== undefined) return value;
    value = binding.value;
  }
  return value;
}

const STEPS_MAX = 8;
