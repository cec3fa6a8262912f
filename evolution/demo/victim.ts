/**
 * The process that will be killed: opens the vault, has the librarian keep notes as fast as it can, and prints every
 * acknowledgement. It never ends by itself.
 *
 *   node victim.ts <vault>   ->   {"cell":4711}            a cell of this runtime
 *                                 {"note":812,"text":"…"}  this note was acknowledged
 */
import { Runtime } from "../../runtime/index.ts";
import { readCorpus } from "./corpus.ts";
import type { Librarian } from "./librarian.ts";
import { refLibrarian } from "./librarian.ts";

/** Notes under way at once, so that the end hits many of them half way. */
const WRITERS = 8;

/** The file to run. */
export const victimFile: string = import.meta.filename;

if (process.argv[1] === victimFile) await keepNotesIn(process.argv[2] ?? "");

async function keepNotesIn(vault: string): Promise<void> {
  const { sentences } = readCorpus();
  const runtime = await Runtime.open({ vault });
  runtime.subscribe(({ event }) => {
    if (event.type === "cell.spawned") say({ cell: event.pid });
  });
  for (const { pid } of runtime.cells()) say({ cell: pid });
  const librarian = refLibrarian(runtime);
  await Promise.all(Array.from({ length: WRITERS }, (_, writer) => keepNotes({ librarian, sentences, writer })));
}

async function keepNotes({
  librarian,
  sentences,
  writer,
}: {
  readonly librarian: Librarian;
  readonly sentences: readonly string[];
  readonly writer: number;
}): Promise<never> {
  for (let index = writer; ; index += WRITERS) {
    const text = `${sentences[index % sentences.length] ?? ""} (${index})`;
    say({ note: await librarian.call("add", text), text });
  }
}

/** A pipe is written to at once on POSIX, so what was said is out when the process is killed a moment later. */
function say(fact: { readonly cell: number } | { readonly note: number; readonly text: string }): void {
  process.stdout.write(`${JSON.stringify(fact)}\n`);
}
