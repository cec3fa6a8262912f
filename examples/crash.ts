/** Three ways to crash, and a neighbour that keeps answering. Run it with: node examples/crash.ts */
import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Runtime } from "planaria";
import type counterAgent from "./agents/counter.agent.ts";
import type fragileAgent from "./agents/fragile.agent.ts";

await using folder = await mkdtempDisposable(join(tmpdir(), "planaria-crash-"));
await using runtime = await Runtime.open({ vault: folder.path, agentsPerCell: 1 }); // a process for each agent
const agent = (name: string) => ({ id: name, module: new URL(`./agents/${name}.agent.ts`, import.meta.url) });
const fragile = await runtime.spawn<typeof fragileAgent>(agent("fragile"));
const neighbour = await runtime.spawn<typeof counterAgent>(agent("counter"));

const end = new AbortController();
const waits: number[] = [];
async function chat(): Promise<void> {
  while (!end.signal.aborted) {
    const asked = performance.now();
    await neighbour.call("add", 1);
    waits.push(performance.now() - asked);
  }
}
async function crash(what: string, happen: () => Promise<unknown>): Promise<void> {
  const outcome = await happen().catch((error: { code: string }) => error.code);
  const crashed = performance.now();
  const notes = await fragile.call("remember", what);
  const ms = Math.ceil(performance.now() - crashed);
  console.log(`${what}: ${String(outcome)}; answered ${ms} ms later, notes: ${notes}`);
}

const chatting = chat();
await crash("heap bomb", () => fragile.call("exhaust"));
await crash("endless loop", () => fragile.call("spin"));
await crash("kill -9", async () => process.kill((await fragile.info()).cellPid!, "SIGKILL") && "process gone");
end.abort();
await chatting;
const told = `${await neighbour.call("read")} of ${waits.length} calls`;
console.log(`neighbour: answered ${told} meanwhile, none took over ${Math.ceil(Math.max(...waits))} ms`);
