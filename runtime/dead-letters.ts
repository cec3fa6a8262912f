/**
 * Dead letters: messages that ended the life of their agent, or whose agent ended before it came to them. They are kept in
 * the vault, so that nothing is lost silently and nothing is run twice, until somebody replays or drops them.
 *
 *   a cast's turn ended the life --setAside--> one commit: the letter in `~dead`, and what the message claims
 *   replay --> delivered again --(its turn commits)--> gone, in that very commit
 *                             `--(it kills again)----> stands where it stood, with the new reason; if it is there still
 *
 * In the branch: `n` the next number, `l:<number>` the letter without its text (JSON), `t:<number>` its text.
 *
 * Invariants
 * 1. A letter and its message's claims (a timer's end, a subscription's place) are one commit: a message that was set aside
 *    is never delivered by its source again.
 * 2. Never more than `countMax` letters and `bytesMax` bytes of text are kept; the oldest go, each with an event. The newest
 *    stays, however long it is.
 * 3. A letter whose commit fails is told as discarded. One whose removal fails is there as before.
 * 4. A letter that is gone stays away, also when a replay of it was under way and fails.
 */
import type { Action, Branch, Commit, Durability, Op, Vault } from "../vault/index.ts";
import { VaultError } from "../vault/index.ts";
import { textOf } from "./agent-record.ts";
import { RuntimeError } from "./errors.ts";
import type { EventStream } from "./events.ts";
import type { ExitReason } from "./exit-reason.ts";
import type { Caller, Letter, Message } from "./message.ts";

/** A message that was set aside. */
export interface DeadLetter {
  /** Its number; never used twice in a vault. */
  readonly id: number;
  readonly agent: string;
  readonly kind: "call" | "cast";
  readonly method: string;
  /** The argument as encoded text; JSON for plain values. */
  readonly text: string;
  /** The agent that sent it, if one did. */
  readonly from?: string | undefined;
  readonly callId?: string | undefined;
  /** Why its agent ended, or why it takes no messages. */
  readonly reason: ExitReason;
  /** The version of the code it was set aside by. */
  readonly hash: string;
  /** When it was set aside, in ms of wall time. */
  readonly timeMs: number;
  /** The turn's own time and chance. A replay gets new ones: the world has moved on. */
  readonly nowMs: number;
  readonly seed: number;
  /** Replays that ended the life again. */
  readonly failedReplays: number;
}

/** A message that is to be set aside. */
export interface Dying {
  readonly agent: string;
  readonly message: Message;
  readonly reason: ExitReason;
  readonly hash: string;
}

/** How many are kept. */
export interface DeadLetterBounds {
  readonly countMax: number;
  /** Of their texts, in UTF-8. */
  readonly bytesMax: number;
}

/** What dead letters need. */
export interface DeadLetterHost extends DeadLetterBounds {
  readonly vault: Vault;
  readonly events: EventStream;
  readonly now: () => number;
  /** Delivers a letter again. Throws what `AgentRef.cast` throws. */
  readonly deliver: (agent: string, letter: Letter, caller: Caller) => void;
  /** A replay went well: its words are no poison any more. */
  readonly replayed: (letter: DeadLetter) => void;
}

/** The letter without its number and text, as it stands in the vault. */
type Header = Omit<DeadLetter, "id" | "text"> & { readonly bytes: number };
/** What bounds and lists need to know without reading the letter. */
type IndexEntry = Pick<Header, "agent" | "method" | "bytes">;

const BRANCH = "~dead";
const NEXT_KEY = "n";
/** One commit holds no more text than this, so that it stays far below the largest frame of the log. */
const COMMIT_BYTES_MAX: number = 16 << 20;

/** All dead letters of a runtime. */
export class DeadLetters {
  readonly #host: DeadLetterHost;
  /** By number, oldest first; undefined when it has to be read again. */
  #index: Map<number, IndexEntry> | undefined;
  readonly #replays = new Map<number, Promise<void>>();

  constructor(host: DeadLetterHost) {
    this.#host = host;
  }

  /**
   * Keeps messages, with what they claim, and tells so once that is as durable as asked. A message that was a replay goes
   * back to where it stood, or is told as discarded where its letter was dropped meanwhile, or gave way to newer ones. Never
   * throws for what the vault refuses: such messages are told as discarded.
   */
  setAside(dying: readonly Dying[], durability: Durability): void {
    for (const part of partsOf(dying)) this.#setAside(part, durability);
  }

  /** Those of one agent, or all; oldest first. Throws VAULT_PAGE_DAMAGED. */
  list(agent?: string): readonly DeadLetter[] {
    const all = [...this.#known()].filter(([, entry]) => agent === undefined || entry.agent === agent);
    return all.map(([id]) => this.#read(id));
  }

  /**
   * Delivers a letter again, as a new message behind those that wait. It is gone in the commit of its turn; resolves when
   * that is durable. Rejects when it fails again (it then stays) and with RUNTIME_DEAD_LETTER_UNKNOWN, RUNTIME_AGENT_UNKNOWN,
   * RUNTIME_AGENT_DOWN, RUNTIME_INTENSITY_EXCEEDED, RUNTIME_MAILBOX_FULL. A second replay meanwhile joins the first.
   */
  replay(id: number): Promise<void> {
    const known = this.#replays.get(id);
    if (known !== undefined) return known;
    const replay = this.#replay(id).finally(() => this.#replays.delete(id));
    this.#replays.set(id, replay);
    return replay;
  }

  /** Removes a letter for good; on disk when it resolves. Rejects with RUNTIME_DEAD_LETTER_UNKNOWN. */
  async drop(id: number): Promise<void> {
    const { agent, method } = this.#read(id);
    await this.#remove(id);
    this.#host.events.emit({ type: "message.dropped", agent, method, id });
  }

  async #replay(id: number): Promise<void> {
    const letter = this.#read(id);
    const { agent, kind, method, text, from, callId } = letter;
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const again: Letter = { kind, method, text, from, callId, deadLetter: id, claims: () => this.#removal(id) };
    this.#host.deliver(agent, again, { resolve, reject });
    await this.#orForget(promise);
    // A call whose id had been committed is answered without a turn that could take the letter with it.
    if (this.#known().has(id)) await this.#remove(id);
    this.#host.replayed(letter);
    this.#host.events.emit({ type: "message.replayed", agent, method, id });
  }

  async #remove(id: number): Promise<void> {
    await this.#orForget(this.#host.vault.commit(this.#removal(id), { durability: "disk" }).durable);
  }

  /** What removes a letter, and may fail: whoever looked meanwhile saw it gone, so it is looked up anew then. */
  async #orForget(removed: Promise<unknown>): Promise<void> {
    try {
      await removed;
    } catch (error) {
      this.#index = undefined;
      throw error;
    }
  }

  /** The actions that remove a letter. What is known must be read again once they are carried out. */
  #removal(id: number): readonly Action[] {
    this.#index = undefined;
    return [{ type: "write", branch: this.#branch().id, ops: removalOps(id) }];
  }

  #setAside(all: readonly Dying[], durability: Durability): void {
    let dying = all;
    let kept: readonly Kept[] = [];
    let commit: Commit;
    try {
      dying = all.filter((each) => !this.#isGone(each));
      if (dying.length === 0) return;
      const draft = this.#draft(dying);
      kept = draft.kept;
      const claims = dying.flatMap(({ message }) => claimsOf(message));
      const write: Action = { type: "write", branch: this.#branch().id, ops: draft.ops };
      commit = this.#host.vault.commit([write, ...claims], { durability });
    } catch (error) {
      this.#index = undefined;
      if (!(error instanceof VaultError)) throw error;
      for (const { agent, message } of dying) this.#discarded(agent, message.method, error.code);
      return;
    }
    for (const { id, message } of kept) message.deadLetter = id;
    const told = (): void => this.#told(kept);
    if (commit.isDurable) return told();
    // Both ends are handled: it is kept, or it is told as discarded.
    void commit.durable.then(told, (error: unknown) => {
      this.#index = undefined;
      const code = error instanceof VaultError ? error.code : "VAULT_COMMIT_FAILED";
      for (const { agent, message } of dying) this.#discarded(agent, message.method, code);
    });
  }

  /** A replay whose letter was removed while it waited: it is told, and not kept. */
  #isGone({ agent, message: { method, deadLetter } }: Dying): boolean {
    if (deadLetter === undefined || this.#known().has(deadLetter)) return false;
    this.#discarded(agent, method, "RUNTIME_DEAD_LETTER_UNKNOWN");
    return true;
  }

  /** Numbers and ops for messages, and what has to go for them. */
  #draft(dying: readonly Dying[]): { readonly kept: readonly Kept[]; readonly ops: readonly Op[] } {
    const known = this.#known();
    const branch = this.#branch();
    let next = Number(textOrZero(branch.get(NEXT_KEY)));
    const ops: Op[] = [];
    const kept: Kept[] = [];
    for (const each of dying) {
      const { message, agent, reason, hash } = each;
      const id = message.deadLetter ?? next++;
      const { kind, method, text, from, callId, nowMs, seed } = message;
      const failedReplays = message.deadLetter === undefined ? 0 : this.#read(id).failedReplays + 1;
      const bytes = Buffer.byteLength(text);
      const timeMs = this.#host.now();
      const header: Header = {
        agent,
        kind,
        method,
        from,
        callId,
        reason,
        hash,
        timeMs,
        nowMs,
        seed,
        failedReplays,
        bytes,
      };
      ops.push({ put: headerKey(id), value: Buffer.from(JSON.stringify(header)) });
      ops.push({ put: textKey(id), value: Buffer.from(text) });
      known.set(id, { agent, method, bytes });
      kept.push({ ...each, id, evicted: this.#evict(known, id, ops) });
    }
    ops.push({ put: NEXT_KEY, value: Buffer.from(String(next)) });
    return { kept, ops };
  }

  /** Takes the oldest away until the rest is within its bounds; `newest` stays. */
  #evict(known: Map<number, IndexEntry>, newest: number, ops: Op[]): readonly IndexEntry[] {
    const evicted: IndexEntry[] = [];
    let bytes = 0;
    for (const entry of known.values()) bytes += entry.bytes;
    for (const [id, entry] of known) {
      if (known.size <= this.#host.countMax && bytes <= this.#host.bytesMax) break;
      if (id === newest) continue;
      known.delete(id);
      bytes -= entry.bytes;
      ops.push(...removalOps(id));
      evicted.push(entry);
    }
    return evicted;
  }

  #told(kept: readonly Kept[]): void {
    for (const { agent, message, reason, hash, id, evicted } of kept) {
      this.#host.events.emit({ type: "message.set_aside", agent, method: message.method, id, reason, hash });
      for (const old of evicted) this.#discarded(old.agent, old.method, "RUNTIME_DEAD_LETTERS_FULL");
    }
  }

  #discarded(agent: string, method: string, code: string): void {
    this.#host.events.emit({ type: "message.discarded", agent, method, code });
  }

  /** Read anew after anything that may have failed, else kept. */
  #known(): Map<number, IndexEntry> {
    if (this.#index !== undefined) return this.#index;
    const index = new Map<number, IndexEntry>();
    for (const [key, value] of this.#host.vault.head(BRANCH)?.range({ prefix: HEADER_PREFIX }) ?? []) {
      const { agent, method, bytes } = JSON.parse(textOf(value)) as Header; // written by #draft alone
      index.set(Number(key.slice(HEADER_PREFIX.length)), { agent, method, bytes });
    }
    this.#index = index;
    return index;
  }

  #branch(): Branch {
    const { vault } = this.#host;
    return vault.head(BRANCH) ?? vault.create({ name: BRANCH, durability: "memory" }).branch;
  }

  #read(id: number): DeadLetter {
    const branch = this.#host.vault.head(BRANCH);
    const header = branch?.get(headerKey(id));
    const text = branch?.get(textKey(id));
    if (header === undefined || text === undefined) {
      const message = `there is no dead letter ${id}: it was replayed, dropped, or gave way to newer ones`;
      throw new RuntimeError("RUNTIME_DEAD_LETTER_UNKNOWN", message, { details: { id } });
    }
    const { bytes: _, ...rest } = JSON.parse(textOf(header)) as Header; // written by #draft alone
    return { id, ...rest, text: textOf(text) };
  }
}

/** A message that is being set aside, and what had to go for it. */
interface Kept extends Dying {
  readonly id: number;
  readonly evicted: readonly IndexEntry[];
}

/** A replay's own claim is the removal of the letter, which stays now. */
function claimsOf({ deadLetter, claims }: Message): readonly Action[] {
  return deadLetter === undefined ? (claims?.() ?? []) : [];
}

function* partsOf(dying: readonly Dying[]): Iterable<readonly Dying[]> {
  let part: Dying[] = [];
  let bytes = 0;
  for (const each of dying) {
    const more = Buffer.byteLength(each.message.text);
    if (part.length > 0 && bytes + more > COMMIT_BYTES_MAX) {
      yield part;
      part = [];
      bytes = 0;
    }
    part.push(each);
    bytes += more;
  }
  if (part.length > 0) yield part;
}

const HEADER_PREFIX = "l:";
const TEXT_PREFIX = "t:";

/** Twelve digits keep byte order and number order the same. */
function headerKey(id: number): string {
  return HEADER_PREFIX + String(id).padStart(12, "0");
}

function textKey(id: number): string {
  return TEXT_PREFIX + String(id).padStart(12, "0");
}

function removalOps(id: number): Op[] {
  return [{ delete: headerKey(id) }, { delete: textKey(id) }];
}

/** Numbers begin with 1. */
function textOrZero(bytes: Uint8Array | undefined): string {
  return bytes === undefined ? "1" : textOf(bytes);
}
