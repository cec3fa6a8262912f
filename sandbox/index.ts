/**
 * The sandbox's front door: cells, the agents placed in them, and the code that goes into them. Everything here runs in
 * the Guardian; isolated-vm is loaded only by a cell's own process.
 */

/** Cells and the agents placed in them. */
export { Cell } from "./cell.ts";
export type { CellOptions } from "./cell.ts";
export type { CellExit, CellExitReason } from "./cell-exit.ts";
export type { CellLimits } from "./limits.ts";
export { Resident } from "./resident.ts";
export type { Loaded, Outcome, PlaceOptions, TurnAnswer, TurnAsk, TurnMeter, TurnRead } from "./outcome.ts";
export type { GuestFault, GuestLog, IsolateLimits, Outbound, StateOp, Turn } from "./protocol.ts";

/** From TypeScript to what an isolate runs, and back from its stacks to the TypeScript. */
export { compile, compileInspected, leaveCompiler, stopCompiler } from "./compile.ts";
export type { Artifact, Inspected } from "./compile.ts";
export type { CompileInput } from "./compile-entry.ts";
export type { Finding } from "./inspect/finding.ts";
export type { RuleId, Severity } from "./inspect/rules.ts";
export type { CompileComplaint } from "./compile-refusal.ts";
export { mapLog, mapPosition, mapStack } from "./stack.ts";

/** An agent's definition, for references typed by it. */
export type { AnyAgentDefinition, ArgumentOf, MethodsOf, ReplyOf } from "./agent.ts";

/** What agents say to built-in capabilities, and what they are answered. */
export type { ExecAsked, ExecResult } from "./host-exec.ts";
export type { FetchHead, FetchInit } from "./host-fetch.ts";
export type {
  ChatAnswer,
  ChatContentPart,
  ChatEnd,
  ChatMessage,
  ChatPart,
  ChatRequest,
  ChatToolCall,
  ChatUsage,
  LlmRequest,
} from "./host-llm.ts";
export type { McpAnswer, McpPart, McpTool } from "./host-mcp.ts";

/** Who a message between agents is for, and what only the runtime may send. */
export { DOWN_METHOD, EXIT_METHOD, isReserved, parseName, unpackAddress, unpackMonitor } from "./protocol.ts";

/** What is published, and what is done later. */
export { isTopicName, TOPIC_RULE, unpackSubscription } from "./publication.ts";
export type { SubscriptionRequest } from "./publication.ts";
export { isTimerId, unpackTimer } from "./timer.ts";
export type { TimerRequest } from "./timer.ts";

/** What durable steps ask, and what they are answered. */
export { isStepVerb, parseStepAsk, STEP_BEGIN, STEP_KNOWN, STEP_OVER, STEP_RUN } from "./step-text.ts";
export type { StepAsk } from "./step-text.ts";

/** What a life starts with, and what a turn says about its context. */
export { HANDOVER, lifeText, parseHandover, parseUsed, USED } from "./handover-text.ts";

/** What capabilities are asked, and what they answer. */
export {
  BATCH_PARTS_MAX,
  batchText,
  batchesOf,
  HOST,
  HOST_END,
  HOST_NEXT,
  HOST_STREAM,
  HOST_VALUE,
  isHostVerb,
  parseHostCall,
  parseHostNext,
  parseStream,
  surfaceText,
} from "./host-text.ts";

/** Rows of an agent's tables: what is asked for and what is answered. */
export { PAGE_BYTES_MAX, PAGE_LOOKS_MAX, PAGE_ROWS_MAX, pageText, presenceText, rowText } from "./rows.ts";
export type { RowOp, RowPage, RowQuery } from "./rows.ts";

/** Programs on trial: what is asked of one, and what it answers. */
export {
  CallEnd,
  parseProgramReply,
  PROGRAM_CALLS_MAX,
  PROGRAM_COUNTERS_MAX,
  PROGRAM_METHOD,
  programTurn,
} from "./program-text.ts";
export type { ProgramCall, ProgramReply } from "./program-text.ts";

/** Values as text: what crosses to and from an isolate. */
export { decode, encode } from "./codec.ts";

/** Programs of this machine, run for an agent. */
export { canSandboxJobs, startJob } from "./job.ts";
export type { Job, JobEnd, JobExit } from "./job.ts";
export { JOB_LIMITS } from "./job-options.ts";
export type { JobLimits, JobOptions } from "./job-options.ts";
export type { JobFolder } from "./job-view.ts";
export { folderProgram } from "./folder-program.ts";
export { pathNames, writeFault } from "./folder/path.ts";
export type { FolderEntry } from "./folder/work.ts";

/** What this machine offers, and the file that cells run. */
export { LAYER_ADVICE, LAYER_NAMES, probeLayers } from "./layers.ts";
export type { LayerName, LayerReport } from "./layers.ts";
export { confirmedLayers } from "./evidence.ts";
export {
  CELL_BUNDLE_NAME,
  COMPILER_BUNDLE_NAME,
  PROGRAM_CELL_BUNDLE_NAME,
  writeCellBundle,
  writeCompilerBundle,
  writeProgramCellBundle,
} from "./bundle.ts";

/** What can go wrong, and what is told. */
export { SandboxError } from "./errors.ts";
export type { SandboxErrorCode, SandboxErrorOptions } from "./errors.ts";
export type { SandboxEvent } from "./events.ts";

/** Programs as syntax trees, for who changes them. */
export { childrenOf, parseScript } from "./inspect/parse.ts";
export type { AnyNode } from "./inspect/parse.ts";
