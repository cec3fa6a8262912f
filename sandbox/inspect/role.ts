/** Whether a node is read, written or declared where it stands, or is no value at all. Pure, one step down the tree at a time. */
import type { AnyNode } from "./parse.ts";

/** What becomes of what stands there. `name`: a word that means no variable, as in `a.name`. */
export type Role = "read" | "write" | "delete" | "declare" | "name";

/** The role of what stands in the property `key` of a node with this role. */
export function roleOf(node: AnyNode, role: Role, key: string): Role {
  switch (node.type) {
    case "VariableDeclarator":
      return key === "id" ? "declare" : "read";
    case "FunctionDeclaration":
    case "FunctionExpression":
    case "ArrowFunctionExpression":
      if (key === "params") return "declare";
      return key === "id" ? "name" : "read";
    case "ClassDeclaration":
    case "ClassExpression":
      return key === "id" ? "name" : "read";
    case "CatchClause":
      return key === "param" ? "declare" : "read";
    case "AssignmentExpression":
    case "ForInStatement":
    case "ForOfStatement":
      return key === "left" ? "write" : "read";
    case "UpdateExpression":
      return "write";
    case "UnaryExpression":
      return node.operator === "delete" ? "delete" : "read";
    case "ChainExpression":
    case "ObjectPattern":
    case "ArrayPattern":
    case "RestElement":
      return role;
    case "AssignmentPattern":
      return key === "left" ? role : "read";
    case "Property":
      return key === "value" ? role : wordRole(node.computed);
    case "MemberExpression":
      return key === "property" ? wordRole(node.computed) : "read";
    case "MethodDefinition":
    case "PropertyDefinition":
      return key === "key" ? wordRole(node.computed) : "read";
    case "LabeledStatement":
      return key === "label" ? "name" : "read";
    case "BreakStatement":
    case "ContinueStatement":
    case "MetaProperty":
    case "ImportSpecifier":
    case "ImportDefaultSpecifier":
    case "ImportNamespaceSpecifier":
    case "ExportSpecifier":
    case "ExportAllDeclaration":
      return "name";
    default:
      return "read";
  }
}

function wordRole(isComputed: boolean): Role {
  return isComputed ? "read" : "name";
}

/** Whether it is a function of any form. */
export function isFunction(node: AnyNode): boolean {
  const { type } = node;
  return type === "FunctionDeclaration" || type === "FunctionExpression" || type === "ArrowFunctionExpression";
}
