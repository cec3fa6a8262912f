/**
 * The runtime floor's front door, published as `planaria`: open a vault, spawn agents, call them.
 */

/** Start here. */
export { Runtime } from "./runtime.ts";
export { requireNode } from "./node-version.ts";
export type { RuntimeParts } from "./runtime.ts";
export type { AgentLimits } from "./limit-options.ts";
export type { DefinitionOptions, RuntimeOptions, SpawnOptions } from "./options.ts";

/** What agents may do outside of their isolates, where they are granted it by name. */
export { defineCapability } from "./capabilities/define.ts";
export type {
  Capability,
  CapabilityCall,
  CapabilityDefinition,
  CapabilityQuota,
  CapabilityVerb,
  Held,
  Schema,
} from "./capabilities/contract.ts";
export type { ExecGrant, ExecProgramGrant } from "./capabilities/exec-grant.ts";
export type { FetchGrant, SecretHeaderGrant } from "./capabilities/fetch-grant.ts";
export type { FilesGrant } from "./capabilities/files-grant.ts";
export type { LlmAnswers, LlmGrant } from "./capabilities/llm-grant.ts";
export type { McpGrant, McpProgramGrant, McpServerGrant, McpToolGrant } from "./capabilities/mcp-grant.ts";
export type { Granted, HostOptions } from "./capabilities/grants.ts";
export type { AuditEntry, AuditOutcome } from "./capabilities/audit-row.ts";
export type { AuditQuery } from "./reading-options.ts";
export type { AskPlace, QuestionHandler } from "./router.ts";

/** Agents as files: what is saved takes effect. */
export type { WatchOptions } from "./options.ts";
export type { Watch } from "./watch.ts";
export type { WatchedAgent } from "./watched-definition.ts";
export type { Refusal } from "./refusal.ts";

/** What a user holds. */
export type { AgentInfo, AgentRef, CallArguments, CallReply, HistoryLine } from "./ref.ts";
export type { CallOptions } from "./call-options.ts";
export type { CellInfo } from "./cell-info.ts";
export type { AgentNode, SupervisorNode, Tree, TreeNode } from "./tree.ts";
export type { AgentChildSpec, ChildSpec, SupervisorSpec } from "./supervise-spec.ts";
export type { ChildCounts, ChildLine, ChildSettings, SupervisorRef } from "./supervisor-ref.ts";
export type { ExitNotice } from "./monitors.ts";
export type { RestartType } from "./supervision/contract.ts";

/** Topics, and durable timers as an operator sees them. */
export type { TimerFilter, TopicSubscribeOptions } from "./reading-options.ts";
export type { TimerInfo } from "./timer-list.ts";
export type { DroppedPublications, TopicOverflow } from "./topic-buffer.ts";
export type { TopicItem } from "./topic-reader.ts";
export type { TopicInfo, TopicRef } from "./topic-ref.ts";

/** How `Runtime.backup` is asked for, and what it says. */
export type { BackupOptions, BackupReport } from "../vault/index.ts";

/** What a failure did. */
export type { FailureReport, TouchedAgent } from "./failure-report.ts";

/** Messages that could not be run. */
export type { DeadLetterBox } from "./dead-letter-box.ts";
export type { DeadLetter } from "./dead-letters.ts";
export type { DeadLetterFilter } from "./reading-options.ts";

/** Why an agent ended. */
export { isAbnormal, isCharged } from "./exit-reason.ts";
export type { ExitName, ExitReason } from "./exit-reason.ts";

/** What happened, in order. */
export { EventStream } from "./events.ts";
export type { EventListener, ForeignEvent, PlanariaEvent, RuntimeEvent, StampedEvent } from "./events.ts";
export type { LogDestination } from "./log.ts";

/** What can go wrong: three floors, one class each, all with a `code`. */
export { RuntimeError } from "./errors.ts";
export type { RuntimeErrorCode } from "./errors.ts";
export { SandboxError } from "../sandbox/index.ts";
export type { SandboxErrorCode } from "../sandbox/index.ts";
export { VaultError } from "../vault/index.ts";
export type { VaultErrorCode } from "../vault/index.ts";

/** For the evolution floor: code on trial, swaps, records. */
export type { AgentControl, Swapped } from "./control.ts";
export type { CurrentCode } from "./agent-record.ts";
export { VERDICT_METHOD } from "./current-code.ts";
export { Journal } from "./journal.ts";
export { runsOf } from "./traffic.ts";
export type { RecordedTurn } from "./traffic.ts";
export type { Answerer } from "./traffic-replies.ts";
export type { TrafficBounds } from "./traffic-ring.ts";
export type { Shadow, ShadowLoss, ShadowTurn } from "./shadow.ts";
export { differingEffects } from "./shadow-effects.ts";
export type { ShadowEffect, Simulate } from "./shadow-effects.ts";
export { seededRandom } from "./random.ts";
export type { Random } from "./random.ts";
export { LlmEndpoint } from "./capabilities/llm-endpoint.ts";
