/** A tree of supervisors: who is restarted with whom, and what an end says. Run it with: node examples/supervisors.ts */
import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Runtime } from "planaria";
import type counterAgent from "./agents/counter.agent.ts";

await using folder = await mkdtempDisposable(join(tmpdir(), "planaria-supervisors-"));
await using runtime = await Runtime.open({ vault: folder.path });
const module = new URL("./agents/counter.agent.ts", import.meta.url);
const shop = await runtime.supervise({
  id: "shop",
  strategy: "rest_for_one", // whoever is started after the one that fell depends on it
  intensity: 2, // a third restart within 5 s, and the shop gives up
  children: [
    { id: "stock", module },
    { id: "till", module },
    { id: "guests", strategy: "dynamic", template: { module, restart: "transient" } },
  ],
});
runtime.subscribe(({ event }) => {
  if (event.type === "subtree.ended") console.log(`ended      -> ${event.reason.message}`);
});
await runtime.supervisor("shop/guests").startChild({ id: "ada" });
const till = runtime.ref<typeof counterAgent>("shop/till");
console.log(`sold       -> ${await till.call("add", 1)}`);
console.log(String(runtime.tree()).replaceAll(/, heap .*/g, ""));

await runtime.ref("shop/stock").kill();
console.log(`restarted  -> the till after the stock, and it knows of ${await till.call("read")} sale`);
console.log(`guests     -> ${(await runtime.supervisor("shop/guests").countChildren()).active}, they came in by hand`);

for (let kills = 0; kills < 2; kills++) {
  await till.kill();
  await till.call("read").catch((error: { code: string }) => console.log(`given up   -> ${error.code}`));
}
await shop.revive();
console.log(`revived    -> the till knows of ${await till.call("read")} sale`);
