/**
 * What all verbs of `planaria vault` share: opening a vault that exists, saying what came out, and turning refusals into exit
 * codes.
 *
 * Invariants
 * 1. Only the vault floor is loaded: an agent can be looked at, saved and brought back where neither the runtime nor its
 *    code can be.
 * 2. `--json` prints one JSON object on standard output, also for a refusal ({ error }), and nothing else there.
 * 3. SIGINT and SIGTERM end a verb between two steps: what is half-written counts for nothing.
 */
import { existsSync, readdirSync, statSync } from "node:fs";
import { constants } from "node:os";
import { dirname, join, resolve } from "node:path";
import type { Command } from "commander";
import type { Branch, Point, Vault, VaultOptions } from "../../vault/index.ts";
import { exitCode } from "./exit-code.ts";
import { pointOf } from "./vault-point.ts";
import { Progress } from "./vault-progress.ts";

/** Options of every verb. */
export interface VerbOptions {
  readonly json?: true;
  readonly progress?: true;
}

/** What a verb works with. */
export interface VerbContext {
  readonly signal: AbortSignal;
  readonly progress: Progress;
  /** Prints `value` for `--json`, `text` otherwise. */
  readonly say: (value: object, text: () => string) => void;
}

/** The floor below, loaded when a verb runs. */
export type VaultFloor = typeof import("../../vault/index.ts");

/** Refusals that are about this machine or who else uses the vault, not about the vault. */
const ENVIRONMENT: readonly string[] = [
  "VAULT_LOCKED",
  "VAULT_PATH_DENIED",
  "VAULT_FORMAT_UNKNOWN",
  "VAULT_COMMIT_FAILED",
  "VAULT_STORE_FAILED",
  "VAULT_BACKUP_FAILED",
  "VAULT_EXPORT_FAILED",
];
/** Refusals of what was typed. */
const USAGE: readonly string[] = [
  "VAULT_PATH_INVALID",
  "VAULT_NAME_TAKEN",
  "VAULT_NAME_INVALID",
  "VAULT_BRANCH_UNKNOWN",
  "VAULT_POINT_UNKNOWN",
  "VAULT_POINT_EXPIRED",
  "EVOLUTION_OPTIONS_INVALID",
  "EVOLUTION_PROBLEM_INVALID",
  "EVOLUTION_RUN_MISMATCH",
];

/** Added to a signal's number. */
const SIGNAL_BASE = 128;

/** Loads the vault floor and nothing above it. */
export async function loadVault(): Promise<VaultFloor> {
  return import("../../vault/index.ts");
}

/** Adds a verb with the options of all of them. */
export function verb(group: Command, usage: string, { says, example }: { says: string; example: string }): Command {
  return group
    .command(usage)
    .description(says)
    .option("--json", "print one JSON object")
    .option("--progress", "say how far it is, also where no terminal is")
    .addHelpText("after", `\nExample:\n  ${example}`);
}

/** Runs a verb: whatever ends it becomes a line and an exit code. `advice`: what to do about refusals, by code. */
export async function run(
  options: VerbOptions,
  work: (context: VerbContext) => Promise<void>,
  advice: Readonly<Record<string, string>> = ADVICE,
): Promise<void> {
  const ended = new AbortController();
  const progress = new Progress(options.progress === true);
  const end = (name: NodeJS.Signals): void => ended.abort(new Ended(name));
  const names = ["SIGINT", "SIGTERM"] as const;
  for (const name of names) process.on(name, end);
  const say = (value: object, text: () => string): void => {
    process.stdout.write(options.json === true ? `${JSON.stringify(value)}\n` : text());
  };
  try {
    await work({ signal: ended.signal, progress, say });
  } catch (error) {
    progress.end();
    process.exitCode = report(error, options.json === true, advice);
  } finally {
    progress.end();
    for (const name of names) process.removeListener(name, end);
  }
}

/** How a vault is opened: `mayMake`: it need not exist yet; `acceptLoss`: see `VaultOptions`. */
interface Opening {
  readonly mayMake?: boolean;
  readonly acceptLoss?: number;
}

/** Does something with an open vault, and closes it. One that was made for this goes again when it fails. */
export async function withVault(
  path: string,
  work: (vault: Vault) => Promise<void>,
  { mayMake = false, ...opening }: Opening = {},
): Promise<void> {
  if (mayMake) requireVaultOrRoom(path);
  else await requireVault(path);
  const { Vault, unmakeVault } = await loadVault();
  const isNew = !existsSync(join(path, "vault.json"));
  const folders = missingFolders(path);
  let uuid: string | undefined;
  try {
    await using vault = await Vault.open({ ...(await settingsFor(path)), ...opening });
    ({ uuid } = vault);
    await work(vault);
  } catch (error) {
    if (isNew && uuid !== undefined) await unmakeVault({ path: resolve(path), uuid, folders });
    throw error;
  }
}

/** How many folders have to be made for this one to be there. */
function missingFolders(path: string): number {
  let count = 0;
  for (let folder = resolve(path); !existsSync(folder); folder = dirname(folder)) count++;
  return count;
}

/** How a vault is opened by a verb. */
export async function settingsFor(path: string): Promise<VaultOptions> {
  const { VAULT_SETTINGS, systemClock } = await loadVault();
  return { ...VAULT_SETTINGS, path, clock: systemClock, durability: "disk", onEvent: () => undefined };
}

/** Ends the verb when there is no vault: opening would make one. */
export async function requireVault(path: string): Promise<void> {
  const { isVault } = await loadVault();
  if (!(await isVault(path))) throw new Misused(`there is no vault in ${path}`);
}

/** Ends the verb when there is no backup: a folder that was mistyped is no damaged one. */
export function requireBackup(path: string): void {
  if (!existsSync(join(path, "backup.json"))) throw new Misused(`there is no backup in ${path}`);
}

/** The exit code of what a signal has ended: what a shell reports for it. */
export function endedBy(reason: unknown): number | undefined {
  return reason instanceof Ended ? SIGNAL_BASE + constants.signals[reason.signal] : undefined;
}

/** Ends the verb when there is no vault and the folder has files of somebody else: a vault is not made among them. */
export function requireVaultOrRoom(path: string): void {
  if (existsSync(join(path, "vault.json")) || !existsSync(path) || !statSync(path).isDirectory()) return;
  const foreign = readdirSync(path).find((name) => !OF_A_VAULT.test(name));
  if (foreign !== undefined)
    throw new Misused(
      `there is no vault in ${path}, and none is made there: it holds ${foreign}; choose an empty folder`,
    );
}

/** What a vault that was being made when its process died may have left. */
const OF_A_VAULT = /^(?:lock|lock-owner|log|pages\.mdb.*|vault\.json.*)$/;

/** The agent of this name, or the end of the verb. */
export function agentOf(vault: Vault, name: string): Branch {
  const branch = vault.head(name);
  if (branch === undefined) throw new Misused(`the vault has no agent ${JSON.stringify(name)}`);
  return branch;
}

/** The point that was typed, or the end of the verb. */
export async function typedPoint(text: string): Promise<Point> {
  const { systemClock } = await loadVault();
  const point = pointOf(text, systemClock.now());
  if (point !== undefined) return point;
  throw new Misused(`${text} names no point: a label, seq:17, time:2026-11-21T10:00:00Z or -10m`);
}

/** `{ at }` when a point was typed. */
export async function typedAt(text: string | undefined): Promise<{ readonly at?: Point }> {
  return text === undefined ? {} : { at: await typedPoint(text) };
}

/** What was typed makes no sense here. */
export class Misused extends Error {}

/** A signal ended the verb. */
class Ended extends Error {
  readonly signal: NodeJS.Signals;

  constructor(signal: NodeJS.Signals) {
    super(`ended by ${signal}; what is half-written counts for nothing`);
    this.signal = signal;
  }
}

function report(error: unknown, isJson: boolean, known: Readonly<Record<string, string>>): number {
  const isKnown = error instanceof Error && "code" in error && typeof error.code === "string";
  if (!isKnown && !(error instanceof Misused) && !(error instanceof Ended)) throw error;
  const code = isKnown ? String(error.code) : undefined;
  const details = isKnown && "details" in error ? error.details : undefined;
  const advice = code === "VAULT_LOG_DAMAGED" ? logAdvice(details) : known[code ?? ""];
  const message = advice === undefined ? error.message : `${error.message} (${advice})`;
  if (isJson) process.stdout.write(`${JSON.stringify({ error: { code, message, details } })}\n`);
  else process.stderr.write(`planaria: ${message}${code === undefined ? "" : ` [${code}]`}\n`);
  const ended = endedBy(error);
  if (ended !== undefined) return ended;
  if (error instanceof Misused || USAGE.includes(code ?? "")) return exitCode.usage;
  return ENVIRONMENT.includes(code ?? "") ? exitCode.environment : exitCode.failed;
}

/** What to do about a refusal, where its message cannot know. */
const ADVICE: Readonly<Record<string, string>> = {
  VAULT_LOCKED: "a running program backs its vault up itself: await runtime.backup(folder)",
  VAULT_PAGES_DAMAGED: "a backup is restored by: planaria vault restore <backup> <to>",
};

/** A loss can be accepted only where a segment is damaged from one entry to another: not its header, not all of it. */
function logAdvice(details: unknown): string {
  const isRange =
    typeof details === "object" && details !== null && "firstLostSeq" in details && "lastLostSeq" in details;
  if (!isRange) return "planaria vault restore <backup> <to>; this loss cannot be accepted by its number";
  return (
    "restore a backup; or, where the vault does not open, go on without these entries: planaria vault check <vault> " +
    `--accept-loss ${String(details.firstLostSeq)}; or, where only its past cannot be read, save an agent without it: ` +
    "planaria vault export --no-history"
  );
}
