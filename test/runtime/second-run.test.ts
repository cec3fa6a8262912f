/**
 * A cast that was inside the guest as its cell died gets a second run, and no third.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import type { AgentRef, Runtime, StampedEvent } from "../../runtime/index.ts";
import { withRuntime } from "../../runtime/testing.ts";
import { eventOf } from "../support/agents.ts";

function exitsOf(runtime: Runtime): readonly string[] {
  const names: string[] = [];
  const look = ({ event }: StampedEvent): void => void (event.type === "agent.exited" && names.push(event.reason.name));
  runtime.subscribe(look, { after: 0 }).unsubscribe();
  return names;
}

/** Kills the cell of an agent that has a long turn, once its process has burnt the CPU time that tells that it is inside. */
async function killedInside(runtime: Runtime, agent: AgentRef): Promise<void> {
  const lost = eventOf(runtime, ({ type }) => type === "agent.exited" || type === "agent.rehomed");
  const home = (): number | undefined => runtime.cells().find(({ residents }) => residents > 0)?.pid;
  let [pid, from] = [0, 0];
  while (pid === 0 || cpuTicksOf(pid) < from + 30) {
    const now = home();
    if (now !== undefined && now !== pid) [pid, from] = [now, cpuTicksOf(now)];
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.ok((await agent.info()).mailbox > 0, "it is at work");
  process.kill(pid, "SIGKILL");
  await lost;
}

/** User time of a process, in hundredths of a second. A cell that has nothing to do uses next to none. */
function cpuTicksOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[11]);
}

describe("a cast", () => {
  it("is run once more when its cell died with it, and set aside when that costs another cell", async (t) => {
    const runtime = await withRuntime(t, { limits: { wallMs: 60_000, cpuMs: 30_000 } });
    const source = `export default { version: 1, state: () => ({ done: 0 }), on: {
      work: (ctx, rounds) => { for (let i = 0; i < rounds; i++) Math.sqrt(i); ctx.state.done += 1; },
      read: (ctx) => ctx.state.done,
    } };`;
    const worker = await runtime.spawn({ id: "worker", source });
    worker.cast("work", 20_000_000_000); // many seconds: longer than it takes to kill its cell
    await killedInside(runtime, worker);
    assert.deepEqual(exitsOf(runtime), ["cell_lost_suspect"]);
    assert.deepEqual([...runtime.deadLetters()], []);
    const told = eventOf(runtime, ({ type }) => type === "message.set_aside");
    await killedInside(runtime, worker);
    await told;
    assert.deepEqual(
      [...runtime.deadLetters()].map(({ method, reason }) => [method, reason.name]),
      [["work", "cell_lost_suspect"]],
    );
    assert.equal(await worker.call("read"), 0);
    worker.cast("work", 10);
    assert.equal(await worker.call("read"), 1, "what comes behind it runs");
  });
});
