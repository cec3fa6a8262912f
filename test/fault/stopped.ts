/**
 * Processes that are stopped (SIGSTOP) and go on (SIGCONT) when the world has changed.
 *
 *     a cell:       stopped under load --> its agents go on elsewhere --> continued, at any moment of all this
 *     the Guardian: stopped under load --> a second one asks for the vault --> continued --> killed --> the second one opens
 *
 * Invariants: (1) what was acknowledged is there, and nothing else but the call that was in flight: a call that is said not
 * to have happened did not; (2) each life has a higher epoch than the one before; (3) a cell that was given up is gone soon,
 * also when it goes on; (4) while it is stopped nobody else gets the vault, and nobody acknowledges in its place; (5) time in
 * which the Guardian itself did not run is held against no cell and no agent; (6) no cell outlives its Guardian.
 */
import { spawn } from "node:child_process";
import type { ChildProcessByStdio } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { Runtime, SandboxError, VaultError } from "../../runtime/index.ts";
import type { AgentRef } from "../../runtime/index.ts";
import { isRunning, until } from "../sandbox/support.ts";
import { COUNTER } from "../support/agents.ts";
import { Chance } from "../support/chance.ts";
import { inFolder, runRounds } from "./subject.ts";
import type { Outcome, Subject } from "./subject.ts";

const GUARDIAN = join(import.meta.dirname, "../fixtures/runtime-guardian.ts");
/** Stops of one runtime: as many as its Guardian may answer with a kill within a minute. */
const STOPS = 3;
const AGENTS = 4;
/** A stopped cell goes on after at most this long: about three times what the Guardian needs to give it up. */
const CELL_STOPPED_MS_MAX = 1_000;
/** A stopped Guardian goes on after at most this long: several heartbeats of its cells. */
const GUARDIAN_STOPPED_MS_MAX = 1_500;
/** Every so many rounds it is the Guardian that is stopped. */
const GUARDIAN_ONE_IN = 4;
/** A client that is answered so many times after a stop has seen all there is to see. */
const ANSWERS = 20;

/** See the header. A fault is one stop. */
export const stopped: Subject = async (options) =>
  runRounds(options, async (round, outcome) => {
    const chance = new Chance(options.seed, round);
    const wrong = await inFolder((folder) =>
      round % GUARDIAN_ONE_IN === 1 ? stopGuardian(folder, chance, outcome) : stopCells(folder, chance, outcome),
    );
    for (const what of wrong) outcome.violations.push({ round, what });
  });

// ------------------------------------------------------------------ a cell

/** What a client knows: how many of its calls were answered and with what, and what was wrong with that. */
interface Client {
  readonly ref: AgentRef;
  value: number;
  answers: number;
}

async function stopCells(folder: string, chance: Chance, outcome: Outcome): Promise<readonly string[]> {
  const wrong: string[] = [];
  const runtime = await Runtime.open({
    vault: join(folder, "vault"),
    durability: "os",
    cells: 2,
    agentsPerCell: AGENTS,
    limits: { cpuMs: 25, wallMs: 50 },
  });
  const epochs = new Map<string, number>();
  runtime.subscribe(({ event }) => {
    if (event.type !== "agent.started") return;
    if (event.epoch <= (epochs.get(event.agent) ?? -1)) wrong.push(`${event.agent} has epoch ${event.epoch} again`);
    epochs.set(event.agent, event.epoch);
  });
  const clients = await Promise.all(
    Array.from({ length: AGENTS }, async (_, no): Promise<Client> => {
      const ref = await runtime.spawn({ id: `a${no}`, source: COUNTER, intensity: 1_000 });
      return { ref, value: 0, answers: 0 };
    }),
  );
  const end = new AbortController();
  const working = clients.map((client) => keepCalling(client, { wrong, outcome, signal: end.signal }));
  for (let stop = 0; stop < STOPS; stop++) {
    await stopCell(runtime, clients, { chance, outcome });
    outcome.faults += 1;
  }
  end.abort();
  await Promise.all(working);
  for (const { ref, value } of clients) {
    const found = await ref.call("read");
    if (found !== value) wrong.push(`${ref.id} has counted to ${String(found)}, its client to ${value}`);
  }
  await runtime.close();
  return wrong;
}

/** Stops one cell under load, lets it go on, and waits until everybody is answered again. */
async function stopCell(
  runtime: Runtime,
  clients: readonly Client[],
  { chance, outcome }: { readonly chance: Chance; readonly outcome: Outcome },
): Promise<void> {
  await answered(clients);
  const homes = runtime.cells().filter(({ residents }) => residents > 0);
  const { pid = 0 } = homes[chance.below(homes.length)] ?? {};
  process.kill(pid, "SIGSTOP");
  await wait(chance.below(CELL_STOPPED_MS_MAX));
  const isGivenUp = runtime.cells().every((cell) => cell.pid !== pid);
  if (isRunning(pid)) process.kill(pid, "SIGCONT");
  await answered(clients);
  if (!isGivenUp) return outcome.note("went on in time");
  outcome.note("replaced");
  await until(() => !isRunning(pid));
}

/** Calls one after the other: each answer is the last one plus one, unless a call is said not to have happened. */
async function keepCalling(
  client: Client,
  { wrong, outcome, signal }: { readonly wrong: string[]; readonly outcome: Outcome; readonly signal: AbortSignal },
): Promise<void> {
  while (!signal.aborted) {
    try {
      const answer = await client.ref.call("add", 1, { timeoutMs: 60_000 });
      client.value += 1;
      client.answers += 1;
      if (answer === client.value) continue;
      wrong.push(`${client.ref.id} answers ${String(answer)} after ${client.value - 1}`);
      client.value = Number(answer);
    } catch (error) {
      if (!(error instanceof SandboxError)) throw error;
      if (error.details["happened"] !== false)
        wrong.push(`${client.ref.id}: ${error.code} does not say that nothing happened`);
      outcome.note(error.code);
    }
  }
}

async function answered(clients: readonly Client[]): Promise<void> {
  const before = clients.map(({ answers }) => answers);
  await until(() => clients.every(({ answers }, no) => answers >= (before[no] ?? 0) + ANSWERS));
}

// ------------------------------------------------------------------ the Guardian

/** What a Guardian process has said. */
class Said {
  readonly values = new Map<string, number>();
  readonly cells: number[] = [];
  readonly exits: string[] = [];
  acks = 0;

  constructor(stdout: Readable) {
    createInterface({ input: stdout }).on("line", (line) => this.#hear(line.split(" ")));
  }

  #hear([what, a = "", b = ""]: readonly string[]): void {
    if (what === "ack") {
      this.acks += 1;
      this.values.set(a, Number(b));
    }
    if (what === "cell") this.cells.push(Number(a));
    if (what === "exit") this.exits.push(`${a} ${b}`);
  }
}

async function stopGuardian(folder: string, chance: Chance, outcome: Outcome): Promise<readonly string[]> {
  const wrong: string[] = [];
  const vault = join(folder, "vault");
  const first = guardian(vault);
  const firstSaid = new Said(first.stdout);
  await until(() => firstSaid.acks >= ANSWERS * AGENTS);
  first.kill("SIGSTOP");
  const refusal = await Runtime.open({ vault }).then(
    (runtime) => runtime.close().then(() => "nothing"),
    (error: unknown) => (error instanceof VaultError ? error.code : String(error)),
  );
  if (refusal !== "VAULT_LOCKED") wrong.push(`a second Guardian is told ${refusal} while the first is stopped`);
  await wait(200); // what was in the pipe is heard
  const acks = firstSaid.acks;
  await wait(chance.below(GUARDIAN_STOPPED_MS_MAX));
  if (firstSaid.acks !== acks) wrong.push("a stopped Guardian acknowledges");
  first.kill("SIGCONT");
  await until(() => firstSaid.acks >= acks + ANSWERS * AGENTS || first.exitCode !== null);
  outcome.faults += 1;
  if (firstSaid.exits.length > 0) wrong.push(`ended while the Guardian was stopped: ${firstSaid.exits.join(", ")}`);
  const closed = once(first, "close");
  first.kill("SIGKILL");
  await closed;
  await until(() => !firstSaid.cells.some(isRunning));
  wrong.push(...(await compare(vault, firstSaid)));
  return wrong;
}

/** The successor has what was acknowledged, and at most the one call that each client had in flight. */
async function compare(vault: string, { values }: Said): Promise<readonly string[]> {
  const wrong: string[] = [];
  const runtime = await Runtime.open({ vault, durability: "os" });
  for (const [id, value] of values) {
    const found = Number(await runtime.ref(id).call("read"));
    if (found < value || found > value + 1) wrong.push(`${id} had counted to ${value}, its successor finds ${found}`);
  }
  await runtime.close();
  return wrong;
}

function guardian(vault: string): ChildProcessByStdio<null, Readable, null> {
  return spawn(process.execPath, [GUARDIAN, vault], { stdio: ["ignore", "pipe", "inherit"] });
}

/** Real time: stopped processes know no other. */
function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
