/**
 * Callbacks of database transactions. lmdb-js takes what a callback returns for a promise to wait for: the concise body in
 * `transactionSync(() => db.put(k, v))` returns put's promise, the commit is put off, the next transaction nests in this one,
 * and closing blocks the thread for ever.
 */
import { folderOf, isNode, isOnFloor, place, walk, type Node, type Source } from "./house.ts";
import type { Rule } from "./rule.ts";

const transactions = new Set(["transaction", "transactionSync", "transactionAsync", "childTransaction", "batch"]);

function findingsIn(source: Source): readonly string[] {
  return [...walk(source.program)].flatMap((node) => {
    const fault = faultOf(node);
    return fault === undefined ? [] : [`${place(source, node.start)} ${fault}: write a block that returns nothing`];
  });
}

function faultOf(node: Node): string | undefined {
  if (node.type !== "CallExpression" || !isNode(node.callee) || node.callee.type !== "MemberExpression")
    return undefined;
  const { property } = node.callee;
  if (!isNode(property) || !transactions.has(String(property.name))) return undefined;
  const [callback] = Array.isArray(node.arguments) ? node.arguments : [];
  if (!isNode(callback) || !/^(?:ArrowFunction|Function)Expression$/.test(callback.type)) return undefined;
  if (callback.async === true) return "hands an asynchronous callback to a transaction";
  if (!isNode(callback.body) || callback.body.type !== "BlockStatement") return "hands a concise body to a transaction";
  return returnsValue(callback.body) ? "returns a value from a transaction" : undefined;
}

/** A `return` with a value that belongs to this function and not to one within it. */
function returnsValue(body: Node): boolean {
  const inner = [...walk(body)].filter(({ type }) => /Function/.test(type));
  return [...walk(body)].some(
    (node) =>
      node.type === "ReturnStatement" &&
      isNode(node.argument) &&
      !inner.some(({ start, end }) => start <= node.start && node.end <= end),
  );
}

const blocksOnly: Rule = {
  title: "the callback of a database transaction is a block that returns nothing",
  findings: ({ sources }) =>
    sources.filter(({ path }) => isOnFloor(path) || folderOf(path) === "bench").flatMap(findingsIn),
  refuses: [
    "db.transactionSync(() => db.put(k, v));",
    "this.#root.batch(() => this.#pages.put(k, v));",
    "store.transaction((draft) => draft.putMeta(k, v));",
    "db.transactionSync(() => { return db.put(k, v); });",
    "db.transactionSync(async () => { await db.put(k, v); });",
    "db.transactionSync(function () { if (x) return db.put(k, v); });",
  ].map((text) => ({ shows: text, files: { "vault/store.ts": text } })),
  accepts: [
    "db.transactionSync(() => { void db.put(k, v); });",
    "root.batch(() => { for (const k of keys) { if (k === x) return; void db.put(k, v); } });",
    "root.batch(() => { keys.map((k) => { return k; }); });",
    "list.map((x) => x);",
    "store.transaction(fill);",
  ].map((text) => ({ shows: text, files: { "vault/store.ts": text } })),
};

/** All rules about callbacks. */
export const callbackRules: readonly Rule[] = [blocksOnly];
