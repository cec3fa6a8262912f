/**
 * Where a program may take one way or another: counted where somebody wants to know which way each call took, and never for fuel.
 *
 *     if (a) b(); else c();     if (a) {C[0]++;b();} else {C[1]++;c();}
 *     a ? b : c                 a ? (C[0]++,b) : (C[1]++,c)
 *     a && b                    a && (C[0]++,b)
 *     case 1: b();              case 1: ;C[0]++;b();
 */
import type { AnyNode } from "../../../sandbox/index.ts";
import type { TextRange } from "../problem.ts";
import type { Place } from "./instrument.ts";

/** The ways that begin at this node; none for most. */
export function branchesAt(node: AnyNode): readonly Place[] {
  switch (node.type) {
    case "IfStatement":
      return [arm(node.consequent), ...(node.alternate ? [arm(node.alternate)] : [])];
    case "ConditionalExpression":
      return [value(node.consequent), value(node.alternate)];
    case "LogicalExpression":
      return [value(node.right)];
    case "SwitchCase": {
      const [first] = node.consequent;
      return first === undefined ? [] : [free("statement", { start: first.start, end: node.end })];
    }
    default:
      return [];
  }
}

function arm(node: AnyNode): Place {
  if (node.type !== "BlockStatement") return free("block", node);
  return { ...free("statement", node), start: node.start + 1, end: node.start + 1 };
}

function value(node: AnyNode): Place {
  return free("expression", node);
}

function free(kind: Place["kind"], { start, end }: TextRange): Place {
  return { kind, start, end, of: { start, end }, isFree: true };
}
