#!/usr/bin/env node
/**
 * Makes the report of a search from its log: node evolution/report/main.ts <events.jsonl> --out report.html
 */
import { parseArgs } from "node:util";
import { readRecord } from "./read.ts";
import { renderReport } from "./report.ts";
import { writeWhole } from "./write.ts";

const USAGE = `node evolution/report/main.ts <events.jsonl> [--out <report.html>]

Makes one HTML file of the log of a search: JSON lines, as evolve tells them to onEvent. The file needs no network and no other file.

  --out <file>   where to write it (default: the log's name with .html behind it)
`;

const OK = 0;
const FAILED = 1;
const MISUSED = 2;

/** Reads, renders, writes; resolves with the exit code: 0 done, 1 failed, 2 wrong usage. A file is there whole or not at all. */
export async function reportCommand(argv: readonly string[], say: (text: string) => void): Promise<number> {
  try {
    const { values, positionals } = parseArgs({
      args: [...argv],
      options: { out: { type: "string" }, help: { type: "boolean", short: "h", default: false } },
      allowPositionals: true,
    });
    const [path, ...others] = positionals;
    if (values.help || path === undefined || others.length > 0) {
      say(USAGE);
      return values.help ? OK : MISUSED;
    }
    const out = values.out ?? `${path}.html`;
    const text = renderReport(await readRecord(path));
    await writeWhole(out, text);
    say(`${out}: ${(Buffer.byteLength(text) / 1_000).toFixed(0)} kB\n`);
    return OK;
  } catch (error) {
    if (!(error instanceof Error) || !("code" in error)) throw error;
    say(`report: ${error.message} [${String(error.code)}]\n`);
    return String(error.code).startsWith("ERR_PARSE_ARGS_") ? MISUSED : FAILED;
  }
}

if (import.meta.main) {
  process.exitCode = await reportCommand(process.argv.slice(2), (text) => void process.stderr.write(text));
}
