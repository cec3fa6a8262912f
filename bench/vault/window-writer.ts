/**
 * A process that fills the window of log behind a checkpoint, to be killed. Started by recovery.ts:
 *
 *     node window-writer.ts <path of the vault>     says how many entries it had acknowledged, and waits for its end
 *
 * Whoever starts it holds its stdin: when that closes, the starter is gone, and so is this process.
 */
import assert from "node:assert/strict";
import { Vault } from "../../vault/index.ts";
import type { Branch, Commit } from "../../vault/index.ts";
import { VAULT_SETTINGS } from "../../vault/settings.ts";
import { valueOf } from "./content.ts";
import { labOptions, onlyWhenAsked } from "./lab.ts";

const WINDOW_BYTES: number = VAULT_SETTINGS.checkpointBytes;
const VALUE_BYTES = 300;
const WRITERS = 100;
const KEYS_EACH = 1_000;
/** Entries between two waits for the disk. */
const GROUP = 1_000;

process.stdin.once("close", () => process.exit()).resume();
const [path] = process.argv.slice(2);
assert.ok(path !== undefined, "say where the vault is");
const vault = await Vault.open(labOptions(path, onlyWhenAsked));
const writers = Array.from({ length: WRITERS }, (_, writer): Branch => {
  const name = `writer-${writer}`;
  return vault.head(name) ?? vault.create({ name }).branch;
});
await vault.checkpoint();
process.stdout.write(`${await fillWindow()}\n`);

/** Writes until the log holds a window more than now. The last entries are acknowledged like all others. */
async function fillWindow(): Promise<number> {
  const full = vault.stats().logBytes + WINDOW_BYTES;
  let entries = 0;
  while (vault.stats().logBytes < full) {
    const commits: Commit[] = [];
    for (let no = 0; no < GROUP; no++, entries++) {
      const branch = writers[entries % WRITERS];
      assert.ok(branch !== undefined, "every number below WRITERS has a branch");
      const op = { put: `key-${Math.floor(entries / WRITERS) % KEYS_EACH}`, value: valueOf(VALUE_BYTES, entries) };
      commits.push(vault.commit([{ type: "write", branch: branch.id, ops: [op] }]));
    }
    await Promise.all(commits.map(({ durable }) => durable));
  }
  return entries;
}
