/**
 * The rows that the turns of one resident ask for, fetched from its branch.
 *
 *     put --> waiting --(it is its turn's turn, and the cell has room)--> looked up --> answer
 *                                                    ^
 *     taken, over ------------------------------------'
 *
 * A cell says in one frame that a turn is over and that the next one reads. The read must wait until the turn before is
 * committed; then it sees all of it and, because an agent has one writer, nothing later. It need not be durable yet:
 * what is undone takes this life with it.
 *
 * Invariants
 * 1. Rows come from the one branch that was handed in; a query has no words for another.
 * 2. Whatever a cell asks for at once, no more than `UNREAD_ANSWERS_MAX` answers, pages among them `UNREAD_PAGES_MAX`, are
 *    on their way to it, and this thread looks up no more than that in one go.
 */
import { PAGE_BYTES_MAX, PAGE_LOOKS_MAX, pageText, presenceText, rowText } from "../sandbox/index.ts";
import type { Resident, RowPage, RowQuery, TurnRead } from "../sandbox/index.ts";
import { VaultError } from "../vault/index.ts";
import type { RangeOptions, View } from "../vault/index.ts";
import { rowPrefix, textOf } from "./agent-record.ts";
import type { AskAnswer } from "./message.ts";

/** Answers that a cell may have unread: enough that it does not wait for the pipe. */
const UNREAD_ANSWERS_MAX = 16;
/** Pages that a cell may have unread: the next one is looked up while one is decoded. */
const UNREAD_PAGES_MAX = 2;
/** Text that a cell may have unread, in UTF-16 units. The last answer may be one row longer than that. */
const UNREAD_UNITS_MAX: number = UNREAD_PAGES_MAX * PAGE_BYTES_MAX;

/** What reading rows needs of its resident's owner. */
export interface RowReadHost {
  readonly view: View;
  /** Messages in flight, oldest first. A turn that is not among them is the runtime's own, and runs alone. */
  readonly inflight: readonly { readonly turn: number }[];
  resident(): Pick<Resident, "unread" | "answer"> | undefined;
}

/** Answers reads in the order in which they were asked. */
export class RowReads {
  readonly #host: RowReadHost;
  /** Bounded by the limit of reads per turn: a turn that has not begun cannot read, so they are of one turn. */
  #waiting: TurnRead[] = [];
  #start = 0;

  constructor(host: RowReadHost) {
    this.#host = host;
  }

  /** A turn asks for rows. They are looked up with the next `serve`. */
  put(read: TurnRead): void {
    this.#waiting.push(read);
  }

  /** This turn is over: what it still waited for is of no use to anybody. */
  over(turn: number): void {
    if (this.#waiting.length === 0) return;
    this.#waiting = this.#waiting.slice(this.#start).filter((read) => read.turn !== turn);
    this.#start = 0;
    this.serve();
  }

  /** Answers as much as the cell has room for. */
  serve(): void {
    for (let read = this.#waiting[this.#start]; read !== undefined; read = this.#waiting[this.#start]) {
      const resident = this.#host.resident();
      if (resident === undefined || !this.#isNext(read.turn) || !hasRoom(resident, read.query)) return;
      this.#start += 1;
      resident.answer(read.turn, read.ask, answerOf(this.#host.view, read.query));
    }
    this.#waiting = [];
    this.#start = 0;
  }

  /** Whether all turns before this one are committed. */
  #isNext(turn: number): boolean {
    return this.#host.inflight.findIndex((message) => message.turn === turn) <= 0;
  }
}

function hasRoom({ unread }: Pick<Resident, "unread">, { kind }: RowQuery): boolean {
  const answersMax = kind === "get" || kind === "has" ? UNREAD_ANSWERS_MAX : UNREAD_PAGES_MAX;
  return unread.answers < answersMax && unread.units < UNREAD_UNITS_MAX;
}

/** What a view answers to a query. A damaged page is an answer too: the handler is told, the agent lives. */
export function answerOf(view: View, query: RowQuery): AskAnswer {
  try {
    return { ok: true, text: lookUp(view, query) };
  } catch (error) {
    if (!(error instanceof VaultError)) throw error;
    return { ok: false, code: error.code, message: error.message };
  }
}

function lookUp(view: View, query: RowQuery): string {
  const at = rowPrefix(query.table) + query.key;
  switch (query.kind) {
    case "get": {
      const value = view.get(at);
      return rowText(value === undefined ? undefined : textOf(value));
    }
    case "has":
      return presenceText(view.has(at));
    case "up":
    case "down":
      return pageText(pageOf(view, query));
  }
}

/** As many rows as are wanted and fit, the first whatever its size; fewer, or none, where many keys were deleted. */
function pageOf(view: View, query: RowQuery): RowPage {
  const { after, rowsMax } = query;
  const space = rowPrefix(query.table);
  const keys: string[] = [];
  const texts: string[] = [];
  let [bytes, looks, next] = [0, 0, ""];
  for (const [found, value] of view.entries(boundsOf(query))) {
    if (after !== "" && found === space + after) continue;
    bytes += value === null ? 0 : found.length + value.length;
    if (keys.length > 0 && bytes > PAGE_BYTES_MAX) return { keys, texts, next };
    next = found.slice(space.length);
    if (value !== null) {
      keys.push(next);
      texts.push(textOf(value));
    }
    if (keys.length === rowsMax || ++looks === PAGE_LOOKS_MAX) return { keys, texts, next };
  }
  return { keys, texts, next: "" };
}

/** What is left of the range. Going up, the key that the page before ended with is its first; going down it is excluded. */
function boundsOf({ kind, table, key, to, after, prefix }: RowQuery): Omit<RangeOptions, "limit"> {
  const space = rowPrefix(table);
  const isDown = kind === "down";
  const from = !isDown && after !== "" ? after : key;
  const end = isDown && after !== "" ? after : to;
  const bounds = { prefix: space + prefix, from: space + from, reverse: isDown };
  return end === "" ? bounds : { ...bounds, to: space + end };
}
