/** The rules over generated code by name, in words: what each says to whoever wrote the code. Whether one is broken is seen in rules-*.ts. */

/** The rules. A name is public: people and programs that write code are told it. */
export type RuleId =
  | "eval"
  | "function-constructor"
  | "dynamic-import"
  | "import-meta"
  | "with"
  | "debugger"
  | "engine-part"
  | "global-write"
  | "builtin-write"
  | "proto-write"
  | "no-agent"
  | "syntax"
  | "too-large"
  | "too-many-nodes"
  | "too-deep"
  | "module-state"
  | "global-state"
  | "computed-global"
  | "missing-global"
  | "endless-loop";

/** `forbidden` fails a candidate; a `note` is told. */
export type Severity = "forbidden" | "note";

/** What one rule says. */
export interface Rule {
  readonly severity: Severity;
  /** What it is about where the code gives no better name. */
  readonly subject: string;
  /** Completes a sentence that begins with the subject. */
  readonly why: string;
  /** What to do instead. */
  readonly instead: string;
}

/** What candidates may be. */
export interface InspectLimits {
  /** Bytes of UTF-8 of the source, and of the script that it compiles to. */
  readonly bytesMax: number;
  /** Nodes of the script's syntax tree. */
  readonly nodesMax: number;
  /** Levels of that tree; a chain such as `a + b + c` or `a.b().c()` is one. */
  readonly depthMax: number;
}

/**
 * 256 KiB: an agent is one mind's work, and three thousand lines of it have half of that. A tree of that much code has 60,000 nodes, a table of small numbers
 * twice that.
 * 500 levels: the deepest library that was tried has 37, and the parser's own stack is enough for any tree of so many.
 */
export const INSPECT_LIMITS: InspectLimits = { bytesMax: 256 * 1024, nodesMax: 150_000, depthMax: 500 };

const OWN_STATE = "keep it in ctx.state, or in ctx.table(name) where it grows";

/** What each rule says. */
export const RULES: Readonly<Record<RuleId, Rule>> = {
  eval: {
    severity: "forbidden",
    subject: "eval",
    why: "runs a text as code that nobody has read",
    instead: "write the logic as functions; for data use JSON.parse",
  },
  "function-constructor": {
    severity: "forbidden",
    subject: "the constructor of functions",
    why: "makes code of a text that nobody has read",
    instead: "write a function; Function may be compared with, and its prototype read",
  },
  "dynamic-import": {
    severity: "forbidden",
    subject: "import()",
    why: "loads code while the agent runs, and there is nothing to load",
    instead: "write it into this text; import planaria/agent at its top",
  },
  "import-meta": {
    severity: "forbidden",
    subject: "import.meta",
    why: "tells of a file, and an agent has none",
    instead: "give it what it must know as its text (ctx.text) or as an argument",
  },
  with: {
    severity: "forbidden",
    subject: "with",
    why: "lets data decide what every name in it means, and no module may have it",
    instead: "name the object: options.size",
  },
  debugger: {
    severity: "forbidden",
    subject: "debugger",
    why: "waits for somebody who is not there",
    instead: "take it out; ctx.log.debug(…) tells what happens",
  },
  "engine-part": {
    severity: "forbidden",
    subject: "that part of the engine",
    why: "is not available inside an agent, so the line throws",
    instead: 'do without it, or ask first: typeof … === "undefined"',
  },
  "global-write": {
    severity: "forbidden",
    subject: "a built-in global",
    why: "is replaced here for all code of the agent, and nothing that is measured afterwards can be trusted",
    instead: "declare a name of your own: const now = …",
  },
  "builtin-write": {
    severity: "forbidden",
    subject: "a built-in object",
    why: "is changed here for all code of the agent, and nothing that is measured afterwards can be trusted",
    instead: "write a function that takes the value, or a class of your own",
  },
  "proto-write": {
    severity: "forbidden",
    subject: "__proto__",
    why: "changes what an object is, or what all objects are",
    instead: "use class … extends, Object.create(…), or { __proto__: … } where the object is made",
  },
  "no-agent": {
    severity: "forbidden",
    subject: "the default export",
    why: "is no agent",
    instead: "write export default agent({ version: 1, state: () => ({ … }), on: { … } })",
  },
  syntax: {
    severity: "forbidden",
    subject: "the script",
    why: "is none that an engine would run: it breaks a rule of strict code",
    instead: "look at this spot, and write a module: import and export, no require, no sloppy code",
  },
  "too-large": {
    severity: "forbidden",
    subject: "the source, or the script that it compiles to,",
    why: `is larger than ${INSPECT_LIMITS.bytesMax} bytes`,
    instead: "write less code; data belongs into the state or a table",
  },
  "too-many-nodes": {
    severity: "forbidden",
    subject: "the syntax tree",
    why: `has more than ${INSPECT_LIMITS.nodesMax} nodes`,
    instead: "write less code; a table of data can be one text for JSON.parse",
  },
  "too-deep": {
    severity: "forbidden",
    subject: "the code",
    why: `is nested deeper than ${INSPECT_LIMITS.depthMax} levels here, or is one chain of thousands of parts`,
    instead: "name the inner parts, or build the value in a loop",
  },
  "module-state": {
    severity: "note",
    subject: "a variable of the module",
    why: "is changed while the agent runs and is lost at each restart, and with it whatever it remembers",
    instead: `${OWN_STATE}; leave it where losing it costs only time`,
  },
  "global-state": {
    severity: "note",
    subject: "a property of globalThis",
    why: "is lost at each restart, and with it whatever it remembers",
    instead: OWN_STATE,
  },
  "computed-global": {
    severity: "note",
    subject: "globalThis[…]",
    why: "reaches for a global by a name that is only known when it runs",
    instead: "name the global; for a table of your own use a Map or an object",
  },
  "missing-global": {
    severity: "note",
    subject: "that global",
    why: "does not exist inside an agent",
    instead: "do without it",
  },
  "endless-loop": {
    severity: "note",
    subject: "this loop",
    why: "has no way out but the agent's time limit: no break, return, throw, await or yield",
    instead: "give it a condition or a bound",
  },
};
