/**
 * What an agent is while it has no life: a branch of the vault, and the code that is current in it.
 */
import type { Branch } from "../vault/index.ts";
import { readArtifact, readCurrent } from "./agent-record.ts";
import { RuntimeError } from "./errors.ts";
import type { KnownCode } from "./first-start.ts";

/** An agent's branch, and its code as last read or committed. */
export class AgentCode {
  readonly #agent: string;
  #branch: Branch;
  /** `undefined` before the first start. */
  known: KnownCode | undefined;

  constructor(agent: string, branch: Branch) {
    this.#agent = agent;
    this.#branch = branch;
    this.known = codeIn(branch);
  }

  get branch(): Branch {
    return this.#branch;
  }

  /** From here on the agent is what `branch` holds. */
  moveTo(branch: Branch): void {
    this.#branch = branch;
    this.known = codeIn(branch);
  }

  /** Throws RUNTIME_START_FAILED where there is no code. */
  required(): KnownCode {
    if (this.known !== undefined) return this.known;
    const text = `the vault holds no code for ${this.#agent}; spawn it again with its module`;
    throw new RuntimeError("RUNTIME_START_FAILED", text, { details: { agent: this.#agent } });
  }
}

function codeIn(branch: Branch): KnownCode | undefined {
  const current = readCurrent(branch);
  const artifact = current === undefined ? undefined : readArtifact(branch, current.hash);
  return current === undefined || artifact === undefined ? undefined : { current, artifact };
}
