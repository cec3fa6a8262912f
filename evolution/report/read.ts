/**
 * A log read back into a record.
 *
 *   bytes -> lines (bounded) -> events -> attempts, each from run.started on -> the longest one
 *
 * A run that was killed and called again tells everything from the beginning, into the same file if its caller likes: so the last
 * attempt has it all, unless it ended earlier than one before.
 */
import { createReadStream } from "node:fs";
import { EvolutionError } from "../errors.ts";
import type { SearchEvent } from "../population/events.ts";
import { parseLine } from "./line.ts";
import type { RecordLine, RunContext, RunMeasured, RunRecord } from "./record.ts";

/** Characters of one line: a program of the largest size, every character written as its code. */
const LINE_MAX = 4 << 20;
/** Characters of a log. They are all in memory once. */
const LOG_MAX = 1 << 30;

interface Attempt {
  context: RunContext | undefined;
  measured: RunMeasured | undefined;
  readonly events: SearchEvent[];
}

/**
 * Reads a log. A last line that ends in its middle is left out: whoever wrote it was killed.
 * @throws {EvolutionError} EVOLUTION_DATA_INVALID for what is no log, for two different runs in one, and for one that is too long.
 */
export async function readRecord(path: string): Promise<RunRecord> {
  const parts: AsyncIterable<string> = createReadStream(path, { encoding: "utf8" }); // text, with an encoding set
  const attempts: Attempt[] = [];
  let context: RunContext | undefined;
  let number = 0;
  let isTorn = false;
  for await (const { text, isWhole } of linesOf(parts)) {
    number += 1;
    if (text.trim() === "") continue;
    if (!isWhole && !isJson(text)) {
      isTorn = true;
      break;
    }
    const line = parseLine(text, number);
    if (line.type === "run.context") context = line;
    else if (line.type === "run.started") attempts.push({ context, measured: undefined, events: [line] });
    else take(attempts.at(-1), line, number);
  }
  return recordOf(attempts, isTorn);
}

function take(attempt: Attempt | undefined, line: Exclude<RecordLine, RunContext>, number: number): void {
  if (attempt === undefined) throw refused(`line ${number} of the log: the run has not started yet`, number);
  if (line.type === "run.measured") attempt.measured = line;
  else attempt.events.push(line);
}

function recordOf(attempts: readonly Attempt[], isTorn: boolean): RunRecord {
  const names = new Set(attempts.map(({ events }) => nameOf(events[0])));
  if (names.size > 1) throw refused(`the log holds ${names.size} different runs: a report is of one`, 1);
  const longest = attempts.reduce<Attempt | undefined>(
    (best, each) => (best === undefined || each.events.length >= best.events.length ? each : best),
    undefined,
  );
  const remarks = [
    ...(attempts.length > 1
      ? [`The search was begun ${attempts.length} times under this name: killed and taken up again.`]
      : []),
    ...(isTorn ? ["The log ends in the middle of a line: whoever wrote it was killed."] : []),
  ];
  return { context: longest?.context, events: longest?.events ?? [], measured: longest?.measured, remarks };
}

function nameOf(event: SearchEvent | undefined): string {
  return event?.type === "run.started" ? JSON.stringify([event.runId, event.problem, event.seed]) : "";
}

/** Ends at line feeds alone: JSON may hold other breaks in its texts. */
async function* linesOf(
  parts: AsyncIterable<string>,
): AsyncGenerator<{ readonly text: string; readonly isWhole: boolean }> {
  let open: string[] = [];
  let openLength = 0;
  let total = 0;
  for await (const part of parts) {
    total += part.length;
    if (total > LOG_MAX) throw refused(`the log is longer than ${LOG_MAX} characters: give a shorter run`, 0);
    const pieces = part.split("\n");
    for (const [index, piece] of pieces.entries()) {
      open.push(piece);
      openLength += piece.length;
      if (openLength > LINE_MAX) throw refused(`a line of the log is longer than ${LINE_MAX} characters`, 0);
      if (index === pieces.length - 1) continue;
      yield { text: open.join(""), isWhole: true };
      open = [];
      openLength = 0;
    }
  }
  if (openLength > 0) yield { text: open.join(""), isWhole: false };
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false; // that is the question
  }
}

function refused(message: string, line: number): EvolutionError {
  return new EvolutionError("EVOLUTION_DATA_INVALID", message, { details: { line } });
}
