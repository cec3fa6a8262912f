/** Three ways to crash, and a neighbour that keeps answering. Run it with: node examples/crash.ts */
import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Runtime } from "planaria";
import type counterAgent from "./agents/counter.agent.ts";
import type fragileAgent from "./agents/fragile.agent.ts";

await using folder = await mkdtempDisposable(join(tmpdir(), "planaria-crash-"));
await using runtime = await Runtime.open({ vault: folder.path });
const agent = (name: string) => ({ id: name, module: new URL(`./agents/${name}.agent.ts`, import.meta.url) });
const fragile = await runtime.spawn<typeof fragileAgent>(agent("fragile"));
const neighbour = await runtime.spawn<typeof counterAgent>(agent("counter"));

const waits: number[] = [];
let isOver = false;
async function chat(): Promise<void> {
  for (let asked = performance.now(); !isOver; asked = performance.now()) {
    await neighbour.call("add", 1);
    waits.push(performance.now() - asked);
  }
}
async function crash(what: string, happen: () => Promise<unknown>): Promise<void> {
  const outcome = await happen().catch((error: { code: string }) => error.code);
  const crashed = performance.now();
  const notes = await fragile.call("remember", what);
  const tookMs = (performance.now() - crashed).toFixed(0);
  console.log(`${what}: ${outcome}; answered again after ${tookMs} ms and remembers ${notes} of ${notes} notes`);
}

const chatting = chat();
await crash("heap bomb", () => fragile.call("exhaust"));
await crash("endless loop", () => fragile.call("spin"));
await crash("kill -9", async () => process.kill((await fragile.info()).cellPid ?? NaN, "SIGKILL") && "cell gone");
isOver = true;
await chatting;
console.log(
  `neighbour: ${waits.length} calls, ${await neighbour.call("read")} answers, slowest ${Math.max(...waits).toFixed(0)} ms`,
);
