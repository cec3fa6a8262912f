/**
 * Writes down what real OTP does with the fixed cases.
 *
 *     node test/otp/record.ts
 *
 * Each line of `test/fixtures/supervision/*.jsonl` gets its trace; a new case is a line `{ title, case }` without one. A
 * trace that was there and is another now is printed: then OTP, or the reference, has changed.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { firstDifference } from "./compare.ts";
import { FOLDER } from "./fixed-cases.ts";
import type { FixedCase } from "./fixed-cases.ts";
import { Reference } from "./reference.ts";

await using reference = await Reference.open();
for (const name of readdirSync(FOLDER).filter((file) => file.endsWith(".jsonl"))) {
  const lines = readFileSync(join(FOLDER, name), "utf8").trimEnd().split("\n");
  // The cast: what the header says; a new line has no trace yet.
  const known = lines.map((line) => JSON.parse(line) as Omit<FixedCase, "trace"> & Partial<FixedCase>);
  const traces = await reference.run(known.map((one) => one.case));
  const recorded = known.flatMap((one, index) => {
    const trace = traces[index];
    if (trace === undefined) return [];
    if (one.trace !== undefined && firstDifference(one.case.kind, one.trace, trace) !== undefined)
      process.stdout.write(`${name}: another trace now: ${one.title}\n`);
    return [{ title: one.title, case: one.case, trace }];
  });
  writeFileSync(join(FOLDER, name), `${recorded.map((one) => JSON.stringify(one)).join("\n")}\n`);
  process.stdout.write(`${name}: ${recorded.length} cases\n`);
}
