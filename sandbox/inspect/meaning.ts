/**
 * What an expression means where that can be read: a constant text, or a path from a global, such as `Array.prototype`. Followed through
 * variables that get one value, through `globalThis`, and through the prototypes and constructors of what is written down.
 *
 * Invariant: a few steps for each question, and short names only; whoever hides behind more is not found here.
 */
import type { AnyNode, MemberExpression } from "./parse.ts";
import type { Binding } from "./scope.ts";
import { isFunction } from "./role.ts";
import { NAME_UNITS_MAX } from "./finding.ts";

/** Steps of one question. */
const STEPS_MAX = 16;

/** Globals of the language and of an agent; what is bundled for `URL` has a name of its own (compile-build.ts). */
export const BUILTINS: ReadonlySet<string> = new Set(
  `Object Function Array Number Boolean String Symbol BigInt Date Promise RegExp Math JSON Reflect Proxy Intl Iterator globalThis
   Map Set WeakMap WeakSet ArrayBuffer DataView Int8Array Uint8Array Uint8ClampedArray Int16Array Uint16Array Int32Array
   Uint32Array Float16Array Float32Array Float64Array BigInt64Array BigUint64Array Error AggregateError EvalError RangeError
   ReferenceError SyntaxError TypeError URIError SuppressedError DisposableStack AsyncDisposableStack parseInt parseFloat isNaN
   isFinite NaN Infinity undefined decodeURI decodeURIComponent encodeURI encodeURIComponent escape unescape eval console crypto
   performance structuredClone queueMicrotask atob btoa TextEncoder TextDecoder AbortController AbortSignal Event EventTarget
   DOMException CustomEvent URL URLSearchParams __planariaURL __planariaURLSearchParams`.split(/\s+/),
);

/** Of each name the variable that it means. */
export type Bindings = ReadonlyMap<AnyNode, Binding>;

interface Steps {
  left: number;
}

/** The text that an expression is, if it is the same each time and can be read here. */
export function textOf(node: AnyNode, bindings: Bindings, steps: Steps = { left: STEPS_MAX }): string | undefined {
  if (steps.left-- <= 0) return undefined;
  switch (node.type) {
    case "Literal":
      return typeof node.value === "string" || typeof node.value === "number" ? short(String(node.value)) : undefined;
    case "TemplateLiteral":
      return node.expressions.length === 0 ? short(node.quasis[0]?.value.cooked ?? "") : undefined;
    case "BinaryExpression": {
      if (node.operator !== "+" || node.left.type === "PrivateIdentifier") return undefined;
      const left = textOf(node.left, bindings, steps);
      const right = left === undefined ? undefined : textOf(node.right, bindings, steps);
      return left === undefined || right === undefined ? undefined : short(left + right);
    }
    case "Identifier": {
      const known = onlyValue(node, bindings);
      return known === undefined || known.property !== undefined ? undefined : textOf(known.value, bindings, steps);
    }
    default:
      return undefined;
  }
}

/** The property that is reached for: `a.b`, `a["b"]`, a symbol as "Symbol()"; undefined where it is only known when the code runs. */
export function propertyOf(
  node: MemberExpression,
  bindings: Bindings,
  steps: Steps = { left: STEPS_MAX },
): string | undefined {
  const { property, computed } = node;
  if (computed)
    return textOf(property, bindings, steps) ?? (isSymbol(property, bindings, steps) ? "Symbol()" : undefined);
  return property.type === "Identifier" ? short(property.name) : undefined;
}

/** `Symbol.for("x")`, or a variable that is one. */
function isSymbol(node: AnyNode, bindings: Bindings, steps: Steps): boolean {
  const value = node.type === "Identifier" ? onlyValue(node, bindings)?.value : node;
  if (value?.type !== "CallExpression") return false;
  return /^Symbol(?:\.for)?$/.test(pathOf(value.callee, bindings, steps) ?? "");
}

/** Where an expression leads from the globals: `Array.prototype`, `globalThis`, `eval`; undefined where that is not known. */
export function pathOf(node: AnyNode, bindings: Bindings, steps: Steps = { left: STEPS_MAX }): string | undefined {
  if (steps.left-- <= 0) return undefined;
  switch (node.type) {
    case "Identifier": {
      if (!bindings.has(node)) return short(node.name);
      const known = onlyValue(node, bindings);
      if (known === undefined) return undefined;
      if (known.property === undefined) return pathOf(known.value, bindings, steps);
      return reach(known.value, known.property, bindings, steps);
    }
    case "MemberExpression": {
      const property = propertyOf(node, bindings, steps);
      return property === undefined ? undefined : reach(node.object, property, bindings, steps);
    }
    case "ChainExpression":
      return pathOf(node.expression, bindings, steps);
    case "SequenceExpression": {
      const last = node.expressions.at(-1);
      return last === undefined ? undefined : pathOf(last, bindings, steps);
    }
    case "CallExpression":
      return prototypePath(node, bindings, steps);
    default:
      return undefined;
  }
}

/** Where the property of an expression leads. */
export function reach(
  object: AnyNode,
  property: string,
  bindings: Bindings,
  steps: Steps = { left: STEPS_MAX },
): string | undefined {
  const kind = property === "constructor" || property === "__proto__" ? kindOf(object, bindings, steps) : undefined;
  if (kind !== undefined) return property === "constructor" ? kind : `${kind}.prototype`;
  const path = pathOf(object, bindings, steps);
  if (path === undefined) return undefined;
  if (path === "globalThis") return property;
  if (property === "constructor")
    return path.endsWith(".prototype") ? path.slice(0, -".prototype".length) : maker(path);
  return short(`${path}.${property}`);
}

/** Built-in functions are made by `Function`, and so are their methods. */
function maker(path: string): string | undefined {
  const [root = "", ...rest] = path.split(".");
  const isBuiltinFunction =
    BUILTINS.has(root) && rest.length < 2 && /^[A-Z]/.test(root) && !/^(?:Math|JSON|Reflect|Intl)$/.test(path);
  return isBuiltinFunction && !rest.includes("prototype") ? "Function" : undefined;
}

/** Which constructor made a value that is written down. */
export function kindOf(node: AnyNode, bindings: Bindings, steps: Steps = { left: STEPS_MAX }): string | undefined {
  if (steps.left-- <= 0) return undefined;
  if (isFunction(node) || node.type === "ClassExpression" || node.type === "ClassDeclaration") return "Function";
  switch (node.type) {
    case "ObjectExpression":
      return node.properties.some((property) => property.type === "Property") ? undefined : "Object";
    case "ArrayExpression":
      return "Array";
    case "TemplateLiteral":
      return "String";
    case "Literal":
      return node.regex === undefined ? literalKind(typeof node.value) : "RegExp";
    case "Identifier": {
      const known = onlyValue(node, bindings);
      return known === undefined || known.property !== undefined ? undefined : kindOf(known.value, bindings, steps);
    }
    default:
      return undefined;
  }
}

function literalKind(type: string): string | undefined {
  return { string: "String", number: "Number", boolean: "Boolean", bigint: "BigInt" }[type];
}

/** `Object.getPrototypeOf([])` */
function prototypePath(node: AnyNode, bindings: Bindings, steps: Steps): string | undefined {
  if (node.type !== "CallExpression") return undefined;
  const [of] = node.arguments;
  const callee = pathOf(node.callee, bindings, steps);
  if (of === undefined || (callee !== "Object.getPrototypeOf" && callee !== "Reflect.getPrototypeOf")) return undefined;
  const kind = kindOf(of, bindings, steps);
  return kind === undefined ? undefined : `${kind}.prototype`;
}

/** The value of a variable that gets one. */
function onlyValue(
  node: AnyNode,
  bindings: Bindings,
): { readonly value: AnyNode; readonly property: string | undefined } | undefined {
  const binding = bindings.get(node);
  if (binding?.writes !== 1 || binding.value === undefined) return undefined;
  return { value: binding.value, property: binding.property };
}

function short(text: string): string | undefined {
  return text.length <= NAME_UNITS_MAX ? text : undefined;
}
