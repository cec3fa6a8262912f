/** Your first agent: it counts, it is killed, it goes on counting. Run it with: node examples/first-agent.ts */
import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Runtime } from "planaria";
import type counterAgent from "./agents/counter.agent.ts";

await using folder = await mkdtempDisposable(join(tmpdir(), "planaria-first-agent-")); // gone at the end; yours would stay
const vault = join(folder.path, "vault");
const module = new URL("./agents/counter.agent.ts", import.meta.url);

{
  await using runtime = await Runtime.open({ vault });
  const counter = await runtime.spawn<typeof counterAgent>({ id: "counter", module });
  console.log(`add 1        -> ${await counter.call("add", 1)}, and it is on disk`);

  await counter.kill();
  console.log("killed       -> its isolate is gone, with everything it held in memory");
  console.log(`add 1        -> ${await counter.call("add", 1)}: a new isolate, nothing forgotten`);

  const fork = await counter.fork({ id: "what-if" });
  console.log(`fork, add 40 -> ${await fork.call("add", 40)} there, still ${await counter.call("read")} here`);
}

await using reopened = await Runtime.open({ vault }); // as after a restart of your program
console.log(`reopened     -> the counter stands at ${await reopened.ref<typeof counterAgent>("counter").call("read")}`);
