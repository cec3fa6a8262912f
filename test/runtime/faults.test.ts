/** How an isolate's outcome reads to its caller and to its supervisor. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { RuntimeError } from "../../runtime/errors.ts";
import type { ExitName } from "../../runtime/exit-reason.ts";
import { errorReason, faultReason, handlerError, limitError, lostError } from "../../runtime/faults.ts";
import type { FaultPlace } from "../../runtime/faults.ts";
import { compile, SandboxError, stopCompiler } from "../../sandbox/index.ts";
import type { Artifact, GuestFault, SandboxErrorCode } from "../../sandbox/index.ts";
import { VaultError } from "../../vault/index.ts";

const source = `import { agent } from "planaria/agent";

export default agent({
  version: 1,
  state: () => ({}),
  on: {
    add() {
      throw new RangeError("too many");
    },
  },
});
`;

let artifact: Artifact;
before(async () => {
  artifact = await compile({ source, name: "counter.agent.ts" });
});
after(stopCompiler);

const place = (): FaultPlace => ({ agent: "counter", method: "add", artifact });

/** The fault as a guest reports it: its stack speaks of the compiled script. */
function faultOf(code?: string): GuestFault {
  const lines = artifact.code.split("\n");
  const row = lines.findIndex((line) => line.includes("RangeError("));
  const column = lines[row]?.indexOf("new RangeError") ?? -1;
  assert.ok(row >= 0 && column >= 0);
  const stack = `RangeError: too many\n    at add (agent.js:${row + 1}:${column + 1})\n    at enter (planaria-prelude.js:1:1)`;
  return { name: "RangeError", message: "too many", stack, ...(code === undefined ? {} : { code }) };
}

const MAPPED = "RangeError: too many\n    at add (counter.agent.ts:8:13)";

/** What an agent's own code may be told about its turn, and may pass on. */
const guestCodes: readonly SandboxErrorCode[] = [
  "SANDBOX_METHOD_UNKNOWN",
  "SANDBOX_VALUE_UNCLONABLE",
  "SANDBOX_MESSAGE_TOO_LARGE",
  "SANDBOX_MESSAGE_MALFORMED",
  "SANDBOX_REPLY_TOO_LARGE",
  "SANDBOX_STATE_TOO_LARGE",
  "SANDBOX_STATE_READONLY",
  "SANDBOX_ASKS_EXCEEDED",
  "SANDBOX_OUTBOX_EXCEEDED",
  "SANDBOX_TURN_STALLED",
  "SANDBOX_REQUEST_INVALID",
  "SANDBOX_LOAD_FAILED",
];

/** What only the Guardian can know, and what does not exist. */
const forgedCodes: readonly string[] = [
  "SANDBOX_CELL_LOST",
  "SANDBOX_HEAP_EXCEEDED",
  "SANDBOX_CPU_EXCEEDED",
  "SANDBOX_WALL_EXCEEDED",
  "SANDBOX_DISPOSED",
  "SANDBOX_CELL_START_FAILED",
  "SANDBOX_NO_SUCH_CODE",
  "SANDBOX_",
  "VAULT_COMMIT_FAILED",
  "RUNTIME_AGENT_DOWN",
  "constructor",
];

describe("a handler that threw, for its caller", () => {
  test("the error says who threw what, with the stack in the agent's own TypeScript", () => {
    const error = handlerError(place(), faultOf());
    assert.ok(error instanceof RuntimeError);
    assert.equal(error.code, "RUNTIME_HANDLER_THREW");
    assert.equal(error.message, "counter.add threw RangeError: too many");
    assert.equal(error.stack, MAPPED);
    assert.deepEqual(error.details, {
      agent: "counter",
      method: "add",
      hash: artifact.hash,
      name: "RangeError",
      message: "too many",
      stack: MAPPED,
    });
  });

  test("the error has a stack of its own where the handler gave none", () => {
    const error = handlerError(place(), { ...faultOf(), stack: "" });
    assert.match(error.stack ?? "", /counter\.add threw RangeError/);
  });

  test("the handler's own code is kept in the details", () => {
    const error = handlerError(place(), faultOf("NOTE_MISSING"));
    assert.ok(error instanceof RuntimeError);
    assert.deepEqual([error.code, error.details["code"]], ["RUNTIME_HANDLER_THREW", "NOTE_MISSING"]);
  });

  for (const code of guestCodes) {
    test(`a turn refused with ${code} keeps that code`, () => {
      const error = handlerError(place(), faultOf(code));
      assert.ok(error instanceof SandboxError);
      assert.deepEqual([error.code, error.message], [code, "counter.add: too many"]);
      assert.deepEqual(error.details, { agent: "counter", method: "add", hash: artifact.hash, stack: MAPPED });
    });
  }

  for (const code of forgedCodes) {
    test(`a handler that throws an error with the code ${code} cannot make its caller believe it`, () => {
      const error = handlerError(place(), faultOf(code));
      assert.ok(error instanceof RuntimeError);
      assert.deepEqual([error.code, error.details["code"]], ["RUNTIME_HANDLER_THREW", code]);
    });
  }
});

describe("a turn that did not finish, for its caller", () => {
  for (const code of ["SANDBOX_HEAP_EXCEEDED", "SANDBOX_CPU_EXCEEDED", "SANDBOX_WALL_EXCEEDED"] as const) {
    test(`${code} says which turn hit which limit, that its writes were dropped and what happens next`, () => {
      const error = limitError(place(), { kind: "exceeded", code, message: "over its limit of 32" });
      assert.ok(error instanceof SandboxError);
      assert.equal(error.code, code);
      assert.equal(
        error.message,
        "counter.add: over its limit of 32. Its writes were dropped; the agent restarts from its last committed state.",
      );
      assert.deepEqual(error.details, { agent: "counter", method: "add", hash: artifact.hash, happened: false });
    });
  }

  /** What the caller is told for each way an agent can end under its turn. */
  const lost: Readonly<Record<ExitName, "SANDBOX_CELL_LOST" | "RUNTIME_AGENT_DOWN">> = {
    cell_lost: "SANDBOX_CELL_LOST",
    cell_lost_suspect: "SANDBOX_CELL_LOST",
    normal: "RUNTIME_AGENT_DOWN",
    shutdown: "RUNTIME_AGENT_DOWN",
    killed: "RUNTIME_AGENT_DOWN",
    fault: "RUNTIME_AGENT_DOWN",
    limit: "RUNTIME_AGENT_DOWN",
    storage: "RUNTIME_AGENT_DOWN",
    exit: "RUNTIME_AGENT_DOWN",
    load_failed: "RUNTIME_AGENT_DOWN",
  };
  for (const [name, code] of Object.entries(lost)) {
    test(`a caller whose agent ended with reason ${name} gets ${code}, and that its turn did not happen`, () => {
      const reason = { name: name as ExitName, message: "why it ended" }; // the table's own keys
      const error = lostError({ agent: "counter", method: "add" }, reason);
      assert.ok(error instanceof SandboxError || error instanceof RuntimeError);
      assert.equal(error.code, code);
      assert.match(error.message, /counter.*add.*\(why it ended\).*this turn did not happen/);
      assert.deepEqual(error.details, { agent: "counter", method: "add", happened: false, reason });
    });
  }
});

describe("a fault, for the supervisor", () => {
  test("a fault that no caller sees is the agent's own, with the stack in its TypeScript", () => {
    assert.deepEqual(faultReason(place(), faultOf()), {
      name: "fault",
      message: "add threw RangeError: too many",
      stack: MAPPED,
    });
    assert.equal(faultReason(place(), faultOf("NOTE_MISSING")).code, "NOTE_MISSING");
  });

  const reasons: readonly (readonly [what: string, error: unknown, reason: unknown])[] = [
    [
      "a vault that could not write is storage, which is not the agent's fault",
      new VaultError("VAULT_COMMIT_FAILED", "disk full"),
      { name: "storage", code: "VAULT_COMMIT_FAILED", message: "disk full" },
    ],
    [
      "code that the sandbox refuses is code that could not be loaded",
      new SandboxError("SANDBOX_LOAD_FAILED", "it threw"),
      { name: "load_failed", code: "SANDBOX_LOAD_FAILED", message: "it threw" },
    ],
    [
      "an agent that threw while it started could not be loaded",
      new RuntimeError("RUNTIME_HANDLER_THREW", "it threw"),
      { name: "load_failed", code: "RUNTIME_HANDLER_THREW", message: "it threw" },
    ],
    ["any other error keeps its message", new TypeError("odd"), { name: "load_failed", message: "odd" }],
    ["a thrown value that is no error is shown as text", 42, { name: "load_failed", message: "42" }],
  ];
  for (const [title, error, reason] of reasons) test(title, () => assert.deepEqual(errorReason(error), reason));
});
