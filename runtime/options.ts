/**
 * The runtime's door for options: every default with its unit and its reason, and one strict parse. An unknown key is
 * an error, because a misspelt limit must not become no limit.
 */
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import type { Durability, Point, RetentionRule } from "../vault/index.ts";
import { AGENT_LIMITS, limitsSchema, withDefaults } from "./limit-options.ts";
import type { AgentLimits } from "./limit-options.ts";
import { agentId, agentPath } from "./name-options.ts";
import type { Capability } from "./capabilities/contract.ts";
import type { HostGrants, HostOptions } from "./capabilities/grants.ts";
import { withGrants } from "./capabilities/grants.ts";
import { Capabilities } from "./capabilities/registry.ts";
import { contradictions, recycleLimits, recycleSchema, sandboxSchema } from "./cell-options.ts";
import type { RecycleOptions, SandboxOptions } from "./cell-options.ts";
import { cellContradictions, limitContradictions, machineMb } from "./limit-checks.ts";
import { count, invalid, parse } from "./parse-options.ts";
import type { RecycleLimits } from "./recycling.ts";
import type { RestartType } from "./supervision/contract.ts";

/** When words are a poison, where a spec says nothing; `SpawnOptions` has the reasons. */
export const QUARANTINE = { quarantineDeaths: 3, quarantineMs: 600_000 } as const;

/** How many dead letters are kept, and how much text: a mailbox full of ordinary messages, and the text of a large one. */
const DEAD_LETTERS = { countMax: 1_000, bytesMax: 64 << 20 } as const;

/** Calls of capabilities that are kept, and their bytes: a day of one every eight seconds, with answers that are worth keeping. */
const AUDIT = { countMax: 10_000, bytesMax: 64 << 20 } as const;

/** Topics: publications that one keeps where it says nothing else, and how many topics there may be, whoever names them. */
const TOPICS = { retain: 1_000, countMax: 100_000 } as const;

/** Options of `Runtime.open`. */
export interface RuntimeOptions {
  /** Folder of the vault; made when missing. */
  readonly vault: string;
  /** When an acknowledgement is given: `disk` after fdatasync (default), `os` after write(2), `memory` at once. */
  readonly durability?: Durability | undefined;
  /** Most cells that host live agents. Default: the number of cores, at least 2. */
  readonly cells?: number | undefined;
  /** Most live agents per cell. 25: a lost cell then comes back well under 100 ms. */
  readonly agentsPerCell?: number | undefined;
  /**
   * Warm cells that wait for anybody, per profile in use. 1 (default): agents of a cell that is lost go on there at once. 0 saves
   * its memory, some 60 MiB, and its start; who is lost then waits for a new process.
   */
  readonly spares?: number | undefined;
  /** Resident growth of a cell before it is killed, in MiB. */
  readonly cellMemoryMb?: number | undefined;
  /** `auto`: bubblewrap where it works. `required`: refuse to start without. `off`: Node's permission model only. */
  readonly osSandbox?: "auto" | "required" | "off" | undefined;
  /** Layers of protection without which this runtime must not open: `{ require: ["permission", "bubblewrap", "seccomp"] }`. */
  readonly sandbox?: SandboxOptions | undefined;
  /** When a cell is replaced: by age (an hour), growth (three quarters of `cellMemoryMb`) or lives it has hosted (10,000). */
  readonly recycle?: RecycleOptions | undefined;
  /** pino level, or `silent` (default). */
  readonly logLevel?: "trace" | "debug" | "info" | "warn" | "error" | "silent" | undefined;
  /**
   * How long snapshots with labels of your own are kept, ahead of the rules for those that the runtime sets by itself
   * (`before-restore-7`, `before-d3`: the newest 32). Default: none, so all of yours are kept for ever.
   *
   *     retention: [{ label: "hourly-#", count: 48 }, { label: "scratch-*", ageMs: 86_400_000 }]
   */
  readonly retention?: readonly RetentionRule[] | undefined;
  /** Dead letters that are kept: at most `countMax` (1,000) with `bytesMax` (64 MiB) of text; the oldest go. */
  readonly deadLetters?: { readonly countMax?: number | undefined; readonly bytesMax?: number | undefined } | undefined;
  /** Publications that a topic keeps (`retain`, 1,000; `runtime.topic(name).retain(n)` for one), and topics at most (100,000). */
  readonly topics?: { readonly retain?: number | undefined; readonly countMax?: number | undefined } | undefined;
  /** What agents may be granted beside what is built in; made by `defineCapability`. Each name once. */
  readonly capabilities?: readonly Capability[] | undefined;
  /**
   * What is kept of calls of capabilities: at most `countMax` calls (10,000) with `bytesMax` (64 MiB); the oldest of the agent
   * that has most, with its subagents, go first.
   */
  readonly audit?: { readonly countMax?: number | undefined; readonly bytesMax?: number | undefined } | undefined;
  /** Seed of all chance in the runtime; default: from the system's entropy. */
  readonly seed?: number | undefined;
  /** Defaults for all agents of this runtime. */
  readonly limits?: Partial<AgentLimits> | undefined;
}

/** `RuntimeOptions` with every default filled in. */
export interface ParsedRuntimeOptions {
  readonly vault: string;
  readonly durability: Durability;
  readonly cells: number;
  readonly agentsPerCell: number;
  readonly spares: number;
  readonly cellMemoryMb: number;
  readonly osSandbox: "auto" | "required" | "off";
  readonly sandbox: SandboxOptions;
  readonly recycle: RecycleLimits;
  readonly logLevel: "trace" | "debug" | "info" | "warn" | "error" | "silent";
  readonly retention: readonly RetentionRule[];
  readonly deadLetters: { readonly countMax: number; readonly bytesMax: number };
  readonly topics: { readonly retain: number; readonly countMax: number };
  readonly capabilities: Capabilities;
  readonly audit: { readonly countMax: number; readonly bytesMax: number };
  readonly seed: number | undefined;
  readonly limits: AgentLimits;
}

/** What an agent has where its spec says nothing, and what it may be granted: nothing, where that is not said. */
export type SpawnDefaults = Pick<ParsedRuntimeOptions, "durability" | "limits"> &
  Partial<Pick<ParsedRuntimeOptions, "capabilities" | "cellMemoryMb">>;

/** Options of `Runtime.spawn`: what the agent is, and how it is supervised. Exactly one of `module` and `source`. */
export interface SpawnOptions {
  /** Its name, unique in the vault: letters, digits and `. _ : -`, at most 128. */
  readonly id: string;
  /** A file; its imports are bundled. */
  readonly module?: URL | string | undefined;
  /** TypeScript text. */
  readonly source?: string | undefined;
  /** Default `permanent`. */
  readonly restart?: RestartType | undefined;
  /** Restarts tolerated within `periodMs`; one more parks the agent. OTP's dynamic supervisors: 3 in 5 s. */
  readonly intensity?: number | undefined;
  readonly periodMs?: number | undefined;
  /**
   * A message whose words (method and argument) ended the agent so many times within `quarantineMs` is refused at the door
   * and set aside. Default 3: fewer than the restarts that are tolerated by default, so that the agent is not parked for it.
   */
  readonly quarantineDeaths?: number | undefined;
  /** Default 10 minutes: whoever sends such words again does it every few seconds, or once a minute. */
  readonly quarantineMs?: number | undefined;
  /** Time for `stop`, in ms. OTP's default is 5,000. */
  readonly shutdownMs?: number | "brutal_kill" | "infinity" | undefined;
  readonly durability?: Durability | undefined;
  /** `trusted` (JIT) or `hardened` (no JIT). Default: `trusted` for code given here; promoted code runs `hardened`. */
  readonly profile?: "trusted" | "hardened" | undefined;
  /**
   * Trust domain, such as a tenant's name: agents of different domains never share a cell, those that name none are a domain of
   * their own (""). A subagent has its parent's, unless its definition names one. Letters, digits and `. _ : -`, at most 64.
   */
  readonly domain?: string | undefined;
  readonly limits?: Partial<AgentLimits> | undefined;
  /** What `ctx.used` may sum up to before the agent hands over to its next life; at least 1. Default: no end. */
  readonly contextBudget?: number | undefined;
  /**
   * Where `crypto` gets its bytes: `seeded` (default) from the turn's seed, which is no secret; `real` from the system's entropy, drawn
   * once per message, so that a turn that is run again draws the same, and once per life for what the module draws while it is
   * evaluated. `Math.random` and `ctx.random` are seeded in both.
   */
  readonly random?: "seeded" | "real" | undefined;
  /** What the agent reads as `ctx.text`: at most 256 KiB. Default "". */
  readonly text?: string | undefined;
  /**
   * What the agent may do outside of its isolate: capabilities by name, each with its parameters and a `quota` if wanted.
   * Default: nothing. JSON of at most 32 KiB; it is kept in the vault with the rest of the spec, so secrets are named, not given.
   *
   *     host: { weather: { cities: ["Bern"], quota: { callsPerMinute: 10 } } }
   */
  readonly host?: HostOptions | undefined;
}

/** Options of `runtime.define`: what subagents of this definition are. Exactly one of `module` and `source`; how one is restarted is said by who spawns it. */
export type DefinitionOptions = Omit<SpawnOptions, "id" | "restart" | "intensity" | "periodMs" | "shutdownMs">;

/** `ctx.spawn`'s options with defaults filled in. */
export interface ParsedSubagentOptions extends Pick<
  ParsedSpawnOptions,
  "id" | "source" | "restart" | "intensity" | "periodMs" | "shutdownMs"
> {
  readonly definition: string | undefined;
  /** Names of grants that it is to have. */
  readonly host: readonly string[] | undefined;
}

/** What the front matter of `<id>.agent.md` may say: the file of its code, and of `spawn`'s options all but id, source and text. */
export interface RecordSettings {
  readonly module?: string | undefined;
  readonly [option: string]: unknown;
}

/** Options of `Runtime.watch`. */
export interface WatchOptions {
  /** A file counts as saved when nothing was written for this long, in ms. Default 50. */
  readonly calmMs?: number | undefined;
}

/** `SpawnOptions` with defaults filled in. */
export interface ParsedSpawnOptions {
  readonly id: string;
  readonly module: URL | string | undefined;
  readonly source: string | undefined;
  readonly restart: RestartType;
  readonly intensity: number;
  readonly periodMs: number;
  readonly quarantineDeaths: number;
  readonly quarantineMs: number;
  readonly shutdownMs: number | "brutal_kill" | "infinity";
  readonly durability: Durability;
  readonly profile: "trusted" | "hardened";
  /** Absent: none was named. */
  readonly domain?: string | undefined;
  readonly limits: AgentLimits;
  readonly text: string;
  /** Absent: no end. */
  readonly contextBudget?: number | undefined;
  /** Absent: seeded. */
  readonly random?: "real" | undefined;
  /** What is granted, checked; absent: nothing. */
  readonly host?: HostGrants;
  /** The supervisor whose child it is, by path; never given by a caller of `spawn`. */
  readonly supervisor?: string;
}

const durability = z.enum(["disk", "os", "memory"]);

/** Publications that a topic keeps. */
export const retain: z.ZodNumber = count(1_000_000);

const retentionRule = z
  .strictObject({
    label: z
      .string()
      .regex(/^[^*]*\*?$/, "a * stands at the end only")
      .min(1),
    count: z.number().int().min(0).optional(),
    ageMs: z.number().min(0).optional(),
  })
  .refine(({ count: newest, ageMs }) => newest !== undefined || ageMs !== undefined, "give a count, an age or both");

const runtimeSchema = z.strictObject({
  vault: z.string().min(1),
  durability: durability.optional(),
  cells: count(256).optional(),
  agentsPerCell: count(1_000).optional(),
  spares: z.number().int().min(0).max(1).optional(),
  cellMemoryMb: z
    .number()
    .int()
    .min(64)
    .max(1 << 20)
    .optional(),
  osSandbox: z.enum(["auto", "required", "off"]).optional(),
  sandbox: sandboxSchema.optional(),
  recycle: recycleSchema.optional(),
  logLevel: z.enum(["trace", "debug", "info", "warn", "error", "silent"]).optional(),
  retention: z.array(retentionRule).max(1_000).optional(),
  deadLetters: z
    .strictObject({ countMax: count(1_000_000).optional(), bytesMax: count(1 << 30).optional() })
    .optional(),
  topics: z.strictObject({ retain: retain.optional(), countMax: count(10_000_000).optional() }).optional(),
  audit: z.strictObject({ countMax: count(10_000_000).optional(), bytesMax: count(1 << 30).optional() }).optional(),
  capabilities: z.array(z.unknown()).max(1_000).optional(), // each is checked where it is registered
  seed: z.number().int().min(0).max(0xffff_ffff).optional(),
  limits: limitsSchema.optional(),
});

const fileUrl = z.instanceof(URL).refine(({ protocol }) => protocol === "file:", "a URL of a file begins with file:");

/** As much as an artifact may take: it goes into every isolate of its agent. */
const TEXT_BYTES_MAX = 262_144;
const definitionText = z
  .string()
  .refine((text) => text.isWellFormed(), "text must be well-formed")
  .refine((text) => Buffer.byteLength(text) <= TEXT_BYTES_MAX, `at most ${TEXT_BYTES_MAX} bytes of text`);

const domainPattern = /^[A-Za-z0-9._:-]{0,64}$/;

const spawnObject = z.strictObject({
  id: agentId,
  module: z
    .union([fileUrl, z.string().min(1)], 'a path, or a file: URL such as new URL("./x.agent.ts", import.meta.url)')
    .optional(),
  source: z.string().optional(),
  restart: z.enum(["permanent", "transient", "temporary"]).optional(),
  intensity: z.number().int().min(0).max(1_000_000).optional(),
  periodMs: count(86_400_000).optional(),
  quarantineDeaths: count(1_000_000).optional(),
  quarantineMs: count(31_536_000_000).optional(),
  shutdownMs: z.union([count(86_400_000), z.enum(["brutal_kill", "infinity"])]).optional(),
  durability: durability.optional(),
  profile: z.enum(["trusted", "hardened"]).optional(),
  domain: z.string().regex(domainPattern, "letters, digits and . _ : - only, at most 64 characters").optional(),
  limits: limitsSchema.optional(),
  contextBudget: count(Number.MAX_SAFE_INTEGER).optional(),
  random: z.enum(["seeded", "real"]).optional(),
  text: definitionText.optional(),
  host: z.unknown().optional(), // the capabilities check their grants
});
const spawnSchema = spawnObject.refine((options) => (options.module === undefined) !== (options.source === undefined), {
  message: "give exactly one of module and source",
});
/** As `ctx.exit` takes it. */
const exitReason = z.string().min(1).max(512, "a reason of at most 512 characters");
const definitionSchema = spawnObject
  .omit({ restart: true, intensity: true, periodMs: true, shutdownMs: true })
  .refine((options) => (options.module === undefined) !== (options.source === undefined), {
    message: "give exactly one of module and source",
  });
const subagentSchema = spawnObject
  .pick({ id: true, source: true, restart: true, intensity: true, periodMs: true, shutdownMs: true })
  .extend({ definition: agentId.optional(), host: z.array(z.string().min(1).max(64)).max(64).optional() })
  .refine(({ source, definition }) => source === undefined || definition === undefined, {
    message: "give at most one of source and definition",
  });
/** In a record's front matter: its name, its code and its text are the file's own. */
const recordSchema = spawnObject
  .omit({ id: true, source: true, text: true })
  .extend({ module: z.string().min(1).optional() });
const folderPath = z.union([fileUrl, z.string().min(1)], "the path of a folder, or its file: URL");
const watchSchema = z.strictObject({ calmMs: z.number().min(0).max(60_000).optional() }).optional();

/** Throws RUNTIME_OPTIONS_INVALID. */
export function parseRuntimeOptions(input: unknown): ParsedRuntimeOptions {
  const given = parse(runtimeSchema, input, "Runtime.open");
  const agentLimits = withDefaults(AGENT_LIMITS, given.limits);
  // Room for two agents that are as large as they may be.
  const { agentsPerCell = 25, cellMemoryMb = Math.max(1_024, 2 * agentLimits.heapMb), osSandbox = "auto" } = given;
  const recycle = recycleLimits(given.recycle, { agentsPerCell, cellMemoryMb });
  const machine = machineMb();
  const wrong = [
    ...contradictions(recycle, given.sandbox, { agentsPerCell, cellMemoryMb, osSandbox }),
    ...limitContradictions(agentLimits, { machineMb: machine, cellMemoryMb }),
    ...cellContradictions(cellMemoryMb, machine),
  ];
  if (wrong.length > 0) throw invalid("Runtime.open", wrong);
  return {
    vault: given.vault,
    durability: given.durability ?? "disk",
    cells: given.cells ?? Math.max(2, availableParallelism()),
    agentsPerCell,
    spares: given.spares ?? 1,
    cellMemoryMb,
    osSandbox,
    sandbox: given.sandbox ?? {},
    recycle,
    logLevel: given.logLevel ?? "silent",
    retention: (given.retention ?? []).map(ruleOf),
    deadLetters: {
      countMax: given.deadLetters?.countMax ?? DEAD_LETTERS.countMax,
      bytesMax: given.deadLetters?.bytesMax ?? DEAD_LETTERS.bytesMax,
    },
    topics: {
      retain: given.topics?.retain ?? TOPICS.retain,
      countMax: given.topics?.countMax ?? TOPICS.countMax,
    },
    capabilities: new Capabilities(given.capabilities ?? []),
    audit: { countMax: given.audit?.countMax ?? AUDIT.countMax, bytesMax: given.audit?.bytesMax ?? AUDIT.bytesMax },
    seed: given.seed,
    limits: agentLimits,
  };
}

/** Throws RUNTIME_OPTIONS_INVALID, RUNTIME_CAPABILITY_MISSING. `runtime` gives the defaults. */
export function parseSpawnOptions(input: unknown, runtime: SpawnDefaults, where = "spawn"): ParsedSpawnOptions {
  const given = parse(spawnSchema, input, where);
  const { capabilities = new Capabilities([]), cellMemoryMb } = runtime;
  const agentLimits = withDefaults(runtime.limits, given.limits);
  const wrong = limitContradictions(agentLimits, { machineMb: machineMb(), cellMemoryMb });
  if (wrong.length > 0) throw invalid(where, wrong);
  return {
    id: given.id,
    module: given.module,
    source: given.source,
    restart: given.restart ?? "permanent",
    intensity: given.intensity ?? 3,
    periodMs: given.periodMs ?? 5_000,
    quarantineDeaths: given.quarantineDeaths ?? QUARANTINE.quarantineDeaths,
    quarantineMs: given.quarantineMs ?? QUARANTINE.quarantineMs,
    shutdownMs: given.shutdownMs ?? 5_000,
    durability: given.durability ?? runtime.durability,
    profile: given.profile ?? "trusted",
    limits: agentLimits,
    text: given.text ?? "",
    ...(given.host === undefined ? {} : withGrants(capabilities.check(given.host, where))),
    ...(given.contextBudget === undefined ? {} : { contextBudget: given.contextBudget }),
    ...(given.random === "real" ? { random: given.random } : {}),
    ...(given.domain === undefined ? {} : { domain: given.domain }),
  };
}

/** What a name stands for in `ctx.spawn`. Throws RUNTIME_OPTIONS_INVALID, RUNTIME_CAPABILITY_MISSING. */
export function parseDefinition(name: unknown, input: unknown, runtime: SpawnDefaults): ParsedSpawnOptions {
  const given = typeof input === "object" && input !== null ? { ...input, id: name } : input;
  return parseSpawnOptions(parse(definitionSchema, given, "define"), runtime);
}

/** What an agent says to `ctx.spawn`. Throws RUNTIME_OPTIONS_INVALID. */
export function parseSubagentOptions(input: unknown, parent: string): ParsedSubagentOptions {
  const given = parse(subagentSchema, input, `${parent}: spawn`);
  return {
    id: parse(agentPath, `${parent}/${given.id}`, `${parent}: spawn`),
    source: given.source,
    definition: given.definition,
    host: given.host,
    restart: given.restart ?? "temporary",
    intensity: given.intensity ?? 3,
    periodMs: given.periodMs ?? 5_000,
    shutdownMs: given.shutdownMs ?? 5_000,
  };
}

/** What an agent's record may set. Throws RUNTIME_OPTIONS_INVALID. */
export function parseRecordSettings(input: unknown, file: string): RecordSettings {
  return parse(recordSchema, input, file);
}

/** Throws RUNTIME_OPTIONS_INVALID. */
export function parseWatchOptions(dir: unknown, input: unknown): { readonly dir: string; readonly calmMs: number } {
  const folder = parse(folderPath, dir, "watch");
  // 50 ms: longer than the two steps of an editor's save, shorter than a person notices.
  const calmMs = parse(watchSchema, input, "watch")?.calmMs ?? 50;
  return { dir: folder instanceof URL ? fileURLToPath(folder) : folder, calmMs };
}

const pointSchema = z.union(
  [
    z.strictObject({ label: z.string().min(1) }),
    z.strictObject({ seq: z.number().int().min(0) }),
    z.strictObject({ timeMs: z.number().min(0) }),
  ],
  'a point in the past is { label: "name" }, { seq: number } or { timeMs: number }',
);

const forkSchema = z.strictObject({ id: agentId, at: pointSchema.optional() });

/** Checks a point in the past. Throws RUNTIME_OPTIONS_INVALID. */
export function parsePoint(input: unknown, where: string): Point {
  return parse(pointSchema, input, where);
}

/** Checks what `fork` is given. Throws RUNTIME_OPTIONS_INVALID. */
export function parseForkOptions(input: unknown): { readonly id: string; readonly at?: Point | undefined } {
  return parse(forkSchema, input, "fork");
}

/** Checks the reason of an exit signal. Throws RUNTIME_OPTIONS_INVALID. */
export function parseExitReason(input: unknown, agent: string): string {
  return parse(exitReason, input, `${agent}: exit`);
}

/** The rule without what was not said. */
function ruleOf({ label, count: newest, ageMs }: z.infer<typeof retentionRule>): RetentionRule {
  return { label, ...(newest === undefined ? {} : { count: newest }), ...(ageMs === undefined ? {} : { ageMs }) };
}
