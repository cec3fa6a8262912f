/**
 * A tree of thirty agents under nested supervisors, in real cells, while cells are killed with SIGKILL and agents are killed by
 * their owner at random moments under load. Afterwards:
 * 1. Everybody answers, and remembers what was acknowledged, no more and no less.
 * 2. Nobody lived twice at once: every life has an epoch of its own, each higher than the one before.
 * 3. Nothing is left: no process, and no supervisor that waits.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { inspect } from "node:util";
import type { AgentRef, ChildSpec, Runtime, SupervisorSpec } from "../../runtime/index.ts";
import { seededRandom } from "../../runtime/random.ts";
import { withRuntime } from "../../runtime/testing.ts";
import { isRunning } from "../sandbox/support.ts";
import { COUNTER } from "../support/agents.ts";
import { seed } from "../support/random-runs.ts";

const BLOWS = 24;
/** More than the blows can spend: who gives up, and when, is tested elsewhere. */
const OFTEN = { intensity: 10_000, periodMs: 600_000 };

const agents = (count: number): readonly ChildSpec[] =>
  Array.from({ length: count }, (_, index) => ({ id: `a${index}`, source: COUNTER }));

const TREE: SupervisorSpec = {
  id: "tree",
  ...OFTEN,
  children: [
    { id: "all", strategy: "one_for_all", ...OFTEN, children: agents(5) },
    {
      id: "rest",
      strategy: "rest_for_one",
      ...OFTEN,
      children: [
        ...agents(4),
        { id: "deep", strategy: "one_for_all", ...OFTEN, children: agents(4) },
        ...agents(6).slice(5),
      ],
    },
    { id: "one", ...OFTEN, children: agents(10) },
    { id: "pool", strategy: "dynamic", ...OFTEN, template: { source: COUNTER } },
  ],
};

/** Counts what was acknowledged. */
class Ledger {
  readonly agent: AgentRef;
  acknowledged = 0;

  constructor(agent: AgentRef) {
    this.agent = agent;
  }

  async add(): Promise<void> {
    await this.agent.call("add", 1).then(
      () => (this.acknowledged += 1),
      (error: { readonly details?: { readonly happened?: unknown } }) =>
        assert.equal(error.details?.happened, false, inspect(error)),
    );
  }
}

/** Fails when a life begins that is not newer than every earlier one of its agent. */
function watchEpochs(runtime: Runtime): { readonly wrong: readonly string[]; readonly pids: ReadonlySet<number> } {
  const [newest, wrong, pids] = [new Map<string, number>(), [] as string[], new Set<number>()];
  runtime.subscribe(
    ({ event }) => {
      if (event.type === "cell.spawned") pids.add(event.pid);
      if (event.type !== "agent.started") return;
      const { agent, epoch } = event;
      if (epoch <= (newest.get(agent) ?? 0)) wrong.push(`${agent} began life ${epoch} after ${newest.get(agent)}`);
      newest.set(agent, epoch);
    },
    { after: 0 },
  );
  return { wrong, pids };
}

describe("a tree under blows", () => {
  it("answers in the end, with what was acknowledged, and leaves nothing behind", async (t) => {
    t.diagnostic(`SEED=${seed}`);
    const random = seededRandom(seed);
    const pick = <T>(from: readonly T[]): T =>
      from[random.next32() % from.length] ?? assert.fail("nothing to pick from");
    const runtime = await withRuntime(t, { cells: 3, agentsPerCell: 12, spares: 1, seed });
    const { wrong, pids } = watchEpochs(runtime);
    const tree = await runtime.supervise(TREE);
    for (const id of ["p0", "p1", "p2", "p3", "p4", "p5"]) await runtime.supervisor("tree/pool").startChild({ id });
    const ledgers = runtime.ids().map((id) => new Ledger(runtime.ref(id)));
    assert.equal(ledgers.length, 30);
    for (let blow = 0; blow < BLOWS; blow++) {
      const calls = ledgers.flatMap((ledger) => [ledger.add(), ledger.add()]);
      for (let turns = random.next32() % 8; turns > 0; turns--) await new Promise(setImmediate);
      const homes = runtime.cells().filter(({ residents }) => residents > 0);
      if (random.next32() % 2 === 0 && homes.length > 0) process.kill(pick(homes).pid, "SIGKILL");
      else await pick(ledgers).agent.kill();
      await Promise.all(calls);
    }
    const states = await Promise.all(ledgers.map(({ agent }) => agent.call("read")));
    assert.deepEqual(
      states,
      ledgers.map(({ acknowledged }) => acknowledged),
    );
    assert.ok(ledgers.some(({ acknowledged }) => acknowledged > BLOWS));
    for (const path of ["tree", "tree/all", "tree/rest", "tree/rest/deep", "tree/one", "tree/pool"]) {
      const { specs, active } = await runtime.supervisor(path).countChildren();
      assert.equal(active, specs, `${path} has children that are down`);
    }
    await tree.stop();
    await runtime.close();
    assert.deepEqual(wrong, []);
    assert.deepEqual([...pids].filter(isRunning), []);
  });
});
