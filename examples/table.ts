/** An agent that keeps more than its heap holds: 24 MB of letters under a cap of 16. Run it with: node examples/table.ts */
import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Runtime } from "planaria";
import type archiveAgent from "./agents/archive.agent.ts";

await using folder = await mkdtempDisposable(join(tmpdir(), "planaria-table-")); // gone at the end; yours would stay
await using runtime = await Runtime.open({ vault: join(folder.path, "vault") });
const module = new URL("./agents/archive.agent.ts", import.meta.url);
const archive = await runtime.spawn<typeof archiveAgent>({ id: "archive", module, limits: { heapMb: 16 } });

const names = ["ada", "bob", "cleo"];
for (let batch = 0; batch < 24; batch++) {
  const letter = (_: unknown, index: number) => ({ from: names[index % 3] ?? "", text: `${batch}`.padEnd(4_000, ".") });
  await archive.call("file", Array.from({ length: 250 }, letter)); // one turn: all 250 or none
}
console.log(`filed     -> ${await archive.call("count")} letters of 4 KB`);

await archive.kill();
const [first] = await archive.call("keysFrom", { from: "bob", limit: 1 });
console.log(`killed    -> a new isolate finds ${first} without loading the others`);
const mb = Math.ceil((await archive.info()).heapBytes / 2 ** 20);
console.log(`heap      -> ${mb} MB`);

const fork = await archive.fork({ id: "what-if" });
while ((await fork.call("burn", "bob")) > 0);
const left = async (agent: typeof archive) => (await agent.call("keysFrom", { from: "bob", limit: 5 })).length;
console.log(
  `fork      -> bob's letters are burnt there: ${await left(fork)} left, and ${await left(archive)} of 5 found here`,
);
