/**
 * The capabilities of a runtime, by name: the built-in ones and the program's own. Checks grants at the door, and reads
 * them when they are used.
 */
import { surfaceText } from "../../sandbox/index.ts";
import { RuntimeError } from "../errors.ts";
import { BUILT_IN } from "./builtin.ts";
import type { Capability, CapabilityQuota } from "./contract.ts";
import type { HostGrants } from "./grants.ts";
import { readGrants } from "./grants.ts";
import type { Issue } from "./quota-grant.ts";
import { quotaOf } from "./quota-grant.ts";

/** A grant as its capability reads it. */
export interface Grant {
  readonly parameters: unknown;
  readonly quota: CapabilityQuota;
}

/** The capabilities of one runtime. */
export class Capabilities {
  readonly #byName = new Map<string, Capability>();
  /** Read once per spec and capability: what a schema makes of a grant may be more than data. */
  readonly #grants = new WeakMap<object, Grant>();

  /** Throws RUNTIME_OPTIONS_INVALID for what is no capability, and for two of one name. */
  constructor(own: readonly unknown[]) {
    for (const capability of BUILT_IN) this.#byName.set(capability.name, capability);
    for (const [index, capability] of own.entries()) this.#add(capability, `capabilities.${index}`);
  }

  get(name: string): Capability | undefined {
    return this.#byName.get(name);
  }

  get names(): readonly string[] {
    return [...this.#byName.keys()].toSorted();
  }

  /**
   * Grants as a spec keeps them. Throws RUNTIME_CAPABILITY_MISSING for a name that nothing here provides, and
   * RUNTIME_OPTIONS_INVALID for what its capability does not take.
   */
  check(input: unknown, where: string): HostGrants {
    const read = readGrants(input);
    if ("issues" in read) throw invalid(where, read.issues);
    const issues: Issue[] = [];
    for (const [name, given] of Object.entries(read.grants)) {
      const capability = this.#byName.get(name) ?? this.#missing(name, where);
      issues.push(
        ...issuesOf(capability, given).map(({ path, message }) => ({ path: `host.${pathOf(name, path)}`, message })),
      );
    }
    if (issues.length > 0) throw invalid(where, issues);
    return read.grants;
  }

  /** What a guest is shown of these grants. A capability that is not here any more is shown without its verbs. */
  surface(grants: HostGrants | undefined): string {
    if (grants === undefined) return "";
    const names = Object.keys(grants);
    return surfaceText(
      Object.fromEntries(names.map((name) => [name, [...(this.#byName.get(name)?.verbs.keys() ?? [])]])),
    );
  }

  /** A grant as its capability reads it now. Throws RUNTIME_CAPABILITY_DENIED where it is none for it any more. */
  grantOf(capability: Capability, given: Readonly<Record<string, unknown>>): Grant {
    const known = this.#grants.get(given);
    if (known !== undefined) return known;
    const { quota: quotaGiven, ...own } = given;
    const quota = quotaOf(quotaGiven);
    const parameters = capability.grant.safeParse(own);
    if ("issues" in quota || !parameters.success) {
      const [issue] = issuesOf(capability, given);
      const { name } = capability;
      const text = `the grant of ${name} is none any more (${pathOf(name, issue?.path ?? "")}: ${issue?.message ?? ""}): spawn the agent again with one that is`;
      throw new RuntimeError("RUNTIME_CAPABILITY_DENIED", text, { details: { capability: name } });
    }
    const grant = { parameters: parameters.data, quota: quota.quota };
    this.#grants.set(given, grant);
    return grant;
  }

  #add(input: unknown, path: string): void {
    const capability = input as Partial<Capability> | null | undefined; // read with care until it is known to be one
    const { name, grant, verbs } = capability ?? {};
    if (typeof name !== "string" || typeof grant?.safeParse !== "function" || !(verbs instanceof Map)) {
      throw invalid("Runtime.open", [{ path, message: "a capability is made by defineCapability" }]);
    }
    if (this.#byName.has(name)) {
      const message = `there is a capability called ${name} already, built in or given twice`;
      throw invalid("Runtime.open", [{ path, message }]);
    }
    this.#byName.set(name, capability as Capability); // as just checked
  }

  #missing(name: string, where: string): never {
    const { names } = this;
    const has = names.length === 0 ? "there is none" : `there is ${names.join(", ")}`;
    const text = `${where}: host.${name}: nothing here is called ${name} (${has}); give your own with Runtime.open({ capabilities: [ … ] })`;
    throw new RuntimeError("RUNTIME_CAPABILITY_MISSING", text, { details: { capability: name, capabilities: names } });
  }
}

function issuesOf({ grant }: Capability, { quota: quotaGiven, ...own }: Readonly<Record<string, unknown>>): Issue[] {
  const quota = quotaOf(quotaGiven);
  const parameters = grant.safeParse(own);
  const issues =
    "issues" in quota ? quota.issues.map(({ path, message }) => ({ path: pathOf("quota", path), message })) : [];
  if (parameters.success) return [...issues];
  const wrong = parameters.error.issues.map(({ path, message }) => ({ path: path.map(String).join("."), message }));
  return [...issues, ...wrong];
}

function pathOf(above: string, below: string): string {
  return below === "" ? above : `${above}.${below}`;
}

function invalid(where: string, issues: readonly Issue[]): RuntimeError {
  const lines = issues.map(({ path, message }) => `${path}: ${message}`);
  return new RuntimeError("RUNTIME_OPTIONS_INVALID", `${where}: ${lines.join("; ")}`, { details: { issues } });
}
