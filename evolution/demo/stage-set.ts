/**
 * What every chapter of the demo works with: the runtime on stage, its agent, the client in the audience, and whoever
 * tells the story.
 */
import type { Runtime } from "../../runtime/index.ts";
import type { Arbiter } from "../arbiter.ts";
import type { Client } from "./client.ts";
import type { Corpus } from "./corpus.ts";
import type { Ledger } from "./ledger.ts";
import type { Librarian } from "./librarian.ts";
import type { Narrator } from "./narrator.ts";
import type { Patience } from "./waiting.ts";

/** The demo while its first runtime is open. */
export interface StageSet extends Patience {
  readonly runtime: Runtime;
  readonly arbiter: Arbiter;
  readonly librarian: Librarian;
  readonly client: Client;
  readonly corpus: Corpus;
  readonly ledger: Ledger;
  readonly narrator: Narrator;
}
