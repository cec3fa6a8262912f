/**
 * The attacks that were found so far: a candidate may fail on one once, and every later candidate meets it again. Kept in
 * journals of the vault beside the decisions.
 *
 *   adversary -> keep -> [one line per attack, the older line of the same one taken out] -> of(agent) -> every later candidate
 *
 * Invariants
 * 1. An attack is on disk before anybody is told that it is kept.
 * 2. At most `ATTACKS_MAX` of one agent; those that go are taken out of the vault in the same commit.
 * 3. A record that cannot be read costs that attack alone, and is an event. Where the journal itself cannot be read, another
 *    is begun beside it.
 */
import type { EventStream, Journal } from "../runtime/index.ts";
import { VaultError } from "../runtime/index.ts";
import type { KeptAttack, NewAttack } from "./attacks/attack.ts";
import { keptAttack } from "./attacks/attack.ts";
import type { RefusedLine } from "./attacks/lines.ts";
import { parseLine, parseLines, toLines } from "./attacks/lines.ts";
import { selectAttacks } from "./attacks/selection.ts";

/** What the store needs of a runtime. */
export interface AttacksHost {
  readonly events: Pick<EventStream, "emit">;
  journal(name: string): Promise<Journal>;
}

/** What became of the lines of an import. */
export interface ImportedAttacks {
  /** Attacks that were not known. */
  readonly added: number;
  /** Attacks that were. */
  readonly known: number;
  /** Attacks beyond those that an agent may have. */
  readonly dropped: number;
  readonly refused: readonly RefusedLine[];
}

/** Journals that may be found unreadable before the store gives up. */
const JOURNALS_MAX = 8;

/** Keeps attacks, agent by agent. */
export class Attacks {
  readonly #journal: Journal;
  /** By agent, then by id; with the place of its record. */
  readonly #byAgent = new Map<string, Map<string, { readonly attack: KeptAttack; readonly index: number }>>();
  /** Records are replaced one after the other: each names the places of those it takes out. */
  #tail: Promise<unknown> = Promise.resolve();

  private constructor(journal: Journal) {
    this.#journal = journal;
  }

  /** Reads what was kept before. Rejects with the vault's error where no journal can be begun. */
  static async open(host: AttacksHost): Promise<Attacks> {
    const damaged = (text: string): void => host.events.emit({ type: "candidate.attacks_damaged", message: text });
    const attacks = new Attacks(await openJournal(host, damaged));
    const onDamaged = (index: number, { message }: VaultError): void => damaged(`record ${index}: ${message}`);
    for (const { index, text } of attacks.#journal.readable(onDamaged)) {
      const attack = parseLine(text);
      if (typeof attack === "string") damaged(`record ${index} is no attack: ${attack}`);
      else attacks.#of(attack.agent).set(attack.id, { attack, index });
    }
    return attacks;
  }

  /** The attacks of one agent, oldest first. */
  of(agent: string): readonly KeptAttack[] {
    return this.#list(agent);
  }

  /**
   * Keeps an attack of that agent: on disk when it resolves. One that is known has brought down one more. Returns it with its id.
   * Throws a TypeError where its messages are not such, or too many or too long.
   */
  async add(agent: string, attack: Pick<NewAttack, "messages" | "found">): Promise<KeptAttack> {
    const fresh = keptAttack({ agent, messages: attack.messages, found: attack.found });
    return await this.#inTurn(async () => {
      const known = this.#of(agent).get(fresh.id)?.attack;
      const { felled, found, ...rest } = known ?? fresh;
      const lastMs = Math.max(rest.lastMs, fresh.lastMs);
      const kept = known === undefined ? fresh : { ...rest, found, felled: felled + 1, lastMs };
      await this.#write(kept);
      return kept;
    });
  }

  /** The attacks of one agent as lines of JSON. */
  export(agent: string): string {
    return toLines(this.#list(agent));
  }

  /** Takes in lines that `export` wrote, of whatever runtime, for the agents they name or for `agent` alone. On disk when it resolves. */
  async import(text: string, agent?: string): Promise<ImportedAttacks> {
    const { attacks, refused } = parseLines(text);
    const counts = { added: 0, known: 0, dropped: 0 };
    for (const line of attacks) {
      const attack = agent === undefined || agent === line.agent ? line : keptAttack({ ...line, agent });
      await this.#inTurn(async () => {
        const isKnown = this.#of(attack.agent).has(attack.id);
        if (!isKnown) await this.#write(attack);
        const isKept = this.#of(attack.agent).has(attack.id);
        if (isKnown) counts.known += 1;
        else if (isKept) counts.added += 1;
        else counts.dropped += 1;
      });
    }
    return { ...counts, refused };
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#tail.then(work);
    this.#tail = done.catch(() => undefined); // its caller is told
    return await done;
  }

  /** Puts an attack in the place of what was known of it, and of those for which there is no room beside it. */
  async #write(attack: KeptAttack): Promise<void> {
    const all = this.#of(attack.agent);
    const others = this.#list(attack.agent).filter(({ id }) => id !== attack.id);
    const { dropped } = selectAttacks([...others, attack]);
    if (dropped.includes(attack)) return;
    const gone = [attack, ...dropped].flatMap(({ id }) => all.get(id)?.index ?? []);
    const index = await this.#journal.append(JSON.stringify(attack), gone);
    for (const { id } of dropped) all.delete(id);
    all.set(attack.id, { attack, index });
  }

  #list(agent: string): readonly KeptAttack[] {
    const all = [...(this.#byAgent.get(agent)?.values() ?? [])];
    return selectAttacks(all.map(({ attack }) => attack)).kept;
  }

  #of(agent: string): Map<string, { readonly attack: KeptAttack; readonly index: number }> {
    const known = this.#byAgent.get(agent);
    if (known !== undefined) return known;
    const made = new Map<string, { readonly attack: KeptAttack; readonly index: number }>();
    this.#byAgent.set(agent, made);
    return made;
  }
}

/** The first journal that can be read: `attacks`, or the one that was begun when that one was damaged. */
async function openJournal(host: AttacksHost, damaged: (text: string) => void): Promise<Journal> {
  for (let number = 1; ; number++) {
    const name = number === 1 ? "attacks" : `attacks.${number}`;
    try {
      return await host.journal(name);
    } catch (error) {
      if (!(error instanceof VaultError) || error.code !== "VAULT_PAGE_DAMAGED" || number >= JOURNALS_MAX) throw error;
      damaged(`the journal ${name} cannot be read, another is used: ${error.message}`);
    }
  }
}
