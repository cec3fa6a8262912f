/**
 * A runtime and a temporary folder of definitions, with small ways to save files and to wait for what comes of it.
 */
import { mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { PlanariaEvent, Runtime, Watch } from "../../runtime/index.ts";
import { withRuntime } from "../../runtime/testing.ts";

type EventOf<Type extends PlanariaEvent["type"]> = Extract<PlanariaEvent, { readonly type: Type }>;

/** An agent that says `word` and counts how often; `more` stands behind its handlers. */
export function says(word: string, more = ""): string {
  return `import { agent } from "planaria/agent";
export default agent({
  version: 1,
  state: () => ({ count: 0 }),
  on: {
    say(ctx) { ctx.state.count += 1; return ${JSON.stringify(word)} + ctx.state.count; },
    text: (ctx) => ctx.text,
    die() { for (;;); },
  },${more}
});
`;
}

/** A folder of definitions and the runtime that watches it. */
export class WatchedFolder {
  readonly runtime: Runtime;
  readonly dir: string;
  readonly #events: PlanariaEvent[] = [];
  #seen = 0;
  #wake: () => void = () => undefined;

  private constructor(runtime: Runtime, dir: string) {
    this.runtime = runtime;
    this.dir = dir;
    runtime.subscribe(({ event }) => {
      this.#events.push(event);
      this.#wake();
    });
  }

  /** Both are gone when the test is over. */
  static async open(t: TestContext): Promise<WatchedFolder> {
    const runtime = await withRuntime(t);
    const dir = await realpath(await mkdtemp(join(tmpdir(), "planaria-watch-")));
    t.after(() => rm(dir, { recursive: true, force: true }));
    return new WatchedFolder(runtime, dir);
  }

  /** Begins to watch; events so far are not waited for any more. */
  async watch(): Promise<Watch> {
    const watch = await this.runtime.watch(this.dir);
    this.#seen = this.#events.length;
    return watch;
  }

  /** Writes a file of the folder. */
  async save(name: string, content: string): Promise<void> {
    await writeFile(this.path(name), content);
  }

  /** The path of a file in the folder. */
  path(name: string): string {
    return join(this.dir, name);
  }

  /** The next event of this type and agent, behind those that were waited for before. */
  async next<Type extends PlanariaEvent["type"]>(type: Type, agent: string): Promise<EventOf<Type>> {
    for (;;) {
      while (this.#seen < this.#events.length) {
        const event = this.#events[this.#seen++];
        if (event?.type === type && "agent" in event && event.agent === agent) return event as EventOf<Type>; // its type was just compared
      }
      await new Promise<void>((go) => {
        this.#wake = go;
      });
    }
  }

  /** What was changed by the next definition that is applied. */
  async applied(agent: string): Promise<readonly string[]> {
    return (await this.next("definition.applied", agent)).changed;
  }

  /** How many events of this type there were for this agent. */
  count(type: PlanariaEvent["type"], agent: string): number {
    return this.#events.filter((event) => event.type === type && "agent" in event && event.agent === agent).length;
  }
}
