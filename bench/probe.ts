/**
 * A runtime in a temporary vault with agents to measure, gone without a trace when its scope ends.
 */
import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AgentRef, RuntimeOptions, SpawnOptions } from "../runtime/index.ts";
import { Runtime } from "../runtime/index.ts";
import type probe from "./agents/probe.agent.ts";

/** A reference to an agent that is measured. */
export type Probe = AgentRef<typeof probe>;

/** The module of the agents that are measured. */
export const probeModule: URL = new URL("./agents/probe.agent.ts", import.meta.url);

/** A runtime of its own; disposing it removes its vault too. */
export interface Lab extends AsyncDisposable {
  readonly runtime: Runtime;
  spawn(id: string, options?: Partial<SpawnOptions>): Promise<Probe>;
}

const ENDURING = { intensity: 1_000_000, quarantineDeaths: 1_000_000 };

/** Opens a runtime in a new temporary vault. Durability is `disk` unless `options` say otherwise. */
export async function openLab(options: Omit<RuntimeOptions, "vault"> = {}): Promise<Lab> {
  const folder = await mkdtempDisposable(join(tmpdir(), "planaria-bench-"));
  try {
    const runtime = await Runtime.open({ vault: join(folder.path, "vault"), ...options });
    return labOf(runtime, folder);
  } catch (error) {
    await folder.remove();
    throw error;
  }
}

function labOf(runtime: Runtime, folder: { remove(): Promise<void> }): Lab {
  return {
    runtime,
    // The bench crashes its agents on purpose and often: they must not be parked for it, nor the words be set aside.
    spawn: (id, options = {}) => runtime.spawn<typeof probe>({ id, module: probeModule, ...ENDURING, ...options }),
    async [Symbol.asyncDispose]() {
      await runtime.close();
      await folder.remove();
    },
  };
}

/** `count` agents, spawned one after the other. */
export async function spawnMany(lab: Lab, name: string, count: number): Promise<readonly Probe[]> {
  const probes: Probe[] = [];
  for (let index = 0; index < count; index++) probes.push(await lab.spawn(`${name}-${index}`));
  return probes;
}

/** How long `work` took, in ms, and what it gave. */
export async function timed<T>(work: () => Promise<T>): Promise<{ readonly ms: number; readonly value: T }> {
  const started = performance.now();
  const value = await work();
  return { ms: performance.now() - started, value };
}

/** The code of the error that `work` must reject with. Rejects when it does not. */
export async function refusalOf(work: Promise<unknown>): Promise<string> {
  const outcome = await work.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (outcome instanceof Error && "code" in outcome) return String(outcome.code);
  throw new Error("a call that must fail did not fail as it must", { cause: outcome });
}
