/**
 * Grants as a spec carries them: by the name of a capability, its parameters and its quota. Data only, because a spec is kept
 * in the vault; what it means is the capability's to say, each time it is used.
 */
import { parentOf } from "../kinship.ts";
import type { CapabilityQuota } from "./contract.ts";
import type { ExecGrant } from "./exec-grant.ts";
import type { FetchGrant } from "./fetch-grant.ts";
import type { FilesGrant } from "./files-grant.ts";
import type { LlmGrant } from "./llm-grant.ts";
import type { McpGrant } from "./mcp-grant.ts";
import type { Issue } from "./quota-grant.ts";

/** A grant: its capability's own parameters, and a quota. */
export type Granted<Parameters> = Parameters & { readonly quota?: Partial<CapabilityQuota> | undefined };

/**
 * Grants as a program gives them: those of the built-in capabilities by their own types, and objects for the program's own,
 * which are checked by their schemas as the agent is spawned.
 */
export type HostOptions = Readonly<Record<string, object>> & {
  readonly fetch?: Granted<FetchGrant>;
  readonly llm?: Granted<LlmGrant>;
  readonly exec?: Granted<ExecGrant>;
  readonly files?: Granted<FilesGrant>;
  readonly mcp?: Granted<McpGrant>;
};

/** What an agent may do outside of its isolate, by the name of the capability, as a spec keeps it. */
export type HostGrants = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** All grants of one agent as JSON: they are read by people, and go into every commit of the spec. */
const GRANTS_BYTES_MAX: number = 32 << 10;
const DEPTH_MAX = 16;
/** Values in all grants of one agent: each takes two bytes of JSON. An object that is in many places counts in each of them. */
const VALUES_MAX: number = GRANTS_BYTES_MAX / 2;
/** Of what is wrong, so much is said. */
const ISSUES_MAX = 64;

/** Grants as they can be kept, or what is wrong with them. What is given as undefined is left out. */
export function readGrants(input: unknown): { readonly grants: HostGrants } | { readonly issues: readonly Issue[] } {
  const issues: Issue[] = [];
  const wrong = (path: string, message: string): void => {
    if (issues.length < ISSUES_MAX) issues.push({ path, message });
  };
  const budget = { values: VALUES_MAX };
  if (!isRecord(input)) {
    return { issues: [{ path: "host", message: 'grants by name are needed, such as { fetch: { allow: ["…"] } }' }] };
  }
  const grants: Record<string, Record<string, unknown>> = Object.create(null) as Record<
    string,
    Record<string, unknown>
  >; // no name is there already
  for (const [name, given] of Object.entries(input)) {
    if (given === undefined) continue;
    if (isRecord(given)) grants[name] = plainRecord(given, { path: `host.${name}`, depth: 1, wrong, budget });
    else wrong(`host.${name}`, "the parameters of a grant are an object; {} where there are none");
  }
  if (budget.values < 0) wrong("host", `at most ${GRANTS_BYTES_MAX} bytes of JSON`);
  if (issues.length > 0) return { issues };
  const bytes = Buffer.byteLength(JSON.stringify(grants));
  if (bytes > GRANTS_BYTES_MAX) wrong("host", `at most ${GRANTS_BYTES_MAX} bytes of JSON, not ${bytes}`);
  return issues.length > 0 ? { issues } : { grants: { ...grants } };
}

/** A part of grants: those of these names as they are. Undefined beside the first name that is not among them. */
export function narrowed(
  grants: HostGrants | undefined,
  names: readonly string[],
): { readonly grants: HostGrants } | { readonly lacks: string } {
  const own = grants ?? {};
  const lacks = names.find((name) => !Object.hasOwn(own, name));
  if (lacks !== undefined) return { lacks };
  return { grants: Object.fromEntries(Object.entries(own).filter(([name]) => names.includes(name))) };
}

/** Grants as a part of a spec: nothing at all where nothing is granted. */
export function withGrants(grants: HostGrants | undefined): { readonly host?: HostGrants } {
  return grants === undefined || Object.keys(grants).length === 0 ? {} : { host: grants };
}

/**
 * Under whose name an agent's calls are counted: its own, or that of the agent that passed its grants on. A fork of a subagent
 * stands alone.
 */
export function ownerOf(
  id: string,
  { parent, grantOwner }: { readonly parent?: string; readonly grantOwner?: string },
): string {
  return parent === undefined || parent !== parentOf(id) ? id : (grantOwner ?? id);
}

interface Place {
  readonly path: string;
  readonly depth: number;
  readonly wrong: (path: string, message: string) => void;
  /** What may still be looked at; below zero there was more. */
  readonly budget: { values: number };
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function plainRecord(given: Readonly<Record<string, unknown>>, place: Place): Record<string, unknown> {
  const entries = Object.entries(given).filter(([, value]) => value !== undefined);
  for (const [key] of entries) if (key === "__proto__") place.wrong(place.path, "no key may be called __proto__");
  return Object.fromEntries(entries.map(([key, value]) => [key, plain(value, inside(place, key))]));
}

function plain(value: unknown, place: Place): unknown {
  const { budget } = place;
  budget.values -= 1;
  if (Array.isArray(value) && value.length > budget.values) budget.values = -1;
  if (budget.values < 0) return null;
  if (place.depth > DEPTH_MAX) {
    place.wrong(place.path, `nested deeper than ${DEPTH_MAX}`);
    return null;
  }
  if (value === null || typeof value === "boolean" || typeof value === "string") return value;
  if (typeof value === "number" && Number.isFinite(value)) return value;
  if (Array.isArray(value)) return value.map((item, index) => plain(item, inside(place, String(index))));
  if (isRecord(value)) return plainRecord(value, place);
  place.wrong(place.path, "a spec is kept in the vault: only JSON can be granted");
  return null;
}

function inside({ path, depth, ...rest }: Place, key: string): Place {
  return { path: `${path}.${key}`, depth: depth + 1, ...rest };
}
