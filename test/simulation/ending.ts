/**
 * The end of a world, once the faults are over: everybody is brought up, asked for what it remembers, and compared with what
 * was published.
 */
import type { Runtime } from "../../runtime/index.ts";
import { codeOf, TOPICS } from "./clients.ts";
import type { Outcome } from "./ledger.ts";
import type { Dump } from "./script.ts";
import type { Topology } from "./topology.ts";

/** What it works with. */
export interface EndingHost {
  readonly runtime: Runtime;
  readonly topology: Topology;
  /** Awaits work while virtual time passes. */
  readonly during: <T>(work: Promise<T>) => Promise<T>;
  readonly tell: (line: string) => void;
  readonly wrong: (text: string) => void;
}

interface RevivalHost extends EndingHost {
  /** The owner wants this agent up. */
  readonly revived: (agent: string) => void;
  /** Lets everything come to rest. */
  readonly rest: () => Promise<void>;
}

/** Rounds of revivals: what was still on its way may end an agent once more. */
const ROUNDS_MAX = 5;

/** Revives whoever is down until everybody stays up. */
export async function bringUp(host: RevivalHost): Promise<void> {
  for (let round = 0; round < ROUNDS_MAX; round++) {
    let down = await reviveTree(host);
    for (const { id } of host.topology.spawns) if (await reviveAgent(host, id)) down += 1;
    if (down === 0 && round > 0) return;
    await host.rest();
  }
  host.wrong(`liveness: somebody is down after ${ROUNDS_MAX} rounds of revivals`);
}

/** True for one that was down. */
async function reviveAgent(host: RevivalHost, path: string): Promise<boolean> {
  const { runtime, revived } = host;
  const { status } = await runtime.ref(path).info();
  if (status !== "parked" && status !== "down") return false;
  revived(path);
  await tried(host, `revive ${path}`, runtime.ref(path).revive());
  revived(path);
  return true;
}

/** A child that its supervisor does not run any more comes back with all of the tree only. Returns how many were down. */
async function reviveTree(host: RevivalHost): Promise<number> {
  const { runtime, topology } = host;
  const { tree, agents, supervisors } = topology;
  if (tree === undefined) return 0;
  const below = [...supervisors, ...agents].filter(({ path }) => path.startsWith(tree.id));
  const down = below.filter(({ path }) => !["up", "asleep"].includes(statusIn(runtime, path) ?? "down"));
  if (down.length === 0) return 0;
  const top = runtime.supervisor(tree.id);
  await tried(host, `stop ${tree.id}`, top.stop());
  await tried(host, `revive ${tree.id}`, top.revive());
  return down.length;
}

async function tried({ during, tell }: EndingHost, what: string, work: Promise<unknown>): Promise<void> {
  try {
    await during(work);
    tell(`${what}: done`);
  } catch (error) {
    tell(`${what}: ${codeOf(error)}`);
  }
}

/** What every agent remembers, and what stands among the dead letters. Who does not answer is wrong. */
export async function askEverybody({ runtime, topology, during, wrong }: EndingHost): Promise<{
  readonly dumps: Map<string, Dump>;
  readonly isSetAside: Outcome["isSetAside"];
}> {
  const dumps = new Map<string, Dump>();
  for (const { path } of topology.agents) {
    try {
      dumps.set(path, (await during(runtime.ref(path).call("dump"))) as Dump); // what the guest answers
    } catch (error) {
      wrong(`liveness: ${path} does not answer: ${codeOf(error)} ${error instanceof Error ? error.message : ""}`);
    }
  }
  const letters = [...runtime.deadLetters()].map(({ agent, text, method }) => `${agent} ${opIn(text, method)}`);
  const setAside = new Set(letters);
  return { dumps, isSetAside: (agent, op) => setAside.has(`${agent} ${op}`) };
}

/** I8: publications are numbered without a gap, and each subscriber has handled each of them once. */
export async function compareTopics({ runtime, during, wrong }: EndingHost, outcome: Outcome): Promise<void> {
  for (const name of TOPICS) {
    const topic = runtime.topic<{ readonly op: string }>(name);
    const { last, subscribers } = topic.info();
    const reader = topic.subscribe({ after: 0 });
    for (let seq = 1; seq <= last; seq++) {
      const { value: item } = await during(reader.next());
      if (item?.kind !== "publication" || item.seq !== seq) {
        wrong(`I8 ${name}: ${JSON.stringify(item)} comes where ${seq} should`);
        break;
      }
      const { op } = item.value;
      for (const agent of subscribers) {
        const dump = outcome.dump(agent);
        const isKnown = dump?.ops[op] !== undefined;
        if (dump !== undefined && isKnown === outcome.isSetAside(agent, op))
          wrong(`I8 ${agent}: publication ${seq} of ${name} (${op}) is ${isKnown ? "handled and set aside" : "lost"}`);
      }
    }
    await reader.return?.();
  }
}

function opIn(text: string, method: string): string {
  const given = JSON.parse(text) as { readonly op?: string; readonly value?: { readonly op?: string } }; // an order, or a publication of one
  return (method === "heard" ? given.value?.op : given.op) ?? "";
}

interface Node {
  readonly id: string;
  readonly status: string;
  readonly children?: readonly Node[];
}

function statusIn(runtime: Runtime, path: string): string | undefined {
  const find = (nodes: readonly Node[]): Node | undefined => {
    for (const node of nodes) {
      const found = node.id === path ? node : find(node.children ?? []);
      if (found !== undefined) return found;
    }
    return undefined;
  };
  return find(runtime.tree().children)?.status;
}
