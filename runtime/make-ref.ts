/**
 * Builds the reference a user holds. Each method looks the agent up by name again, so a reference survives whatever
 * happens to the agent behind it.
 */
import type { AnyAgentDefinition } from "../sandbox/index.ts";
import type { Clock, HistoryEntry, Point, Vault, View } from "../vault/index.ts";
import type { Agent } from "./agent.ts";
import { standingOps, requireCode, stateKeyOf, tableOf } from "./agent-record.ts";
import type { CallOptions } from "./call-options.ts";
import { RuntimeError } from "./errors.ts";
import { handoverIn } from "./handover.ts";
import type { AgentInfo, AgentRef, HistoryLine } from "./ref.ts";
import { shutdownReason } from "./ref.ts";
import { standingSteps } from "./step-records.ts";
import { parseExitReason, parseForkOptions, parsePoint } from "./options.ts";
import { parseHistoryOptions } from "./reading-options.ts";

/** What a reference needs of its runtime. */
export interface RefHost<Def extends AnyAgentDefinition> {
  readonly vault: Vault;
  readonly clock: Clock;
  readonly agent: () => Agent;
  readonly call: (method: string, arg: unknown, options?: CallOptions) => Promise<unknown>;
  readonly cast: (method: string, arg: unknown) => void;
  readonly fork: (id: string, at: Point | undefined) => Promise<void>;
  readonly exit: (reason: string) => void;
  readonly restored: (seq: number) => void;
  readonly ref: (id: string) => AgentRef<Def>;
}

/** A reference to the agent of this name. */
export function makeRef<Def extends AnyAgentDefinition>(id: string, host: RefHost<Def>): AgentRef<Def> {
  const ref = {
    id,
    call: (method: string, arg?: unknown, options?: CallOptions) => host.call(method, arg, options),
    cast: (method: string, arg?: unknown) => host.cast(method, arg),
    fork: async (options: unknown) => {
      const { id: forkId, at } = parseForkOptions(options);
      await host.fork(forkId, at);
      return host.ref(forkId);
    },
    snapshot: async (label: string) => host.agent().snapshot(label),
    history: async (options?: unknown) => {
      const entries = await host.agent().branch.history(parseHistoryOptions(options));
      const { branch } = host.agent();
      return entries.map((entry) => historyLine(entry, branch));
    },
    restore: async (at: unknown) => restore(host, parsePoint(at, "restore")),
    stop: async (reason = "stopped by its owner") => host.agent().stop(shutdownReason(reason)),
    exit: (reason: unknown) => host.exit(parseExitReason(reason, id)),
    kill: async () => host.agent().kill("killed by its owner"),
    revive: async () => host.agent().revive(),
    monitor: (listener: Parameters<AgentRef["monitor"]>[0]) => {
      requireListener("monitor", listener);
      return host.agent().monitors.add(listener);
    },
    info: async () => infoOf(host.agent()),
  };
  return ref as unknown as AgentRef<Def>; // the types of call and cast come from Def, which exists only for the compiler
}

async function restore<Def extends AnyAgentDefinition>(host: RefHost<Def>, at: Point): Promise<void> {
  const agent = host.agent();
  await agent.replace(async (loader) => {
    const { branch } = agent; // read here: a roll-back that was before us may have moved the agent to another one
    const view = await branch.at(at);
    requireCode(agent.id, view);
    const ops = [...standingOps(view, agent.spec), ...standingSteps(branch)];
    const commit = host.vault.restore(branch.id, view, { durability: "disk", ops });
    await commit.durable;
    agent.traffic.cut();
    host.restored(commit.seq);
    const life = await loader.loadFrom(branch);
    life.fence();
    return life;
  });
}

/** What stands in the frame of a turn's commit: written by incarnation.ts, turn-steps.ts. */
interface HistoryNote {
  readonly kind?: string;
  readonly method?: string;
  readonly step?: string;
}

function historyLine(entry: HistoryEntry, branch: View): HistoryLine {
  const { seq, timeMs } = entry;
  const keys = entry.keys.map(stateKeyOf).filter((key) => key !== undefined);
  const tables = new Set(entry.keys.map(tableOf).filter((table) => table !== undefined));
  const note = entry.note === undefined ? undefined : (JSON.parse(Buffer.from(entry.note).toString()) as HistoryNote); // those two write it
  const isStep = note?.kind === "step";
  const label = isStep ? note.step : entry.label;
  const handover = handoverIn(branch, entry.keys);
  const kind = handover === undefined ? entry.kind : "handover";
  return {
    seq,
    timeMs,
    kind: isStep ? "step" : kind,
    keys,
    ...(tables.size === 0 ? {} : { tables: [...tables] }),
    ...(label === undefined ? {} : { label }),
    ...(note?.method === undefined ? {} : { method: note.method }),
    ...handover,
  };
}

/** Refuses what cannot be called, where it is handed over and not when the first event comes. */
function requireListener(where: string, listener: unknown): void {
  if (typeof listener === "function") return;
  throw new RuntimeError("RUNTIME_OPTIONS_INVALID", `${where}: a function must be given`);
}

/** An agent's figures as they stand. */
export function infoOf(agent: Agent): AgentInfo {
  const { life, current, downReason: reason } = agent;
  return {
    id: agent.id,
    status: agent.phase,
    ...(reason === undefined ? {} : { reason }),
    cell: life?.cellId,
    cellPid: life?.cellPid,
    heapBytes: life?.heapBytes ?? 0,
    heapLimitBytes: agent.spec.limits.heapMb << 20,
    mailbox: agent.mailboxLength,
    restarts: agent.restarts,
    hash: current?.hash,
    version: current?.version,
    profile: current?.profile,
    seq: agent.branch.head,
    epoch: agent.branch.epoch,
  };
}
