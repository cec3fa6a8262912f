/**
 * The files of one search: its log while it runs, and the report that is made of the log when it is over.
 *
 *   evolve -- onEvent --> log (--events, or one that passes) -- read back --> report (--report)
 *
 * Invariants
 * 1. What can be refused is refused before the search begins.
 * 2. A file that is no log of a search is never written over by one. A log is begun anew; only a run that is kept in a vault adds to its
 *    own, so that what it told before is there even where it is killed while it repeats itself.
 * 3. A report is there whole or not at all, and replaces the one before.
 */
import { open, mkdtempDisposable, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { extname, join, resolve } from "node:path";
import { EvolutionError } from "../errors.ts";
import type { SearchEvent } from "../population/events.ts";
import { parseLine } from "./line.ts";
import { RunLog, runContext, type LogStart } from "./log.ts";
import { readRecord } from "./read.ts";
import type { RecordLine } from "./record.ts";
import { renderReport } from "./report.ts";
import { partOf, writeWhole } from "./write.ts";

/** Where a search is told. */
export interface SearchPaths {
  /** Its events, one JSON object a line. */
  readonly events?: string | undefined;
  /** One HTML file. */
  readonly report?: string | undefined;
}

/** What a search is told with. */
export interface ToldSearch {
  readonly paths: SearchPaths;
  /** As the report lists them. */
  readonly options: Readonly<Record<string, unknown>>;
  /** Names the run; `isKept`: in a vault, so that it can be taken up again. */
  readonly run: { readonly id: string; readonly seed: number; readonly isKept: boolean };
}

/** Bytes of a log that are looked at to tell what it is: a context and a beginning. */
const HEAD_BYTES = 1 << 18;

const FOLDER = "it is a folder: give a file";

/** The path with words before its extension: `run.jsonl`, `or3`, `seed-1` -> `run.or3.seed-1.jsonl`. */
export function wordedPath(path: string, words: readonly string[]): string {
  const extension = extname(path);
  return [path.slice(0, path.length - extension.length), ...words].join(".") + extension;
}

/**
 * Resolves when both files can be written.
 * @throws {EvolutionError} EVOLUTION_OPTIONS_INVALID with the option and what is wrong with its file.
 */
export async function checkPaths({ events, report }: SearchPaths): Promise<void> {
  if (events !== undefined && report !== undefined && resolve(events) === resolve(report))
    throw refused("--report", report, "it is the file of --events: give two");
  if (events !== undefined) {
    const head = await headOf(events);
    if (head === "other")
      throw refused("--events", events, "it is there, and no log of a search: give another name, or remove it");
    if (head === undefined) await requireRoom("--events", events);
  }
  if (report !== undefined) await requireRoom("--report", report);
}

/**
 * Runs a search, tells it to its files, and resolves with its result and the bytes of the report. The log is whole when this ends,
 * however it ends; a report is made of a search that resolved.
 * @throws {EvolutionError} EVOLUTION_LOG_FAILED, and what `search` throws.
 */
export async function tellSearch<Result extends { readonly held: number | undefined }>(
  { paths, options, run }: ToldSearch,
  search: (onEvent: (event: SearchEvent) => void) => Promise<Result>,
): Promise<{ readonly result: Result; readonly reportBytes: number | undefined }> {
  if (paths.events === undefined && paths.report === undefined)
    return { result: await search(() => undefined), reportBytes: undefined };
  await using passing =
    paths.events === undefined ? await mkdtempDisposable(join(tmpdir(), "planaria-log-")) : undefined;
  const path = paths.events ?? join(passing?.path ?? "", "events.jsonl");
  const result = await logged(new RunLog(path, runContext(options), await startOf(path, run)), search);
  if (paths.report === undefined) return { result, reportBytes: undefined };
  const text = renderReport(await readRecord(path));
  await writeWhole(paths.report, text);
  return { result, reportBytes: Buffer.byteLength(text) };
}

async function logged<Result extends { readonly held: number | undefined }>(
  opened: RunLog,
  search: (onEvent: (event: SearchEvent) => void) => Promise<Result>,
): Promise<Result> {
  using log = opened;
  const startedMs = performance.now();
  const result = await search(log.tell);
  log.measured({ ms: performance.now() - startedMs, held: result.held });
  return result;
}

async function startOf(path: string, { id, seed, isKept }: ToldSearch["run"]): Promise<LogStart> {
  const head = isKept ? await headOf(path) : undefined;
  return typeof head === "object" && head.runId === id && head.seed === seed ? "added" : "anew";
}

type Started = Extract<RecordLine, { readonly type: "run.started" }>;

/** What a file is: nothing yet (`undefined`), the log of a run, a log that says no run in its first lines, or something else. */
async function headOf(path: string): Promise<Started | "log" | "other" | undefined> {
  const found = await stat(path).catch(absent);
  if (found === undefined || found.isDirectory() || (found.isFile() && found.size === 0)) return undefined;
  if (!found.isFile()) return "log"; // a pipe or a device: nothing is lost, and nothing can be looked at
  await using file = await open(path, "r+").catch((error: unknown) => {
    throw refused("--events", path, saidBy(error));
  });
  const { bytesRead, buffer } = await file.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0);
  const lines = buffer.subarray(0, bytesRead).toString().split("\n").slice(0, -1);
  try {
    for (const [index, text] of lines.slice(0, 2).entries()) {
      const line = parseLine(text, index + 1);
      if (line.type === "run.started") return line;
      if (line.type !== "run.context") return "other";
    }
  } catch (error) {
    if (error instanceof EvolutionError) return "other";
    throw error;
  }
  return lines.length === 0 ? "other" : "log";
}

/**
 * Resolves when a file can be made there; one that is made for this is gone again.
 * @throws {EvolutionError} EVOLUTION_OPTIONS_INVALID with the option that named it.
 */
export async function requireRoom(option: string, path: string): Promise<void> {
  const found = await stat(path).catch(absent);
  if (found?.isDirectory() === true) throw refused(option, path, FOLDER);
  const beside = partOf(path);
  try {
    await (await open(beside, "wx")).close();
    await rm(beside);
  } catch (error) {
    throw refused(option, path, saidBy(error));
  }
}

function saidBy(error: unknown): string {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (code === "ENOENT" || code === "ENOTDIR") return "there is no such folder: make it first";
  return `it cannot be written (${error instanceof Error ? error.message : String(error)})`;
}

function absent(error: unknown): undefined {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code !== "ENOENT" && code !== "ENOTDIR") throw error;
}

function refused(option: string, path: string, what: string): EvolutionError {
  return new EvolutionError("EVOLUTION_OPTIONS_INVALID", `${option} ${path}: ${what}`, { details: { option, path } });
}
