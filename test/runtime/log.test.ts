/** Log lines: one JSON object per event, at a level that fits, with nothing of the event lost or overwritten. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { SandboxEvent } from "../../sandbox/index.ts";
import type { VaultEvent } from "../../vault/index.ts";
import { EventStream } from "../../runtime/events.ts";
import type { PlanariaEvent, RuntimeEvent } from "../../runtime/events.ts";
import type { ExitReason } from "../../runtime/exit-reason.ts";
import { levelOf, logEvents } from "../../runtime/log.ts";
import { SimulatedClock } from "../support/simulated-clock.ts";

type KnownEvent = RuntimeEvent | SandboxEvent | VaultEvent;
type Level = ReturnType<typeof levelOf>;
/** An event of every type: a new type without a line here does not compile. */
type Samples = { readonly [T in KnownEvent["type"]]: readonly [Level, Extract<KnownEvent, { readonly type: T }>] };

const fault: ExitReason = { name: "fault", message: "it threw", stack: "Error: it threw" };
const lost: ExitReason = { name: "cell_lost", message: "cell crashed: SIGSEGV" };
const exit = { detail: "SIGSEGV", exitCode: null, signal: "SIGSEGV", suspects: ["a"] };

const samples: Samples = {
  "runtime.opened": ["info", { type: "runtime.opened", vault: "./v", agents: 2, replayed: 3, durationMs: 4.5 }],
  "runtime.closed": ["info", { type: "runtime.closed" }],
  "agent.spawned": ["info", { type: "agent.spawned", agent: "a", hash: "h", isNew: true }],
  "agent.started": ["info", { type: "agent.started", agent: "a", cell: "c1", hash: "h", epoch: 2, durationMs: 1.5 }],
  "agent.exited": ["warn", { type: "agent.exited", agent: "a", reason: fault, hash: "h" }],
  "agent.rehomed": ["warn", { type: "agent.rehomed", agent: "a", reason: lost, hash: "h" }],
  "agent.restarted": ["info", { type: "agent.restarted", agent: "a", cause: "fault", restarts: 1, downMs: 2 }],
  "subagents.ended": ["info", { type: "subagents.ended", agent: "a", agents: 3, killed: 1, durationMs: 2 }],
  "subagent.orphaned": ["warn", { type: "subagent.orphaned", agent: "a/b" }],
  "supervisor.started": [
    "info",
    { type: "supervisor.started", supervisor: "s", strategy: "one_for_all", children: 2, durationMs: 3 },
  ],
  "supervisor.exited": ["info", { type: "supervisor.exited", supervisor: "s", reason: fault }],
  "supervisor.restart_begun": [
    "warn",
    { type: "supervisor.restart_begun", supervisor: "s", child: "s/a", strategy: "one_for_all", reason: fault },
  ],
  "supervisor.child_failed": [
    "warn",
    { type: "supervisor.child_failed", supervisor: "s", child: "s/a", reason: fault },
  ],
  "supervisor.breached": [
    "error",
    {
      type: "supervisor.breached",
      supervisor: "s",
      child: "s/a",
      restarts: 4,
      intensity: 3,
      periodMs: 5,
      reason: fault,
    },
  ],
  "supervisor.shutdown_begun": [
    "info",
    { type: "supervisor.shutdown_begun", supervisor: "s", child: "s/a", reason: { name: "normal", message: "done" } },
  ],
  "supervisor.upgraded": ["info", { type: "supervisor.upgraded", supervisor: "s" }],
  "supervisor.child_deleted": ["info", { type: "supervisor.child_deleted", supervisor: "s", child: "s/a" }],
  "subtree.ended": ["warn", { type: "subtree.ended", supervisor: "s", reason: fault, agents: 2 }],
  "agent.parked": ["error", { type: "agent.parked", agent: "a", reason: fault }],
  "agent.stopped": ["info", { type: "agent.stopped", agent: "a", reason: { name: "shutdown", message: "stop" } }],
  "agent.forked": ["info", { type: "agent.forked", agent: "b", from: "a", seq: 77 }],
  "agent.restored": ["info", { type: "agent.restored", agent: "a", seq: 77 }],
  "agent.dropped": ["info", { type: "agent.dropped", agent: "a" }],
  "agent.logged": ["warn", { type: "agent.logged", agent: "a", level: "warn", text: "careful" }],
  "agent.checkpointed": ["debug", { type: "agent.checkpointed", agent: "a", label: "l", seq: 77 }],
  "code.swapped": ["info", { type: "code.swapped", agent: "a", from: "h", to: "i", label: "l", pauseMs: 1 }],
  "agent.reconfigured": ["info", { type: "agent.reconfigured", agent: "a", label: "l", pauseMs: 1 }],
  "watch.opened": ["info", { type: "watch.opened", dir: "./agents", applied: 2, refused: 1 }],
  "watch.failed": ["warn", { type: "watch.failed", dir: "./agents", message: "ENOSPC" }],
  "watch.closed": ["info", { type: "watch.closed", dir: "./agents" }],
  "definition.applied": ["info", { type: "definition.applied", agent: "a", file: "a.agent.ts", changed: ["code"] }],
  "definition.refused": [
    "warn",
    { type: "definition.refused", agent: "a", file: "a.agent.ts", line: 3, code: "C", reason: "r" },
  ],
  "definition.removed": ["warn", { type: "definition.removed", agent: "a", file: "a.agent.ts" }],
  "code.refused": ["warn", { type: "code.refused", agent: "a", hash: "i", message: "it threw" }],
  "agent.handed_over": ["info", { type: "agent.handed_over", agent: "a", used: 9, isDue: true }],
  "step.recorded": ["debug", { type: "step.recorded", agent: "a", method: "add", step: "pay" }],
  "step.retried": [
    "warn",
    { type: "step.retried", agent: "a", method: "add", step: "pay", error: "Error: no", waitMs: 50 },
  ],
  "step.failed": ["warn", { type: "step.failed", agent: "a", method: "add", step: "pay", error: "Error: no" }],
  "message.discarded": ["warn", { type: "message.discarded", agent: "a", method: "add", code: "RUNTIME_MAILBOX_FULL" }],
  "message.set_aside": [
    "warn",
    { type: "message.set_aside", agent: "a", method: "add", id: 7, reason: fault, hash: "h" },
  ],
  "cell.kill_withheld": [
    "warn",
    { type: "cell.kill_withheld", cell: "c1", reason: "machine", silentMs: 260, silentCount: 2, liveCount: 2 },
  ],
  "publication.dropped": [
    "warn",
    { type: "publication.dropped", topic: "t", agent: "a", count: 2, firstSeq: 3, lastSeq: 4, reason: "retention" },
  ],
  "topic.dropped": ["info", { type: "topic.dropped", topic: "t" }],
  "timer.skipped": ["warn", { type: "timer.skipped", agent: "a", timer: "1-2-3", fromMs: 1, toMs: 2 }],
  "timer.cancelled": ["info", { type: "timer.cancelled", agent: "a", timer: "1-2-3" }],
  "agent.escalated": [
    "warn",
    { type: "agent.escalated", agent: "a", rung: "earlier_code", reason: fault, hash: "h", before: "b" },
  ],
  "failure.contained": [
    "warn",
    {
      type: "failure.contained",
      id: 1,
      kind: "agent",
      cause: "fault",
      message: "it threw",
      suspects: ["a"],
      agents: [],
      durationMs: 3,
      lost: { acknowledged: 0, failed: 0, setAside: 1, returned: 0 },
    },
  ],
  "traffic.discarded": ["warn", { type: "traffic.discarded", agent: "a", reason: "a block of them cannot be read" }],
  "answer.refused": ["warn", { type: "answer.refused", agent: "a", method: "add", reason: "it is no text" }],
  "message.replayed": ["info", { type: "message.replayed", agent: "a", method: "add", id: 7 }],
  "message.dropped": ["info", { type: "message.dropped", agent: "a", method: "add", id: 7 }],
  "capability.answered": [
    "warn",
    {
      type: "capability.answered",
      agent: "a",
      capability: "c",
      verb: "v",
      code: "RUNTIME_CAPABILITY_QUOTA",
      durationMs: 1,
    },
  ],
  "capability.noted": ["info", { type: "capability.noted", agent: "a", capability: "c", verb: "v", text: "t" }],
  "cell.recycled": ["info", { type: "cell.recycled", cell: "c1", cause: "age", moved: 3, durationMs: 20 }],
  "cell.spawned": ["info", { type: "cell.spawned", cell: "c1", pid: 1, layers: ["permission"], startMs: 50 }],
  "cell.exited": ["warn", { type: "cell.exited", cell: "c1", pid: 1, exit: { ...exit, reason: "crashed" } }],
  "cell.stderr": ["warn", { type: "cell.stderr", cell: "c1", text: "oops", isTruncated: false }],
  "sandbox.layer_missing": ["warn", { type: "sandbox.layer_missing", layer: "bubblewrap", detail: "not installed" }],
  "vault.recovered": [
    "info",
    { type: "vault.recovered", entries: 3, tornTail: true, durationMs: 2, checkpointSeq: 77 },
  ],
  "log.lost": ["error", { type: "log.lost", firstSeq: 3, lastSeq: 77 }],
  "log.checkpointed": ["debug", { type: "log.checkpointed", seq: 77, pages: 3, branches: 2, durationMs: 2 }],
  "checkpoint.failed": ["warn", { type: "checkpoint.failed", code: "ENOSPC", message: "disk full" }],
  "collect.failed": ["warn", { type: "collect.failed", code: "VAULT_PAGE_DAMAGED", message: "page 1/2" }],
  "scrub.failed": ["warn", { type: "scrub.failed", code: "VAULT_STORE_FAILED", message: "no more commits" }],
  "pages.collected": [
    "debug",
    { type: "pages.collected", pages: 3, bytes: 3, snapshots: 1, branches: 1, durationMs: 2 },
  ],
  "pages.scrubbed": ["debug", { type: "pages.scrubbed", pages: 3, bytes: 3, damaged: 0, durationMs: 2 }],
  "page.damaged": [
    "error",
    { type: "page.damaged", arena: 1, no: 2, agents: ["a"], branches: [1], reason: "its checksum differs" },
  ],
  "page.repaired": ["warn", { type: "page.repaired", arena: 1, no: 2, from: "backup" }],
  "backup.completed": ["info", { type: "backup.completed", path: "./b", seq: 77, bytes: 3, durationMs: 2 }],
  "release.failed": ["warn", { type: "release.failed", code: "VAULT_RELEASE_FAILED", message: "EIO" }],
  "segment.mended": ["warn", { type: "segment.mended", segment: "0000000001.log" }],
  "segments.stranded": ["warn", { type: "segments.stranded", segments: ["0000000001.log"] }],
  "commit.failed": ["error", { type: "commit.failed", commits: 2, code: "ENOSPC", message: "disk full" }],
  "vault.failed": ["error", { type: "vault.failed", code: "EIO", message: "fdatasync failed" }],
  "vault.closed": ["info", { type: "vault.closed", seq: 77 }],
};

/** Variants whose level depends on more than their type. */
const variants: readonly (readonly [string, Level, PlanariaEvent])[] = [
  ["an agent that was done", "info", exited("normal")],
  ["an agent that its owner stopped", "info", exited("shutdown")],
  ["an agent that was killed", "warn", exited("killed")],
  ["an agent over its limit", "warn", exited("limit")],
  [
    "a cell that was stopped",
    "info",
    { type: "cell.exited", cell: "c1", pid: 1, exit: { ...exit, reason: "stopped" } },
  ],
  ["a cell over its memory", "warn", { type: "cell.exited", cell: "c1", pid: 1, exit: { ...exit, reason: "memory" } }],
  ...(["debug", "info", "warn", "error"] as const).map(
    (level) => [`an agent's own ${level} line`, level, { type: "agent.logged", agent: "a", level, text: "t" }] as const,
  ),
  [
    "a call of a capability that went well",
    "debug",
    { type: "capability.answered", agent: "a", capability: "c", verb: "v", durationMs: 1 },
  ],
  ["a new candidate", "info", { type: "candidate.proposed", id: "d1", agent: "a" }],
  ["a rejected candidate", "info", { type: "candidate.rejected", id: "d1", agent: "a", reason: "slow" }],
  ["a version that was rolled back", "warn", { type: "candidate.rolled_back", id: "d1", agent: "a" }],
  ["a trial that broke down", "error", { type: "candidate.failed", id: "d1", agent: "a", message: "bug" }],
];

function exited(name: ExitReason["name"]): PlanariaEvent {
  return { type: "agent.exited", agent: "a", reason: { name, message: "m" }, hash: "h" };
}

const PINO_LEVELS: Readonly<Record<Level, number>> = { debug: 20, info: 30, warn: 40, error: 50 };

/** The lines written for `events` at `level`. */
function linesOf(events: readonly PlanariaEvent[], level = "trace"): string[] {
  const lines: string[] = [];
  const stream = new EventStream(() => 1_234);
  const stop = logEvents(stream, { level, destination: { write: (line) => void lines.push(line) } });
  for (const event of events) stream.emit(event);
  stop();
  return lines;
}

describe("log levels", () => {
  for (const [type, [level, event]] of Object.entries(samples)) {
    test(`${type} is logged at ${level}`, () => assert.equal(levelOf(event), level));
  }
  for (const [what, level, event] of variants) {
    test(`${what} is logged at ${level}`, () => assert.equal(levelOf(event), level));
  }
});

describe("log lines", () => {
  for (const [type, [level, event]] of Object.entries(samples)) {
    test(`${type} becomes one JSON line with its number, its time, its level and all its fields`, () => {
      const lines = linesOf([{ type: "runtime.closed" }, event]);
      assert.equal(lines.length, 2);
      const line = lines[1] ?? "";
      assert.equal(line.indexOf("\n"), line.length - 1);
      const { seq, time, msg, level: number, name, event: fields } = JSON.parse(line) as Record<string, unknown>;
      const { type: _, ...expected } = event;
      assert.deepEqual(
        { seq, time, msg, number, name, fields },
        {
          seq: 2,
          time: 1_234,
          msg: type,
          number: PINO_LEVELS[level],
          name: "planaria",
          fields: expected,
        },
      );
    });
  }

  test("no line names a field twice", () => {
    const lines = linesOf(Object.values(samples).map(([, event]) => event));
    assert.equal(lines.length, Object.keys(samples).length);
    for (const line of lines) assert.equal(line.trimEnd(), JSON.stringify(JSON.parse(line)));
  });

  test("a line tells when its event happened, not when it was written", () => {
    const lines: string[] = [];
    const clock = new SimulatedClock(5_000);
    const stream = new EventStream(() => clock.now());
    stream.emit({ type: "runtime.closed" });
    clock.advance(60_000);
    logEvents(stream, { level: "info", destination: { write: (line) => void lines.push(line) } });
    assert.deepEqual(
      lines.map((line) => (JSON.parse(line) as { readonly time: unknown }).time),
      [5_000],
    );
  });

  test("events below the chosen level are not written", () => {
    const events = Object.values(samples).map(([, event]) => event);
    for (const [level, least] of Object.entries(PINO_LEVELS)) {
      const written = linesOf(events, level).map((line) => (JSON.parse(line) as { readonly msg: string }).msg);
      const expected = events.filter((event) => PINO_LEVELS[levelOf(event)] >= least).map(({ type }) => type);
      assert.deepEqual(written, expected);
    }
  });

  test("the silent level writes nothing", () => {
    assert.deepEqual(linesOf([{ type: "agent.parked", agent: "a", reason: fault }], "silent"), []);
  });

  test("nothing is written after logging was stopped", () => {
    const lines: string[] = [];
    const stream = new EventStream(() => 0);
    const stop = logEvents(stream, { level: "info", destination: { write: (line) => void lines.push(line) } });
    stream.emit({ type: "runtime.closed" });
    stop();
    stream.emit({ type: "runtime.closed" });
    assert.equal(lines.length, 1);
  });
});
