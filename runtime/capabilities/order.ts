/** What an agent asks for, checked: that it was granted, that there is such a verb, and that the verb takes these arguments. */
import { decode } from "../../sandbox/index.ts";
import { RuntimeError } from "../errors.ts";
import type { Capability, CapabilityVerb } from "./contract.ts";
import type { HostGrants } from "./grants.ts";
import type { Capabilities, Grant } from "./registry.ts";

/** Of what is wrong with the arguments, so much is said. */
const ISSUES_MAX = 16;

/** Who asks for what. */
export interface Asking {
  readonly agent: string;
  /** What its spec grants. */
  readonly grants: HostGrants | undefined;
  readonly name: string;
  readonly verb: string;
  /** The encoded list of arguments, and how long it may be. */
  readonly args: string;
  readonly bytesMax: number;
}

/** A call that may be made. */
export interface Order {
  readonly verb: CapabilityVerb<unknown, readonly unknown[]>;
  readonly args: readonly unknown[];
  readonly grant: Grant;
}

/**
 * The order behind a question. Throws RUNTIME_CAPABILITY_DENIED, RUNTIME_CAPABILITY_MISSING, RUNTIME_CAPABILITY_INVALID,
 * SANDBOX_MESSAGE_MALFORMED (no honest guest's doing), and whatever a schema throws instead of answering.
 */
export function orderOf(capabilities: Capabilities, asking: Asking): Order {
  const { name, verb: verbName, args: text, bytesMax } = asking;
  const given = decode(text, { bytesMax });
  const { capability, parameters } = granted(capabilities, asking);
  const verb = capability.verbs.get(verbName);
  if (verb === undefined)
    throw refused(
      "INVALID",
      asking,
      `${name} has no verb ${verbName}; it has ${[...capability.verbs.keys()].join(", ")}`,
    );
  const args = verb.args.safeParse(given);
  if (!args.success) {
    const lines = args.error.issues
      .slice(0, ISSUES_MAX)
      .map(({ path, message }) => [path.map(String).join("."), message].filter(Boolean).join(": "));
    throw refused("INVALID", asking, `${name}.${verbName}: ${lines.join("; ")}`);
  }
  return { verb, args: args.data, grant: capabilities.grantOf(capability, parameters) };
}

function granted(
  capabilities: Capabilities,
  asking: Asking,
): { readonly capability: Capability; readonly parameters: Readonly<Record<string, unknown>> } {
  const { agent, name, grants = {} } = asking;
  const parameters = Object.hasOwn(grants, name) ? grants[name] : undefined;
  if (parameters === undefined) {
    throw refused(
      "DENIED",
      asking,
      `${agent} was not granted ${name}: its spec says what it may do, host: { ${name}: { … } }`,
    );
  }
  const capability = capabilities.get(name);
  if (capability !== undefined) return { capability, parameters };
  throw refused(
    "MISSING",
    asking,
    `${name} was granted, but nothing here provides it now: Runtime.open({ capabilities: [ … ] })`,
  );
}

function refused(
  condition: "DENIED" | "MISSING" | "INVALID",
  { agent, name, verb }: Asking,
  text: string,
): RuntimeError {
  return new RuntimeError(`RUNTIME_CAPABILITY_${condition}`, text, { details: { agent, capability: name, verb } });
}
