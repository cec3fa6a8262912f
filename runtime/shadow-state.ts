/**
 * What a shadow has written, to be compared: its state and its rows, without what the runtime keeps beside them. Two runs of
 * the same turns from the same point must end with the same.
 *
 *     ctx.state.count          "state.count"
 *     ctx.table("orders") 7    "table.orders.7"      (no table's name has a dot)
 */
import { createHash } from "node:crypto";
import { Slices } from "../vault/index.ts";
import type { View } from "../vault/index.ts";
import { keptEntries, stateKeyOf, tableOf, textOf } from "./agent-record.ts";

/** State and rows as encoded texts, each read when it is reached; keys in the vault's order. */
export function* stateOf(view: View): Iterable<readonly [key: string, text: string]> {
  for (const [key, value] of ownEntries(view)) yield [nameOf(key), textOf(value)];
}

/** SHA-256 of state and rows, in hex. Shares the thread: a large table takes its time. */
export async function digestOf(view: View): Promise<string> {
  const digest = createHash("sha256");
  const slices = new Slices();
  for (const [key, value] of ownEntries(view)) {
    digest.update(`${Buffer.byteLength(key)} ${value.length} ${key}`);
    digest.update(value);
    await slices.pause();
  }
  return digest.digest("hex");
}

function* ownEntries(view: View): Iterable<readonly [string, Uint8Array]> {
  for (const entry of keptEntries(view)) {
    const [key] = entry;
    if (stateKeyOf(key) !== undefined || tableOf(key) !== undefined) yield entry;
  }
}

function nameOf(key: string): string {
  const table = tableOf(key);
  return table === undefined ? `state.${stateKeyOf(key) ?? ""}` : `table.${table}.${key.slice(key.indexOf("\0") + 1)}`;
}
