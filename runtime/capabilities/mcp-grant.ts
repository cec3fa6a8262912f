/** The door of `mcp`: which servers a grant names, which of their tools, and what a call may ask of one. */
import { hash } from "node:crypto";
import { z } from "zod";
import type { Schema } from "./contract.ts";
import type { EgressPolicy } from "./egress.ts";
import { fetchGrant, type FetchGrant } from "./fetch-grant.ts";
import { programOf, programShape, type Program, type ProgramGrant } from "./program-grant.ts";

/** What a grant of `mcp` says. */
export interface McpGrant {
  /** By the name that the agent knows. */
  readonly servers: Readonly<Record<string, McpServerGrant>>;
}

/** One server: a program or a URL, and the tools that may be used. */
export interface McpServerGrant extends Pick<FetchGrant, "headers" | "secretHeaders" | "privateAddresses"> {
  /** A server that speaks over its standard input and output, as a program of `exec`. */
  readonly program?: McpProgramGrant | undefined;
  /** A server that speaks HTTP; `headers`, `secretHeaders` and `privateAddresses` are for it, as in a grant of `fetch`. */
  readonly url?: string | undefined;
  /** Those that are allowed as they are, or each with what is demanded of it. */
  readonly tools: { readonly allow: readonly string[] } | Readonly<Record<string, McpToolGrant>>;
  /** Time limit of one call, the opening of the server included, in ms. Default 60,000, at most 600,000. */
  readonly timeoutMs?: number | undefined;
}

/** A program and its arguments. */
export interface McpProgramGrant extends ProgramGrant {
  readonly args?: readonly string[] | undefined;
}

/** What is demanded of a tool. */
export interface McpToolGrant {
  /** What `mcp.tools` shows as `digest`: a tool whose name, description or schema is another one is refused. */
  readonly digest?: string | undefined;
  /** A JSON schema that the arguments must meet too: narrower than the server's own. */
  readonly args?: Readonly<Record<string, unknown>> | undefined;
}

/** A tool that is granted. */
export interface McpToolRule {
  readonly digest: string | undefined;
  readonly args: Schema<unknown> | undefined;
}

/** A server that is granted. */
export interface McpServerRule {
  readonly name: string;
  /** Another one for every other grant. */
  readonly key: string;
  readonly way: McpWay;
  readonly tools: ReadonlyMap<string, McpToolRule>;
  readonly timeoutMs: number;
}

/** How a server is reached. */
export type McpWay =
  | { readonly kind: "program"; readonly program: Program; readonly args: readonly string[] }
  | { readonly kind: "url"; readonly url: URL; readonly policy: EgressPolicy };

/** The servers of a grant, by name. */
export type McpServers = ReadonlyMap<string, McpServerRule>;

/** The longest that one call may take: the time limit of the verbs; as the longest run of a program. */
export const CALL_MS_MAX = 600_000;
const SERVERS_MAX = 32;
const TOOLS_MAX = 256;
const ARGS_MAX = 256;
const TIMEOUT_MS = 60_000; // tools may think

const word = z.string().regex(/^[A-Za-z][A-Za-z0-9_-]{0,62}$/, "a letter, then letters, digits, _ and -, at most 63");
const toolName = z.string().min(1).max(128); // what the protocol recommends
const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/, 'as mcp.tools shows it: "sha256:" and 64 digits');

const toolsSchema = z.union(
  [
    z.strictObject({ allow: z.array(toolName).min(1).max(TOOLS_MAX) }),
    z
      .record(
        toolName,
        z.strictObject({ digest: digest.optional(), args: z.record(z.string(), z.unknown()).optional() }),
      )
      .refine((tools) => Object.keys(tools).length <= TOOLS_MAX, `at most ${TOOLS_MAX} tools`),
  ],
  'what may be used is named: { allow: ["search"] }, or { search: { digest, args } } with what is demanded of it',
);

const serverSchema = z.strictObject({
  program: z
    .strictObject({ ...programShape, args: z.array(z.string().max(65_536)).max(ARGS_MAX).optional() })
    .optional(),
  url: z.string().max(8_192).optional(),
  headers: z.record(z.string(), z.string()).optional(),
  secretHeaders: z.record(z.string(), z.unknown()).optional(), // the schema of `fetch` looks into it
  privateAddresses: z.boolean().optional(),
  tools: toolsSchema,
  timeoutMs: z.number().int().min(1).max(CALL_MS_MAX).optional(),
});

type ServerInput = z.output<typeof serverSchema>;
type Fault = (path: readonly PropertyKey[], message: string) => void;

/** A grant of `mcp`, compiled. */
export const mcpGrant: Schema<McpServers> = z
  .strictObject({
    servers: z
      .record(word, serverSchema)
      .refine((servers) => Object.keys(servers).length <= SERVERS_MAX, `at most ${SERVERS_MAX} servers`),
  })
  .transform(({ servers }, context): McpServers => {
    const rules = Object.entries(servers).map(([name, given]): [string, McpServerRule] => {
      const fault: Fault = (path, message) => {
        context.addIssue({ code: "custom", path: ["servers", name, ...path], message });
      };
      return [name, ruleOf(name, given, fault)];
    });
    return new Map(rules);
  });

function ruleOf(name: string, given: ServerInput, fault: Fault): McpServerRule {
  const { program } = given;
  return {
    name,
    key: hash("sha256", JSON.stringify(given), "base64url"),
    way: program === undefined ? urlWay(given, fault) : programWay(program, given, fault),
    tools: toolRules(given.tools, fault),
    timeoutMs: given.timeoutMs ?? TIMEOUT_MS,
  };
}

function programWay(program: McpProgramGrant, given: ServerInput, fault: Fault): McpWay {
  for (const key of ["url", "headers", "secretHeaders", "privateAddresses"] as const) {
    if (given[key] !== undefined)
      fault([key], "this server is a program: it has no URL and nothing that goes with one");
  }
  return { kind: "program", program: programOf(program), args: program.args ?? [] };
}

function urlWay({ url: text, headers, secretHeaders, privateAddresses }: ServerInput, fault: Fault): McpWay {
  const url = URL.parse(text ?? "");
  if (url === null) fault(["url"], text === undefined ? "a program or a url is needed" : "it is no URL");
  const allowed = url === null ? "https://invalid.example" : url.origin + url.pathname;
  const result = fetchGrant.safeParse({
    allow: [url?.username === "" ? allowed : (url?.href ?? allowed)], // what is wrong with a URL is said by the egress
    methods: ["POST", "DELETE"],
    headers,
    secretHeaders,
    privateAddresses,
    requestBytesMax: REQUEST_BYTES_MAX,
    redirectsMax: 0, // the package follows those to the same origin, one by one, through the same checks
  });
  if (result.success) return { kind: "url", url: url ?? new URL(allowed), policy: result.data };
  for (const { path, message } of result.error.issues) fault(path[0] === "allow" ? ["url"] : path, message);
  return { kind: "url", url: new URL(allowed), policy: NO_POLICY };
}

/** As what a server over its standard input is sent at most. */
const REQUEST_BYTES_MAX = 8 << 20;
/** Stands where a grant that was refused has none. */
const NO_POLICY: EgressPolicy = {
  allow: [],
  methods: new Set(),
  headers: new Map(),
  secretHeaders: [],
  privateAddresses: false,
  requestBytesMax: 0,
  responseBytesMax: 0,
  redirectsMax: 0,
};

function toolRules(given: ServerInput["tools"], fault: Fault): ReadonlyMap<string, McpToolRule> {
  if (Array.isArray(given.allow)) {
    return new Map(given.allow.map((name: string) => [name, { digest: undefined, args: undefined }]));
  }
  // The other form: `allow` is the name of a tool there.
  const tools = given as Readonly<Record<string, McpToolGrant>>;
  return new Map(
    Object.entries(tools).map(([name, tool]) => {
      return [
        name,
        { digest: tool.digest, args: argsSchema(tool.args, (message) => fault(["tools", name, "args"], message)) },
      ];
    }),
  );
}

function argsSchema(
  given: Readonly<Record<string, unknown>> | undefined,
  fault: (message: string) => void,
): Schema<unknown> | undefined {
  if (given === undefined) return undefined;
  try {
    return z.fromJSONSchema(given);
  } catch (error) {
    fault(`it is no JSON schema: ${error instanceof Error ? error.message : "it cannot be read"}`);
    return undefined;
  }
}

/** The arguments of `mcp.tools(server)`. */
export type McpToolsArgs = readonly [server: string];
/** What checks them. */
export const mcpToolsArgs: Schema<McpToolsArgs> = z.tuple([z.string().max(64)]);

/** The arguments of `mcp(server, tool, args)`. */
export type McpCallArgs = readonly [server: string, tool: string, args?: Readonly<Record<string, unknown>> | undefined];
/** What checks them. */
export const mcpCallArgs: Schema<McpCallArgs> = z.tuple([
  z.string().max(64),
  z.string().max(128),
  z.record(z.string(), z.unknown()).optional(),
]);
