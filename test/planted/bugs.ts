/**
 * Bugs that are planted on purpose, each a small change of one file, with the suites of which at least one must notice.
 */

/** A suite that may catch a bug. */
export type Suite =
  /** Random worlds; `from` and `worlds` where one alone shows it. */
  | { readonly layer: "simulation"; readonly from?: number; readonly worlds?: number }
  /** What the real OTP did once. */
  | { readonly layer: "otp" }
  | { readonly layer: "file"; readonly file: string };

/** A textual change: `find` must stand in the file exactly once. */
export interface PlantedBug {
  readonly title: string;
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  /** Tried in this order until one notices. */
  readonly suites: readonly Suite[];
}

const worlds: Suite = { layer: "simulation" };
const otp: Suite = { layer: "otp" };
const inFile = (file: string): Suite => ({ layer: "file", file });

/** All of them; the first three are also planted with the tests. */
export const BUGS: readonly PlantedBug[] = [
  {
    title: "one restart fewer is tolerated than was asked for",
    file: "runtime/supervision/restart-window.ts",
    find: "isAllowed: count <= intensity,",
    replace: "isAllowed: count < intensity,",
    suites: [worlds],
  },
  {
    title: "an answer leaves before its turn is durable",
    file: "runtime/incarnation.ts",
    find: "if (commit === undefined || commit.isDurable) return release();",
    replace: "if (commit !== null) return release();",
    suites: [worlds],
  },
  {
    title: "the last of the siblings to restart is forgotten (rest_for_one)",
    file: "runtime/supervision/rounds.ts",
    find: "ids : ids.slice(ids.indexOf(fallenId));",
    replace: "ids : ids.slice(ids.indexOf(fallenId), Math.max(ids.indexOf(fallenId) + 1, ids.length - 1));",
    suites: [worlds],
  },
  {
    title: "the edge of the restart window does not count",
    file: "runtime/supervision/restart-window.ts",
    find: "if (nowMs - (getIn(atMs, first) ?? 0) <= periodMs) break;",
    replace: "if (nowMs - (getIn(atMs, first) ?? 0) < periodMs) break;",
    suites: [otp],
  },
  {
    title: "siblings are stopped in the order in which they began",
    file: "runtime/supervision/rounds.ts",
    find: "groupOf(draft, spec.id).toReversed()",
    replace: "groupOf(draft, spec.id)",
    suites: [worlds],
  },
  {
    title: "a temporary child is started again",
    file: "runtime/supervision/restart.ts",
    find: 'if (spec.restart === "permanent" || (spec.restart === "transient" && !isOrderly(exited.reason))) {',
    replace: 'if (spec.restart !== "transient" || !isOrderly(exited.reason)) {',
    suites: [worlds],
  },
  {
    title: "the timer of a child that ended in time is forgotten",
    file: "runtime/supervision/rounds.ts",
    find: 'if (timer !== undefined) draft.effects.push({ type: "cancel_timer", id: timer });',
    replace: "",
    suites: [inFile("test/runtime/supervision/invariants.test.ts")],
  },
  {
    title: "an exit is handed to its keeper twice",
    file: "runtime/agent.ts",
    find: "      this.#keeper.exited(reason);\n",
    replace: "      this.#keeper.exited(reason);\n      this.#keeper.exited(reason);\n",
    suites: [worlds],
  },
  {
    title: "whoever lived in a lost cell is charged for it",
    file: "runtime/incarnation.ts",
    find: 'const name = isSuspect ? "cell_lost_suspect" : "cell_lost";',
    replace: 'const name = "cell_lost_suspect";',
    suites: [worlds],
  },
  {
    title: "what returns from a lost cell is forgotten",
    file: "runtime/agent.ts",
    find: "this.#mailbox.unshift(this.ends.returned(returned));",
    replace: "this.ends.returned(returned);",
    suites: [worlds],
  },
  {
    title: "a restart that failed is tried again at once",
    file: "runtime/back-off.ts",
    find: "if (failures < 1) return 0;",
    replace: "if (failures < 99) return 0;",
    suites: [worlds],
  },
  {
    title: "a dead letter is kept without what its message claims",
    file: "runtime/dead-letters.ts",
    find: "this.#host.vault.commit([write, ...claims], { durability });",
    replace: "this.#host.vault.commit([write], { durability });",
    suites: [worlds, inFile("test/runtime/dead-letters.test.ts")],
  },
  {
    title: "the place in a topic is not committed with the turn",
    file: "runtime/incarnation.ts",
    find: "if (message.claims !== undefined) actions.push(...message.claims(place));",
    replace: "",
    suites: [worlds],
  },
  {
    title: "a timer that fired stands in the vault as if it had not",
    file: "runtime/timers.ts",
    find: "return [writes.write(branch, useOps(writes.over(branch), now))];",
    replace: "return [];",
    suites: [worlds],
  },
  {
    title: "the id of a call is not committed with its turn",
    file: "runtime/incarnation.ts",
    find: "ops.push(...this.#callIds.record(message.callId, outcome.reply));",
    replace: "this.#callIds.record(message.callId, outcome.reply);",
    suites: [worlds],
  },
  {
    title: "the result of a step is given before it is recorded",
    file: "runtime/turn-steps.ts",
    find: 'await commit(ops, Buffer.from(JSON.stringify({ kind: "step", method, step: name }))).durable;',
    replace: 'commit(ops, Buffer.from(JSON.stringify({ kind: "step", method, step: name })));',
    suites: [worlds],
  },
  {
    title: "a life begins although the last commit before it is not settled",
    file: "runtime/life-loader.ts",
    find: "this.lastCommit = commit; //",
    replace: "this.lastCommit = undefined; //",
    suites: [inFile("test/runtime/life-loader.test.ts")],
  },
  {
    title: "who takes over a name does not wait for the last commit under it",
    file: "runtime/registry.ts",
    find: "this.#unsettled.set(id, commit);",
    replace: "",
    suites: [{ layer: "simulation", from: 2_834, worlds: 1 }],
  },
  {
    title: "an agent with subagents does not end on a full disk",
    file: "runtime/subagents.ts",
    find: "if (!(error instanceof VaultError)) throw error; //",
    replace: "throw error; //",
    suites: [{ layer: "simulation", from: 1_712, worlds: 1 }],
  },
  {
    title: "a swap gives a life to an agent that has ended meanwhile",
    file: "runtime/agent.ts",
    find: 'if (this.phase === "down" || !isWanted() || !this.#keeper.adopt()) {',
    replace: "if (!isWanted() || !this.#keeper.adopt()) {",
    suites: [{ layer: "simulation", from: 3_903, worlds: 1 }],
  },
  {
    title: "a move to another cell brings back an agent that was parked meanwhile",
    file: "runtime/agent.ts",
    find: 'if (this.phase === "down" || !isWanted() || !this.#keeper.adopt()) {',
    replace: 'if (this.phase === "down" || !this.#keeper.adopt()) {',
    suites: [{ layer: "simulation", from: 2_147_099_029, worlds: 1 }],
  },
  {
    title: "a supervisor charges restarts to the time of the exit",
    file: "runtime/supervisor.ts",
    find: 'this.#send({ type: "started", ref, atMs: clock.monotonicMs() });',
    replace: 'this.#send({ type: "started", ref });',
    suites: [{ layer: "simulation", from: 93, worlds: 1 }, worlds],
  },
  {
    title: "a ring of calls is not noticed",
    file: "runtime/wait-for.ts",
    find: "return way === undefined ? undefined : [from, ...way];",
    replace: "return way === undefined || way.length > 0 ? undefined : [from, ...way];",
    suites: [inFile("test/runtime/cycles.test.ts")],
  },
  {
    title: "the deadline of a call is not handed down",
    file: "runtime/router.ts",
    find: 'this.#message({ kind: "call", method, text, from, callId, deadlineMs });',
    replace: 'this.#message({ kind: "call", method, text, from, callId, deadlineMs: deadlineMs && undefined });',
    suites: [inFile("test/runtime/deadlines.test.ts")],
  },
  {
    title: "a call made inside a turn gets a time of its own",
    file: "runtime/router.ts",
    find: "if (leftMs > 0) return Math.min(CALL_TIMEOUT_MS, Math.ceil(leftMs));",
    replace: "if (leftMs > 0) return CALL_TIMEOUT_MS;",
    suites: [inFile("test/runtime/deadlines.test.ts")],
  },
  {
    title: "a monitor tells of one end twice",
    file: "runtime/supervision/links.ts",
    find: 'if (signal.type === "down_message") return void draft.effects.push(signal);',
    replace: 'if (signal.type === "down_message") return void draft.effects.push(signal, signal);',
    suites: [otp],
  },
  {
    title: "a writer that was fenced out may write",
    file: "vault/request.ts",
    find: "if (Number.isSafeInteger(epoch) && epoch >= current) return;",
    replace: "if (Number.isSafeInteger(epoch)) return;",
    suites: [inFile("test/vault/vault.test.ts")],
  },
  {
    title: "a late subscriber is sent the last event that it has",
    file: "runtime/events.ts",
    find: "const subscription: Subscription = { listener, seenSeq: after, isBusy: false };",
    replace: "const subscription: Subscription = { listener, seenSeq: Math.max(0, after - 1), isBusy: false };",
    suites: [inFile("test/runtime/events.test.ts")],
  },
  {
    title: "agents of different domains share cells",
    file: "runtime/incarnation.ts",
    find: "](options, life, {",
    replace: "]({ profile: options.profile }, life, {",
    suites: [inFile("test/runtime/domains.test.ts")],
  },
  {
    title: "an agent that moves to another cell may not write there",
    file: "runtime/relocation.ts",
    find: "next.fence();",
    replace: "",
    suites: [worlds, inFile("test/runtime/domains.test.ts")],
  },
  {
    title: "a cell is replaced while somebody still lives in it",
    file: "runtime/recycler.ts",
    find: "if (due.isEnding || this.#host.tenants(cell).length > 0) return; // again at the next look",
    replace: "if (due.isEnding) return;",
    suites: [inFile("test/runtime/recycling.test.ts")],
  },
];
