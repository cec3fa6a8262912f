/**
 * A folder of definitions whose files are the agents: what is saved takes effect with the next message. The only importer
 * of chokidar, which is believed in one thing: that something happened to a file. What the folder holds is read anew each
 * time it has been calm for a moment, so an editor that writes in two steps, renames over, or saves twice is one reload.
 *
 *   chokidar --(a file was touched)--> calm? --> list the folder --> definitions that are new or touched --> apply each
 *                                                               `--> those that are gone: told, the agents go on
 *
 * Invariants
 * 1. Nothing is missed between the first look and the first event: the watch stands before the folder is read.
 * 2. A change that comes while a definition is applied is applied after it.
 * 3. An id belongs to one folder: what another one defines is refused.
 * 4. `close` leaves no watch, no timer and no deployment behind. Agents go on.
 */
import { watch as watchFiles } from "chokidar";
import type { FSWatcher } from "chokidar";
import { opendir, readdir } from "node:fs/promises";
import { basename, dirname, resolve, sep } from "node:path";
import type { Clock, Timer } from "../vault/index.ts";
import { definitionsIn, isAgentFile } from "./agent-file.ts";
import type { DefinitionFiles } from "./agent-file.ts";
import { RuntimeError } from "./errors.ts";
import type { EventStream } from "./events.ts";
import { Turnstile } from "./turnstile.ts";
import { WatchedDefinition } from "./watched-definition.ts";
import type { DefinitionFolder, DefinitionHost, WatchedAgent } from "./watched-definition.ts";

/** What a watch needs of its runtime. */
export interface WatchHost extends DefinitionHost {
  readonly clock: Clock;
  readonly events: EventStream;
  /** Takes the id for this folder; false when another has it. */
  claim(id: string, watch: Watch): boolean;
  release(id: string, watch: Watch): void;
  /** Throws RUNTIME_CLOSED. */
  requireOpen(): void;
  /** The watch begins: from here on it must be closed. */
  opened(watch: Watch): void;
  closed(watch: Watch): void;
}

/** Never waits longer than this for a folder in which something is always being written, in ms. */
const UNCALM_MS_MAX = 1_000;
/** Definitions that compile, start shadows or begin at once: each may need a process of its own. */
const AT_ONCE_MAX = 3;
/** Definitions of one folder that are taken: each is an agent with an isolate. Those beyond are refused until there is room. */
export const DEFINITIONS_MAX = 1_000;

/** A watched folder. Made by `Runtime.watch`. */
export class Watch implements AsyncDisposable {
  /** The folder, as an absolute path. */
  readonly dir: string;
  readonly #host: WatchHost;
  readonly #calmMs: number;
  readonly #files: FSWatcher;
  readonly #folder: DefinitionFolder;
  readonly #definitions = new Map<string, WatchedDefinition>();
  /** Those of them for which there was no room. */
  readonly #beyond = new Set<string>();
  /** Files outside of the folder's own that somebody imports. */
  readonly #imported = new Set<string>();
  /** Files that were touched since the folder was last looked at. */
  readonly #touched = new Set<string>();
  /** What is being applied, also of definitions that are gone. */
  readonly #underWay = new Set<Promise<void>>();
  #timer: Timer | undefined;
  #uncalmSinceMs: number | undefined;
  readonly #ready: PromiseWithResolvers<void> = Promise.withResolvers();
  #isReady = false;
  #isGone = false;
  #looking: Promise<void> = Promise.resolve();
  #closing: Promise<void> | undefined;
  #unsubscribe: () => void = () => undefined;

  private constructor(host: WatchHost, options: { readonly dir: string; readonly calmMs: number }) {
    this.dir = options.dir;
    this.#host = host;
    this.#calmMs = options.calmMs;
    const turnstile = new Turnstile(AT_ONCE_MAX);
    this.#folder = {
      dir: options.dir,
      isClosed: () => this.#closing !== undefined,
      inTurn: (work) => turnstile.run(work),
      onFile: (path) => this.#import(path),
    };
    this.#files = watchFiles(options.dir, {
      depth: 0,
      atomic: false, // calm is waited for here
      ignored: (path, stats) => stats?.isFile() === true && !this.#isWanted(path),
    });
  }

  /**
   * Watches a folder and starts what is in it. Resolves when every definition is up or refused. Rejects with
   * RUNTIME_WATCH_FAILED, RUNTIME_CLOSED.
   */
  static async open(host: WatchHost, options: { readonly dir: string; readonly calmMs: number }): Promise<Watch> {
    const dir = resolve(options.dir);
    await requireFolder(dir);
    host.requireOpen();
    const watch = new Watch(host, { dir, calmMs: options.calmMs });
    host.opened(watch);
    await watch.#begin();
    return watch;
  }

  /** Every definition as it stands, in the order of their ids: up to date, or with the reason why it is not. */
  get agents(): readonly WatchedAgent[] {
    return [...this.#definitions.values()].map(({ report }) => report).toSorted((a, b) => (a.id < b.id ? -1 : 1));
  }

  /** Watches no longer; what is being applied comes to its end. The agents go on. Closing the runtime does it too. */
  async close(): Promise<void> {
    this.#closing ??= this.#closeNow();
    await this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #begin(): Promise<void> {
    const { dir } = this;
    this.#files.on("all", (event, path) => this.#onTouched(event, resolve(path)));
    this.#files.on("error", (error) => this.#onError(error));
    this.#files.once("ready", () => this.#ready.resolve());
    await this.#ready.promise;
    this.#host.requireOpen(); // closed meanwhile
    this.#isReady = true;
    this.#unsubscribe = this.#host.events.subscribe(({ event }) => {
      if (event.type === "agent.started") this.#onStarted(event.agent);
    }).unsubscribe;
    await this.#look();
    const refused = this.agents.filter(({ refusal }) => refusal !== undefined).length;
    this.#host.emit({ type: "watch.opened", dir, applied: this.#definitions.size - refused, refused });
  }

  async #closeNow(): Promise<void> {
    this.#timer?.cancel();
    this.#unsubscribe();
    await this.#files.close();
    this.#ready.resolve(); // a chokidar that is closed does not say it any more
    await this.#looking;
    await Promise.all(this.#underWay);
    for (const id of this.#definitions.keys()) this.#host.release(id, this);
    this.#host.closed(this);
    this.#host.emit({ type: "watch.closed", dir: this.dir });
  }

  // ------------------------------------------------------------------ what chokidar says

  #isWanted(path: string): boolean {
    const whole = resolve(path);
    return this.#imported.has(whole) || (dirname(whole) === this.dir && isAgentFile(basename(whole)));
  }

  #onTouched(event: string, path: string): void {
    // Before it is ready it tells what is there, which is about to be read. A folder that comes or goes takes its files along.
    if (!this.#isReady || this.#closing !== undefined || (event.endsWith("Dir") && path !== this.dir)) return;
    if (path === this.dir) this.#onFolder(event);
    this.#touched.add(path);
    const { clock } = this.#host;
    const nowMs = clock.monotonicMs();
    this.#uncalmSinceMs ??= nowMs;
    this.#timer?.cancel();
    const restMs = Math.max(0, this.#uncalmSinceMs + UNCALM_MS_MAX - nowMs);
    this.#timer = clock.after(Math.min(this.#calmMs, restMs), () => this.#onCalm());
  }

  /** chokidar 6 tells that a folder is back, and looks into it only when it is told to anew. */
  #onFolder(event: string): void {
    if (event === "unlinkDir") this.#isGone = true;
    else if (this.#isGone) {
      this.#isGone = false;
      this.#files.unwatch(this.dir);
      this.#files.add(this.dir);
    }
  }

  #onCalm(): void {
    this.#uncalmSinceMs = undefined;
    // One look after the other; what rejects is a bug of ours and surfaces as an uncaught error.
    this.#looking = this.#looking.then(async () => {
      if (this.#closing === undefined) await this.#list();
    });
  }

  #onError(error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    this.#host.emit({ type: "watch.failed", dir: this.dir, message });
  }

  #onStarted(id: string): void {
    const definition = this.#definitions.get(id);
    if (definition?.isWaiting === true && this.#closing === undefined) this.#apply(definition);
  }

  /** A file that a definition is made of and that is no definition of this folder by itself. Its first event comes at once, so that a change before the watch stood is not missed. */
  #import(path: string): void {
    if (this.#isWanted(path) || path.includes(PACKAGES) || this.#closing !== undefined) return;
    this.#imported.add(path);
    this.#files.add(path);
  }

  /** Lets go of files that nobody imports any more. */
  #prune(): void {
    const definitions = [...this.#definitions.values()];
    if (!definitions.every(({ isIdle }) => isIdle)) return; // one that is being read may need any
    for (const path of this.#imported) {
      if (definitions.some(({ paths }) => paths.has(path))) continue;
      this.#imported.delete(path);
      this.#files.unwatch(path);
    }
  }

  // ------------------------------------------------------------------ what the folder says

  /** The first look: waits for everything that it starts. */
  async #look(): Promise<void> {
    await this.#list();
    await Promise.all(this.#underWay);
  }

  /** Reads the folder, and starts to apply what is new or was touched. */
  async #list(): Promise<void> {
    const touched = new Set(this.#touched);
    this.#touched.clear();
    const names = await this.#names();
    if (names === undefined) return;
    const found = definitionsIn(names);
    this.#forget(new Set(found.map(({ id }) => id)));
    this.#prune();
    for (const files of found) this.#take(files, touched);
  }

  async #names(): Promise<readonly string[] | undefined> {
    try {
      return await readdir(this.dir);
    } catch (error) {
      if ((error as { readonly code?: unknown }).code === "ENOENT") return []; // a property of every error of node:fs
      this.#onError(error);
      return undefined;
    }
  }

  #forget(found: ReadonlySet<string>): void {
    for (const [id, definition] of this.#definitions) {
      if (found.has(id)) continue;
      this.#definitions.delete(id);
      this.#beyond.delete(id);
      this.#host.release(id, this);
      this.#host.emit({ type: "definition.removed", agent: id, file: definition.file });
    }
  }

  #take(files: DefinitionFiles, touched: ReadonlySet<string>): void {
    const known = this.#definitions.get(files.id);
    const isTouched = known === undefined || known.isChangedBy(files, touched) || this.#isDue(files.id);
    if (!isTouched) return;
    const definition = known ?? new WatchedDefinition(this.#host, this.#folder, files);
    this.#definitions.set(files.id, definition);
    if (this.#mayTake(definition)) this.#apply(definition, files);
  }

  #apply(definition: WatchedDefinition, files?: DefinitionFiles): void {
    const work = definition.touch(files).finally(() => void this.#underWay.delete(work)); // a bug surfaces as an uncaught error
    this.#underWay.add(work);
  }

  /** There was no room for it, and now there is. */
  #isDue(id: string): boolean {
    return this.#beyond.has(id) && this.#definitions.size - this.#beyond.size < DEFINITIONS_MAX;
  }

  #mayTake(definition: WatchedDefinition): boolean {
    const { id, file } = definition;
    const code = "RUNTIME_DEFINITION_INVALID";
    this.#beyond.delete(id);
    if (this.#definitions.size - this.#beyond.size > DEFINITIONS_MAX) {
      this.#beyond.add(id);
      definition.refuse({ file, code, reason: `a folder defines at most ${DEFINITIONS_MAX} agents` });
      return false;
    }
    if (this.#host.claim(id, this)) return true;
    definition.refuse({ file, code, reason: `${id} is defined by another folder that is watched` });
    return false;
  }
}

const PACKAGES = `${sep}node_modules${sep}`;

async function requireFolder(dir: string): Promise<void> {
  try {
    await (await opendir(dir)).close();
  } catch (cause) {
    const why = (cause as Error).message; // the file system throws nothing but errors
    throw new RuntimeError("RUNTIME_WATCH_FAILED", `${dir} cannot be watched: ${why}`, { details: { dir }, cause });
  }
}
