/**
 * A Guardian in a process of its own, to be killed by a test: starts a cell, sends its agent into a built-in that V8 cannot
 * interrupt, prints the cell's pid, and lives until somebody ends it.
 *
 * Usage: node guardian.ts bubblewrap | setpriv | shell
 *        node guardian.ts early <bundle>        kills itself while bubblewrap makes the view of a cell that runs this file
 *        node guardian.ts trying                kills itself while bubblewrap is tried, and prints whom it leaves; ends with 0
 *                                              where it missed that moment
 */
import { writeSync } from "node:fs";
import { Cell } from "../../sandbox/index.ts";
import { cellBundle } from "../../sandbox/bundle.ts";
import { findLayers } from "../../sandbox/layers.ts";
import { dieEarly } from "../support/early-death.ts";
import { Actor, OPTIONS } from "./support.ts";

const [, , way, bundle = ""] = process.argv;
if (way === "trying") {
  void findLayers().then(() => process.exit(0)); // Too late: it is tried once.
  await dieEarly("--info-fd", (pids) => writeSync(1, pids.join(" ")));
}
const layers = await findLayers();
if (way === "early") {
  void Cell.startWith(OPTIONS, layers, bundle); // It is not lived to see.
  await dieEarly(bundle);
}
const without = { ...layers, bubblewrap: undefined };
const byName = { bubblewrap: layers, setpriv: without, shell: { ...without, setpriv: undefined } };
const chosen = byName[way as keyof typeof byName]; // The test passes one of the three.
const cell = await Cell.startWith(OPTIONS, chosen, await cellBundle());
const actor = new Actor(cell, { limits: { wallMs: 3_000_000, cpuMs: 3_000_000 } });
await actor.call("add");
setInterval(() => {}, 1000);
void actor.call("stuck"); // Never ends; this process is killed meanwhile.
process.stdout.write(`${cell.pid}\n`);
