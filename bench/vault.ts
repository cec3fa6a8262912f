/**
 * The suite of the vault: is nothing lost of what the design gained? Each figure is a ratio to what the machine itself
 * does in the same run: a copy in memory, a bare durable write, LMDB alone.
 *
 * The bars are what the prototype behind the design reached; the aim beside each is what the vault is to reach.
 */
import type { Findings, Suite, Tools } from "./suite.ts";
import { joined } from "./suite.ts";
import { measureAcks } from "./vault/acks.ts";
import { measureBlocks } from "./vault/blocks.ts";
import { measureChanges } from "./vault/changes.ts";
import { measureForks, measureHugeForks, measureManyForks } from "./vault/forks.ts";
import { measureRecovery } from "./vault/recovery.ts";
import { measureRestore } from "./vault/restore.ts";
import { buildStates } from "./vault/states.ts";
import type { States } from "./vault/states.ts";

/** They share one vault; the last changes its large state. */
const ofStates: readonly ((tools: Tools, states: States) => Promise<Findings>)[] = [
  measureForks,
  measureManyForks,
  measureChanges,
  measureRestore,
  measureBlocks,
];

const quickNote = "quick: 10 MB stand in for the 100 MB that the bars on copies, disk use and restore are meant for";

/** Forks, durable writes, disk use, restore, diff, recovery, blocks of the thread. */
export const vault: Suite = async (tools) => {
  const findings: Findings[] = [{ figures: [], ratios: [], bars: [], notes: tools.isQuick ? [quickNote] : [] }];
  findings.push(await measureAcks(tools));
  {
    await using states = await buildStates(tools);
    for (const measure of ofStates) findings.push(await measure(tools, states));
  }
  if (!tools.isQuick) findings.push(await measureHugeForks(tools));
  findings.push(await measureRecovery(tools));
  return joined(findings);
};
