/** New code earns its place: three proposals, one promotion. Run it with: node examples/evolve.ts */
import { mkdtempDisposable, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Runtime } from "planaria";
import { Arbiter, offlineStages } from "planaria/evolution";
import type primesAgent from "./agents/primes.agent.ts";

await using folder = await mkdtempDisposable(join(tmpdir(), "planaria-evolve-"));
await using runtime = await Runtime.open({ vault: folder.path });
// Nobody asks this agent while candidates are tried, so they are judged by recorded turns only.
await using arbiter = await Arbiter.start(runtime, {}, offlineStages);
const module = new URL("./agents/primes.agent.ts", import.meta.url);
const primes = await runtime.spawn<typeof primesAgent>({ id: "primes", module });

// Traffic: what it answers now is what a new version is measured by.
const before = new Map<number, number>();
for (let n = 1; n <= 40; n++) before.set(n * 50, await primes.call("count", n * 50));

const today = await readFile(module, "utf8");
const proposals = [
  { note: "broken: a bracket is missing", source: today.replace("isPrime(n: number)", "isPrime(n: number") },
  { note: "wrong: takes 4, 9 and 25 for primes", source: today.replace("divisor < n", "divisor * divisor < n") },
  { note: "better: stops at the square root", source: today.replace("divisor < n", "divisor * divisor <= n") },
];
for (const { note, source } of proposals) {
  const decision = await arbiter.propose({ agent: "primes", source, note });
  console.log(`${arbiter.explain(decision.id)}\n`);
}

let same = 0;
for (const [n, count] of before) if ((await primes.call("count", n)) === count) same += 1;
console.log(
  `It answers ${same} of ${before.size} questions as before and remembers all ${await primes.call("asked")} it was asked.`,
);
