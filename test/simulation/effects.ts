/**
 * The outside world that steps act upon: counts what is done under which key, and checks what agents are told of it (I5): an
 * effect may be repeated under its key alone, its result is recorded once, and given back only when it is on the disk.
 */

/** What it needs. */
export interface EffectsHost {
  readonly wrong: (text: string) => void;
  /** Whether this agent's writes must be on the disk before anything is said. */
  readonly isDurable: (agent: string) => boolean;
  readonly isOnDisk: (mark: string) => boolean;
}

interface Effect {
  readonly key: string;
  performed: number;
  result: string | undefined;
}

/** See the header. */
export class Effects {
  readonly #host: EffectsHost;
  readonly #effects = new Map<string, Effect>();
  #count = 0;

  constructor(host: EffectsHost) {
    this.#host = host;
  }

  /** Performs the effect once more. Returns its result. */
  perform(agent: string, op: string, name: string, key: string): string {
    const id = `${op}@${agent}/${name}`;
    const effect = this.#effects.get(id) ?? { key, performed: 0, result: undefined };
    this.#effects.set(id, effect);
    effect.performed += 1;
    if (effect.key !== key) this.#host.wrong(`I5 ${id} is repeated under another key`);
    if (effect.result !== undefined) this.#host.wrong(`I5 ${id} is performed again after its result was recorded`);
    return JSON.stringify(`<#${id}/${++this.#count}#>`);
  }

  /** The result was recorded, or given back, as the agent was told. */
  known(agent: string, op: string, name: string, result: string): void {
    const id = `${op}@${agent}/${name}`;
    const effect = this.#effects.get(id);
    const { wrong, isDurable, isOnDisk } = this.#host;
    if (effect === undefined) return wrong(`I5 ${id} has a result, and was never performed`);
    if (effect.result !== undefined && effect.result !== result) wrong(`I5 ${id} has two results`);
    effect.result = result;
    if (isDurable(agent) && !isOnDisk(result.slice(3, -3)))
      wrong(`I5 the result of ${id} is given before it is on the disk`);
  }
}
