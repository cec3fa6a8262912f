/**
 * The supervision core decides, and does nothing: the same state and events give the same answer, in production and in the
 * simulator. So nothing in it knows a clock, chance, a timer, a process, a file, a promise, or anything that remembers.
 *
 * Scope: every file under runtime/supervision/, the simulator in its subfolder included, which may have classes: its
 * worlds live for one case.
 */
import { dottedName, isNode, place, walk, type Node, type Source } from "./house.ts";
import type { Rule, Specimen } from "./rule.ts";

const scope = /^runtime\/supervision\//;
const core = /^runtime\/supervision\/[^/]+$/;

/** Names of what lies outside of data. */
const outside = new Set([
  "Promise",
  "process",
  "performance",
  "globalThis",
  "Date",
  "setTimeout",
  "setInterval",
  "setImmediate",
  "queueMicrotask",
  "structuredClone",
  "WeakRef",
  "crypto",
]);

/** Names that the file gives to things of its own: a simulated `process` is none of the machine's. */
function ownNames({ program }: Source): ReadonlySet<string> {
  const names = new Set<string>();
  for (const node of walk(program)) {
    const params = Array.isArray(node.params) ? node.params : [];
    for (const declared of node.type === "VariableDeclarator" ? [node.id] : params)
      if (isNode(declared) && declared.type === "Identifier") names.add(String(declared.name));
  }
  return names;
}

function breach(node: Node, path: string): string | undefined {
  if (node.type === "AwaitExpression" || node.async === true) return "waits";
  if (core.test(path) && node.type === "ClassDeclaration") return "hides state in a class";
  if (node.type === "MemberExpression" && /^Math\.random$/.test(dottedName(node))) return "draws a random number";
  if (node.type !== "MemberExpression" && node.type !== "CallExpression" && node.type !== "NewExpression")
    return undefined;
  const used = node.type === "MemberExpression" ? node.object : node.callee;
  const name = isNode(used) && used.type === "Identifier" ? String(used.name) : "";
  return outside.has(name) ? `uses ${name}` : undefined;
}

function findingsIn(source: Source): readonly string[] {
  if (!scope.test(source.path)) return [];
  const modules = source.imports.filter(
    ({ specifier }) => !specifier.startsWith(".") && specifier !== "node:assert/strict",
  );
  const found = modules.map(({ specifier, start }) => ({ what: `imports ${specifier}`, start }));
  const own = ownNames(source);
  for (const node of walk(source.program)) {
    const what = breach(node, source.path);
    if (what !== undefined && !own.has(what.replace("uses ", ""))) found.push({ what, start: node.start });
  }
  return found.map(({ what, start }) => `${place(source, start)} ${what}: the core decides on data alone`);
}

const inCore = (text: string): Specimen => ({ shows: text, files: { "runtime/supervision/step.ts": text } });

const pureCore: Rule = {
  title: "the supervision core has no clock, chance, timer, process, file, promise or hidden state",
  findings: (house) => house.sources.flatMap(findingsIn),
  refuses: [
    inCore("Date.now();"),
    inCore("performance.now();"),
    inCore("const roll = Math.random;"),
    inCore("setTimeout(f, 5);"),
    inCore("process.exit();"),
    inCore('import { readFileSync } from "node:fs";'),
    inCore('import { z } from "zod";'),
    inCore("Promise.resolve(1);"),
    inCore("new Promise(f);"),
    inCore("async function f() {}"),
    inCore("const f = async () => {};"),
    inCore("class Supervisor {}"),
    { shows: "a clock in the simulator", files: { "runtime/supervision/simulate/world.ts": "Date.now();" } },
  ],
  accepts: [
    inCore('import assert from "node:assert/strict"; import { push } from "./mailbox.ts"; push(draft.process.id);'),
    inCore("Math.floor(atMs / 1000);"),
    inCore("function end(process: Simulated) { process.isAlive = false; }"),
    { shows: "a class of the simulator", files: { "runtime/supervision/simulate/world.ts": "class World {}" } },
    { shows: "the shell beside the core", files: { "runtime/supervisor.ts": "async function f() {}" } },
  ],
};

/** All rules about the core. */
export const pureRules: readonly Rule[] = [pureCore];
