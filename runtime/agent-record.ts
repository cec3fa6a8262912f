/**
 * What an agent keeps in its branch of the vault, and under which keys. The first two characters of a key say whose it
 * is, so the agent's own keys can never collide with the runtime's:
 *
 *   s:<key>         one top-level key of ctx.state, as encoded text
 *   t:<table>\0<key>  one row of ctx.table, as encoded text; no table's name has a zero byte
 *   p:<topic>       how far it has come in a topic it subscribes to (topic-place.ts)
 *   a:spec          how it is supervised and limited (JSON)
 *   a:current       which version of its code is current (JSON)
 *   a:code:<hash>   one version of its code (JSON of an Artifact)
 *   i:, j:          ids of calls that were committed (call-ids.ts)
 *   e:              results of steps whose turn is not committed yet (step-records.ts)
 *   h:              what is counted and handed over from life to life (handover.ts)
 *
 * Code and state live in one branch, so one commit moves both, and a fork or a restore takes both.
 */
import { isDeepStrictEqual } from "node:util";
import type { Artifact, RowOp } from "../sandbox/index.ts";
import type { Op, View } from "../vault/index.ts";
import { withGrants } from "./capabilities/grants.ts";
import { RuntimeError } from "./errors.ts";
import { AGENT_LIMITS } from "./limit-options.ts";
import { QUARANTINE } from "./options.ts";
import type { ParsedSpawnOptions } from "./options.ts";

const STATE_PREFIX = "s:";
const ROW_PREFIX = "t:";
const SPEC_KEY = "a:spec";
const CURRENT_KEY = "a:current";
const CODE_PREFIX = "a:code:";

/** How an agent is supervised and limited: `spawn`'s options without its code. */
export interface AgentSpec extends Omit<ParsedSpawnOptions, "module" | "source"> {
  /** Of a subagent: the agent that spawned it and that it belongs to. */
  readonly parent?: string;
  /** Of a subagent whose grants were passed on to it: the agent that was granted them, under whose name their use is counted. */
  readonly grantOwner?: string;
}

/** A version that was current before, and the name of the state it had, which was migrated since where the versions differ. */
export type EarlierCode = Omit<CurrentCode, "before"> & { readonly label?: string };

/** Which code is current. */
export interface CurrentCode {
  /** The version that was current before this one: where an agent goes back to when this one does not load any more. */
  readonly before?: EarlierCode;
  /** Hash of the current artifact. */
  readonly hash: string;
  /** The `version` that code declares; the state has this shape. */
  readonly version: number;
  /** Hash of the artifact the operator gave at `spawn`. Another one at the next `spawn` is a new deployment; the same one keeps what evolved. */
  readonly originHash: string;
  /** `trusted` or `hardened`: where this code may run. */
  readonly profile: "trusted" | "hardened";
  /** Which signals it has a handler for: `@exit` (it traps exits), `@down`, `verdict`. Absent: none. */
  readonly hears?: readonly string[];
}

/** A state key and its encoded text, or `undefined` for a delete. */
export type StateOp = readonly [key: string, text: string | undefined];

/** The vault ops for changes of `ctx.state`. */
export function stateOps(changes: readonly StateOp[]): Op[] {
  return changes.map(([key, text]) =>
    text === undefined ? { delete: STATE_PREFIX + key } : { put: STATE_PREFIX + key, value: bytesOf(text) },
  );
}

/** The vault ops for everything that a turn wrote: its state and its rows. */
export function draftOps(draft: { readonly ops: readonly StateOp[]; readonly rows: readonly RowOp[] }): Op[] {
  const ops = stateOps(draft.ops);
  for (const [table, key, text] of draft.rows) {
    const at = rowPrefix(table) + key;
    ops.push(text === undefined ? { delete: at } : { put: at, value: bytesOf(text) });
  }
  return ops;
}

/** What the keys of a table's rows begin with in the vault. */
export function rowPrefix(table: string): string {
  return `${ROW_PREFIX}${table}\0`;
}

/** The whole of `ctx.state`, each key's text decoded only when it is reached. */
export function* stateEntries(view: View): Iterable<readonly [string, string]> {
  for (const [key, value] of view.range({ prefix: STATE_PREFIX })) {
    yield [key.slice(STATE_PREFIX.length), textOf(value)];
  }
}

/** All that a branch keeps but the versions of its code, each value read when it is reached. */
export function keptEntries(view: View): Iterable<readonly [string, Uint8Array]> {
  return view.range({ from: CURRENT_KEY }); // only the code's keys stand before it
}

/** The op that stores a spec. */
export function specOp(spec: AgentSpec): Op {
  return { put: SPEC_KEY, value: bytesOf(JSON.stringify(spec)) };
}

/** The ops that make `artifact` the current code. */
export function codeOps(artifact: Artifact, current: CurrentCode): Op[] {
  return [
    { put: CODE_PREFIX + artifact.hash, value: bytesOf(JSON.stringify(artifact)) },
    { put: CURRENT_KEY, value: bytesOf(JSON.stringify(current)) },
  ];
}

/** `current` with the version it follows. The same code again (with other settings) follows what it followed. */
export function following(current: CurrentCode, before: CurrentCode | undefined, label?: string): CurrentCode {
  if (before === undefined) return current;
  const { before: earlier, ...last } = before;
  const followed = last.hash === current.hash ? earlier : { ...last, ...(label === undefined ? {} : { label }) };
  return followed === undefined ? current : { ...current, before: followed };
}

/** The spec in a branch, `undefined` before the first start. */
export function readSpec(view: View): AgentSpec | undefined {
  const spec = readJson(view, SPEC_KEY) as (Omit<AgentSpec, "text"> & { text?: string }) | undefined; // written by specOp alone
  // What was not known yet when the spec was written has its default.
  return spec === undefined
    ? undefined
    : { ...spec, text: spec.text ?? "", limits: { ...AGENT_LIMITS, ...spec.limits }, ...quarantineOf(spec) };
}

function quarantineOf(
  spec: Partial<Pick<AgentSpec, keyof typeof QUARANTINE>>,
): Pick<AgentSpec, keyof typeof QUARANTINE> {
  const { quarantineDeaths = QUARANTINE.quarantineDeaths, quarantineMs = QUARANTINE.quarantineMs } = spec;
  return { quarantineDeaths, quarantineMs };
}

/**
 * What a restore of an earlier state must write with it: the grants and the trust domain of then are not brought back. What an
 * agent may do outside, and with whom it lives, is what its owner says now, whatever state it goes back to.
 */
export function standingOps(then: View, now: Pick<AgentSpec, "host" | "domain">): readonly Op[] {
  const spec = readSpec(then);
  if (spec === undefined || (isDeepStrictEqual(spec.host, now.host) && spec.domain === now.domain)) return [];
  const { host: _host, domain: _domain, ...rest } = spec;
  const domain = now.domain === undefined ? {} : { domain: now.domain };
  return [specOp({ ...rest, ...withGrants(now.host), ...domain })];
}

/** Which code is current, `undefined` before the first start. */
export function readCurrent(view: View): CurrentCode | undefined {
  return readJson(view, CURRENT_KEY) as CurrentCode | undefined; // written by codeOps alone
}

/** One kept version of the code. */
export function readArtifact(view: View, hash: string): Artifact | undefined {
  return readJson(view, CODE_PREFIX + hash) as Artifact | undefined; // written by codeOps alone
}

/** Throws RUNTIME_START_FAILED for a point in time before the agent's first start: there is nothing to run. */
export function requireCode(agent: string, view: View): void {
  if (readCurrent(view) !== undefined) return;
  const text = `at this point ${agent} had not been started yet: there is neither code nor state to go back to`;
  throw new RuntimeError("RUNTIME_START_FAILED", text, { details: { agent } });
}

/** The state key behind a vault key; `undefined` for the runtime's own keys. */
export function stateKeyOf(key: string): string | undefined {
  return key.startsWith(STATE_PREFIX) ? key.slice(STATE_PREFIX.length) : undefined;
}

/** The table behind a vault key; `undefined` for keys that are no row's. */
export function tableOf(key: string): string | undefined {
  return key.startsWith(ROW_PREFIX) ? key.slice(ROW_PREFIX.length, key.indexOf("\0")) : undefined;
}

function readJson(view: View, key: string): unknown {
  const value = view.get(key);
  return value === undefined ? undefined : JSON.parse(textOf(value));
}

const decoder = new TextDecoder();

function bytesOf(text: string): Uint8Array {
  return Buffer.from(text);
}

/** The text of a value. */
export function textOf(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}
