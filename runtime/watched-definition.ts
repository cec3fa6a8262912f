/**
 * One definition in a watched folder, brought to its agent again and again: as often as it is touched, one after the
 * other, always with what its files say then.
 *
 *   touch -> read, compile -+- no such agent ------> spawn
 *                           +- it runs, or parked -> redeploy (smoke in a shadow, swap between two messages)
 *                           +- it is stopped ------> refused; taken up again when it is started
 *
 * Invariants
 * 1. Touched while it is being applied, it is applied once more, and what is outdated by then is left out where it can be.
 * 2. A definition that is refused changes nothing.
 */
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import type { DefinitionFiles } from "./agent-file.ts";
import type { AgentControl } from "./control.ts";
import { mainFile, readDefinition } from "./definition.ts";
import type { Definition } from "./definition.ts";
import { RuntimeError } from "./errors.ts";
import type { RuntimeEvent } from "./events.ts";
import type { ParsedSpawnOptions } from "./options.ts";
import { redeploy, redeployPlan } from "./redeploy.ts";
import type { Change } from "./redeploy.ts";
import { refusalOf } from "./refusal.ts";
import type { Refusal } from "./refusal.ts";

/** What a definition needs of its runtime. */
export interface DefinitionHost {
  /** Fills in the runtime's defaults. Throws RUNTIME_OPTIONS_INVALID. */
  parse(options: unknown): ParsedSpawnOptions;
  /** `none`: no life of this name runs or is about to. `stopped`: it was, and stays so until somebody starts it. */
  statusOf(id: string): "none" | "running" | "stopped";
  deploy(options: ParsedSpawnOptions): Promise<unknown>;
  control(id: string): AgentControl;
  emit(event: RuntimeEvent): void;
}

/** What a definition needs of its folder. */
export interface DefinitionFolder {
  readonly dir: string;
  readonly isClosed: () => boolean;
  /** Runs `work` when it is its turn: few at a time compile and start shadows. */
  readonly inTurn: <T>(work: () => Promise<T>) => Promise<T>;
  /** The definition is made of this file as well. */
  readonly onFile: (path: string) => void;
}

/** A definition as it stands. */
export interface WatchedAgent {
  readonly id: string;
  /** The record where there is one, otherwise the code. */
  readonly file: string;
  /** Why what was saved last is not what runs. Absent: it is. */
  readonly refusal?: Refusal;
}

/** Refused for what the agent is doing, not for what the file says: tried again when it starts. */
const UNTIL_STARTED: ReadonlySet<string> = new Set(["RUNTIME_AGENT_DOWN", "RUNTIME_AGENT_EXISTS"]);
/** Tries to get past a promotion or a start that came between the plan and its end. */
const TRIES_MAX = 3;

/** Keeps one agent as its files say. */
export class WatchedDefinition {
  readonly #host: DefinitionHost;
  readonly #folder: DefinitionFolder;
  #files: DefinitionFiles;
  /** Every file it was made of, or that was looked for, when it was last read. */
  #paths = new Set<string>();
  #state: "new" | "applied" | "refused" = "new";
  #refusal: Refusal | undefined;
  #isTouched = false;
  #running: Promise<void> | undefined;

  constructor(host: DefinitionHost, folder: DefinitionFolder, files: DefinitionFiles) {
    this.#host = host;
    this.#folder = folder;
    this.#files = files;
  }

  get id(): string {
    return this.#files.id;
  }
  get file(): string {
    return join(this.#folder.dir, mainFile(this.#files));
  }
  get paths(): ReadonlySet<string> {
    return this.#paths;
  }
  /** Resolves when nothing is under way. Rejects with a bug. */
  get idle(): Promise<void> {
    return this.#running ?? Promise.resolve();
  }
  get isIdle(): boolean {
    return this.#running === undefined;
  }
  /** As it stands. */
  get report(): WatchedAgent {
    const { id, file } = this;
    return this.#refusal === undefined ? { id, file } : { id, file, refusal: this.#refusal };
  }
  /** Whether a start of the agent is what it waits for. */
  get isWaiting(): boolean {
    return this.#refusal !== undefined && UNTIL_STARTED.has(this.#refusal.code);
  }

  /** Whether it is made of other files than before, or of one that was touched. */
  isChangedBy({ code, record }: DefinitionFiles, touched: ReadonlySet<string>): boolean {
    if (code !== this.#files.code || record !== this.#files.record) return true;
    return touched.has(this.file) || !this.#paths.isDisjointFrom(touched);
  }

  /** Applies what the files say now. Resolves when that is done, or refused. */
  touch(files: DefinitionFiles = this.#files): Promise<void> {
    this.#files = files;
    this.#isTouched = true;
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  /** Its agent cannot be this folder's. */
  refuse(refusal: Refusal): void {
    this.#state = "refused";
    this.#refusal = refusal;
    this.#host.emit({ type: "definition.refused", agent: this.id, ...refusal });
  }

  async #run(): Promise<void> {
    while (this.#isTouched && !this.#folder.isClosed()) {
      this.#isTouched = false;
      await this.#apply();
    }
  }

  async #apply(): Promise<void> {
    const place: { file: string; module: string | undefined; artifact: Definition["artifact"] | undefined } = {
      file: this.file,
      module: undefined,
      artifact: undefined,
    };
    try {
      const definition = await this.#folder.inTurn(() => this.#read((module) => (place.module = module)));
      place.artifact = definition.artifact;
      const changed = await this.#deploy(definition);
      if (changed !== undefined) this.#applied(changed);
    } catch (error) {
      const refusal = refusalOf(error, place);
      if (refusal === undefined) throw error;
      if (!this.#folder.isClosed() && !this.#isTouched) this.refuse(refusal);
    }
  }

  async #read(onModule: (path: string) => void): Promise<Definition> {
    const paths = new Set<string>();
    const onFile = (path: string): void => {
      paths.add(path);
      this.#folder.onFile(path);
    };
    try {
      return await readDefinition(this.#files, {
        dir: this.#folder.dir,
        parse: (options) => this.#host.parse(options),
        onFile,
        onModule,
      });
    } finally {
      this.#paths = paths;
    }
  }

  /** What was changed; `undefined` when the definition was saved as something else meanwhile, and nothing was done. */
  async #deploy(definition: Definition): Promise<readonly Change[] | undefined> {
    for (let tries = 1; tries < TRIES_MAX; tries++) {
      try {
        const changed = await this.#deployOnce(definition);
        if (changed !== "overtaken") return changed;
      } catch (error) {
        // Somebody else was spawning it: there is an agent to redeploy now, or soon.
        if (!(error instanceof RuntimeError) || error.code !== "RUNTIME_AGENT_EXISTS") throw error;
      }
    }
    const changed = await this.#deployOnce(definition);
    if (changed !== "overtaken") return changed;
    const text = `${this.id} changes its code faster than its definition can be applied; save it again`;
    throw new RuntimeError("RUNTIME_SWAP_FAILED", text, { details: { agent: this.id } });
  }

  async #deployOnce(definition: Definition): Promise<readonly Change[] | "overtaken" | undefined> {
    const { id, ...options } = definition.options;
    switch (this.#host.statusOf(id)) {
      case "none":
        await this.#folder.inTurn(() => this.#host.deploy({ id, ...options }));
        return ["code", "settings", "text"];
      case "stopped": {
        const text = `${id} is stopped; what was saved takes effect when it is started again`;
        throw new RuntimeError("RUNTIME_AGENT_DOWN", text, { details: { agent: id } });
      }
      case "running":
        return await this.#redeploy(this.#host.control(id), definition);
    }
  }

  async #redeploy(control: AgentControl, wanted: Definition): Promise<readonly Change[] | "overtaken" | undefined> {
    const plan = redeployPlan({ spec: control.spec, ...control.code }, wanted);
    if (plan === undefined) return [];
    const { spec } = wanted;
    const { inTurn } = this.#folder;
    const end = await redeploy(control, { plan, spec, inTurn, isWanted: () => this.#isStillWanted(wanted) });
    switch (end) {
      case "done":
        return plan.changed;
      case "unwanted":
        return undefined;
      case "overtaken":
        return "overtaken";
    }
  }

  /** Touched meanwhile, it may still say the same: what it imports is touched once, as the watch of it begins. */
  async #isStillWanted(definition: Definition): Promise<boolean> {
    if (this.#folder.isClosed()) return false;
    if (!this.#isTouched) return true;
    this.#isTouched = false;
    try {
      const now = await this.#folder.inTurn(() => this.#read(() => undefined));
      const isSame = now.artifact.hash === definition.artifact.hash && isDeepStrictEqual(now.spec, definition.spec);
      this.#isTouched ||= !isSame;
      return isSame;
    } catch {
      this.#isTouched = true; // it is read again at once, and then told
      return false;
    }
  }

  /** Told once: not again when a file is saved as it was. */
  #applied(changed: readonly Change[]): void {
    const isNews = this.#state !== "applied" || changed.length > 0;
    this.#state = "applied";
    this.#refusal = undefined;
    if (isNews) this.#host.emit({ type: "definition.applied", agent: this.id, file: this.file, changed });
  }
}
