/** How a text is put in a place of a program so that it stays one piece: with brackets where it would fall apart, and only there. */
import type { AnyNode } from "../../sandbox/index.ts";
import type { Edit } from "./edit.ts";
import { replaced } from "./operator.ts";
import type { ParsedProgram, Site } from "./program.ts";
import { isFunction, textOf } from "./program.ts";

/** An atom keeps together anywhere; an operation has to be in brackets next to others. */
export type Shape = "atom" | "operation";

/** The shape of a node's text. */
export function shapeOf(program: ParsedProgram, node: AnyNode): Shape {
  switch (node.type) {
    case "Identifier":
    case "MemberExpression":
    case "CallExpression":
    case "ArrayExpression":
    case "TemplateLiteral":
    case "ThisExpression":
      return "atom";
    case "Literal":
      // A pattern behind a division would be a comment.
      return "regex" in node && node.regex ? "operation" : "atom";
    case "NewExpression":
      return program.code[node.end - 1] === ")" ? "atom" : "operation";
    default:
      return "operation";
  }
}

/** The text of a node as part of an operation. */
export function operand(program: ParsedProgram, node: AnyNode): string {
  const text = textOf(program, node);
  return shapeOf(program, node) === "atom" ? text : `(${text})`;
}

/** Edits that put a text in the place of a value. */
export function put(program: ParsedProgram, site: Site, text: string, shape: Shape): readonly Edit[] {
  const { node, parent } = site;
  const piece = isWhole(site, text, shape) ? text : `(${text})`;
  const around = parent?.node;
  if (around?.type === "Property" && around.shorthand && node.type === "Identifier")
    return replaced(node, `${node.name}: ${piece}`);
  return replaced(node, spaced(program, node, piece));
}

/** Edits that put the text of one node in the place of another. */
export function putNode(program: ParsedProgram, site: Site, donor: AnyNode): readonly Edit[] {
  return put(program, site, textOf(program, donor), shapeOf(program, donor));
}

function isWhole(site: Site, text: string, shape: Shape): boolean {
  const parent = site.parent?.node;
  if (shape === "atom") {
    // `5.length` is no number, and `new f()()` calls something else.
    if (site.key === "object") return !/^[\d.]/.test(text);
    if (site.key === "callee" && parent?.type === "NewExpression") return /^[\w$.]+$/.test(text);
    return true;
  }
  return (
    parent !== undefined &&
    isOpen(parent, site.key) &&
    !(parent.type === "ArrowFunctionExpression" && text.startsWith("{"))
  );
}

/** True where an expression ends at a bracket, a comma or the end of a statement: any operation is safe. */
function isOpen(parent: AnyNode, key: string): boolean {
  switch (parent.type) {
    case "CallExpression":
    case "NewExpression":
      return key === "arguments";
    case "MemberExpression":
      return key === "property";
    case "AssignmentExpression":
    case "AssignmentPattern":
    case "ForOfStatement":
    case "ForInStatement":
      return key === "right";
    case "ForStatement":
      return key !== "init";
    case "ArrowFunctionExpression":
      return key === "body";
    case "ArrayExpression":
    case "DoWhileStatement":
    case "IfStatement":
    case "Property":
    case "PropertyDefinition":
    case "ReturnStatement":
    case "SpreadElement":
    case "SwitchStatement":
    case "TemplateLiteral":
    case "ThrowStatement":
    case "VariableDeclarator":
    case "WhileStatement":
      return true;
    default:
      return false;
  }
}

/** `return[a]` is one word shorter than `returna`. */
function spaced({ code }: ParsedProgram, { start, end }: AnyNode, text: string): string {
  const before = isWordly(code[start - 1]) && isWordly(text[0]) ? " " : "";
  const behind = isWordly(code[end]) && isWordly(text.at(-1)) ? " " : "";
  return before + text + behind;
}

function isWordly(letter: string | undefined): boolean {
  return letter !== undefined && /[\w$\\\u0080-\uffff]/.test(letter);
}

/** A statement's text with its end. */
export function sentence(program: ParsedProgram, node: AnyNode): string {
  const text = textOf(program, node);
  return /[;}]$/.test(text) && node.type !== "ExpressionStatement" ? text : text.endsWith(";") ? text : `${text};`;
}

/** One edit that puts a statement in front of another one. */
export function inserted(before: AnyNode, text: string): readonly Edit[] {
  return [{ start: before.start, end: before.start, text: `${text}\n` }];
}

/** True where the statement is the first of a function's body. */
export function isFirstInFunction({ node, parent }: Site): boolean {
  const block = parent?.node;
  const owner = parent?.parent?.node;
  return block?.type === "BlockStatement" && block.body[0] === node && owner !== undefined && isFunction(owner);
}
