/**
 * What an assertion says of a value: the expression of a test with a hole where the program's answer goes, worked out here, in
 * the Guardian, by walking its tree. Nothing of a program and nothing of a test is ever evaluated as code.
 *
 *     console.assert(Math.abs(f([1, 2]) - 1.5) < 1e-6)      call: f([1, 2])      judge: Math.abs(□ - 1.5) < 1e-6
 *
 * The answer is plain data that has crossed as text, so no operator below can run code of the program's.
 */
import type { AnyNode } from "../../../sandbox/index.ts";

/** The expression has something that is not worked out here. */
export class BeyondJudging extends Error {
  override readonly name = "BeyondJudging";
}

/** The value of an expression; `hole` stands for the node that is not worked out but known. */
export function valueOf(node: AnyNode, hole?: { readonly node: AnyNode; readonly value: unknown }): unknown {
  const inner = (child: AnyNode): unknown => valueOf(child, hole);
  if (node === hole?.node) return hole.value;
  switch (node.type) {
    case "Literal":
      if ("regex" in node && node.regex) throw new BeyondJudging("a regular expression");
      return node.value;
    case "TemplateLiteral":
      if (node.expressions.length > 0) throw new BeyondJudging("a template");
      return node.quasis[0]?.value.cooked;
    case "Identifier":
      return constantOf(node.name);
    case "ArrayExpression":
      return node.elements.map((element) => (element === null ? undefined : inner(element)));
    case "ObjectExpression":
      return Object.fromEntries(node.properties.map((property) => entryOf(property, inner)));
    case "UnaryExpression":
      return unary(node.operator, inner(node.argument));
    case "BinaryExpression":
      return binary(node.operator, inner(node.left), inner(node.right));
    case "LogicalExpression": {
      const left = inner(node.left);
      if (node.operator === "??") return left ?? inner(node.right);
      return node.operator === "&&" ? left && inner(node.right) : left || inner(node.right);
    }
    case "SequenceExpression":
      return node.expressions.map((each) => inner(each)).at(-1);
    case "ConditionalExpression":
      return inner(node.test) ? inner(node.consequent) : inner(node.alternate);
    case "MemberExpression":
      return memberOf(node, inner);
    case "CallExpression":
      return callOf(node, inner);
    default:
      throw new BeyondJudging(node.type);
  }
}

function constantOf(name: string): unknown {
  const constants: Readonly<Record<string, unknown>> = { undefined, NaN: Number.NaN, Infinity: Infinity };
  if (!Object.hasOwn(constants, name)) throw new BeyondJudging(name);
  return constants[name];
}

function entryOf(property: AnyNode, inner: (node: AnyNode) => unknown): [string, unknown] {
  if (property.type !== "Property" || property.computed) throw new BeyondJudging(property.type);
  const key = property.key.type === "Identifier" ? property.key.name : String(valueOf(property.key));
  return [key, inner(property.value)];
}

function unary(operator: string, value: unknown): unknown {
  switch (operator) {
    case "-":
      return -Number(value);
    case "+":
      return Number(value);
    case "!":
      return !value;
    case "typeof":
      return typeof value;
    default:
      throw new BeyondJudging(operator);
  }
}

function binary(operator: string, left: unknown, right: unknown): unknown {
  // JavaScript's own rules, for plain data: no value here has code that they could run.
  const [a, b] = [left as number, right as number];
  switch (operator) {
    case "===":
      return left === right;
    case "!==":
      return left !== right;
    case "==":
      // oxlint-disable-next-line eqeqeq -- the test says so
      return left == right;
    case "!=":
      // oxlint-disable-next-line eqeqeq -- the test says so
      return left != right;
    case "<":
      return a < b;
    case "<=":
      return a <= b;
    case ">":
      return a > b;
    case ">=":
      return a >= b;
    case "+":
      return a + b;
    case "-":
      return a - b;
    case "*":
      return a * b;
    case "/":
      return a / b;
    case "%":
      return a % b;
    case "**":
      return a ** b;
    default:
      throw new BeyondJudging(operator);
  }
}

function memberOf(node: AnyNode & { readonly type: "MemberExpression" }, inner: (node: AnyNode) => unknown): unknown {
  const object = inner(node.object);
  const key = node.computed ? inner(node.property) : node.property.type === "Identifier" ? node.property.name : "";
  if (object === null || object === undefined) throw new TypeError("nothing has no properties");
  if (typeof object === "string" && key === "length") return object.length;
  return typeof object === "object" && Object.hasOwn(object, String(key))
    ? Reflect.get(object, String(key))
    : undefined;
}

const MATH: ReadonlySet<string> = new Set(["abs", "round", "floor", "ceil", "trunc", "sqrt", "min", "max", "pow"]);

function callOf(node: AnyNode & { readonly type: "CallExpression" }, inner: (node: AnyNode) => unknown): unknown {
  const { callee } = node;
  if (callee.type !== "MemberExpression" || callee.computed) throw new BeyondJudging("a call");
  const { object, property } = callee;
  const name = property.type === "Identifier" ? property.name : "";
  const args = node.arguments.map((argument) => inner(argument));
  if (object.type === "Identifier" && object.name === "JSON" && name === "stringify" && args.length === 1)
    return JSON.stringify(args[0]);
  if (object.type === "Identifier" && object.name === "Math" && MATH.has(name)) {
    // One of the functions of numbers above.
    const work = Math[name as "max"];
    return work(...args.map(Number));
  }
  if (object.type === "Identifier" && object.name === "Number" && name === "isNaN") return Number.isNaN(args[0]);
  if (name === "toString" && args.length === 0) return String(inner(object));
  throw new BeyondJudging(`a call of ${name}`);
}
