/**
 * Compiling what an agent brings along. Its text may be made to exhaust a compiler or to take it over, so it is parsed in a
 * process of its own, which sees no file of the operator's, has no network, and is killed when it takes too long or too much.
 *
 *     buildAlone --> queue (owners take turns) --> one process, one source at a time --> answer, checked --> Built
 *
 * Invariants
 * 1. One process at most; it starts with the first source and ends after a while without any.
 * 2. While a source is compiled, nothing of another's is in that process' pipes.
 * 3. A source that costs the process its life is refused; whoever waits behind it gets a new one. A process that was ended by
 *    somebody else costs nobody anything: the source is tried once more.
 */
import type { Timer } from "../vault/index.ts";
import { cellClock } from "./cell-clock.ts";
import { parseAnswer } from "./compile-answer.ts";
import type { Built } from "./compile-build.ts";
import { CompileProcess, type CompileLoss } from "./compile-process.ts";
import { COMPILER_MB } from "./compile-program.ts";
import { CompileQueue } from "./compile-queue.ts";
import { SandboxError } from "./errors.ts";

/** A source that stands alone. */
export interface AloneSource {
  readonly name: string;
  readonly source: string;
  /** The code of `planaria/agent`. */
  readonly sdk: string;
  readonly timeMs: number;
  /** Whose it is. */
  readonly whose: string;
  /** Whether its code is looked at as well: then `sights` of what is built says what was seen. */
  readonly isInspected: boolean;
}

interface Wish {
  readonly given: AloneSource;
  readonly resolve: (built: Built) => void;
  readonly reject: (error: SandboxError) => void;
}

/** Sources that wait, of all and of one owner: whoever spawns more at once than that waits for none of them. */
const WAITING_MAX = 1_024;
const WAITING_EACH_MAX = 128;
/** Without work; the next source then waits a fifth of a second longer. */
const IDLE_MS = 30_000;
const TRIES_MAX = 2;

const queue = new CompileQueue<Wish>({ waitingMax: WAITING_MAX, waitingEachMax: WAITING_EACH_MAX });
let running: CompileProcess | undefined;
let serving: Promise<void> | undefined;
let idle: Timer | undefined;
let isLeaving = false;

/** Bundles it in a process of its own. Rejects with SANDBOX_COMPILE_FAILED, also for what takes too much time or memory. */
export async function buildAlone(given: AloneSource): Promise<Built> {
  const { promise, resolve, reject } = Promise.withResolvers<Built>();
  if (!queue.add(given.whose, { given, resolve, reject })) throw failed(given, "too many others wait to be compiled");
  isLeaving = false;
  serving ??= serve();
  return await promise;
}

/** Ends the process now; whoever waits gets another one. Resolves when nothing of it is left. */
export async function endAlone(): Promise<void> {
  idle?.cancel();
  const ending = running;
  running = undefined;
  await ending?.end();
}

/** Ends the process as soon as nobody waits for it. Resolves at once where somebody does, otherwise when nothing of it is left. */
export async function leaveAlone(): Promise<void> {
  isLeaving = true;
  if (serving === undefined) await endAlone();
}

/** Until nobody waits; never rejects. */
async function serve(): Promise<void> {
  idle?.cancel();
  for (let wish = queue.take(); wish !== undefined; wish = queue.take()) {
    try {
      wish.resolve(await built(wish.given));
    } catch (error) {
      wish.reject(asFailure(wish.given, error));
    }
  }
  serving = undefined;
  if (isLeaving) await endAlone();
  else idle = cellClock.after(IDLE_MS, () => void endAlone()); // It only kills a process.
}

async function built(given: AloneSource): Promise<Built> {
  const { name, source, sdk, timeMs, isInspected } = given;
  for (let tries = 1; ; tries += 1) {
    const compiler = await started();
    const reply = await compiler.ask(JSON.stringify({ name, source, sdk, isInspected }), timeMs);
    if ("line" in reply) {
      const answer = parseAnswer(reply.line, given);
      if (answer instanceof SandboxError) throw answer;
      if (answer !== undefined) return answer;
      await endAlone();
      throw failed(given, "the compiler answered what no compiler says");
    }
    if (reply.lost !== "ended" || tries === TRIES_MAX) throw lost(given, reply.lost);
  }
}

async function started(): Promise<CompileProcess> {
  if (running?.isLost === true) await endAlone();
  running ??= await CompileProcess.start();
  return running;
}

function lost(given: AloneSource, loss: CompileLoss): SandboxError {
  switch (loss) {
    case "time":
      return failed(given, `it was not compiled within ${given.timeMs / 1_000} s`);
    case "memory":
      return failed(given, `to compile it takes more than ${COMPILER_MB} MiB of memory`);
    case "size":
      return failed(given, "what it compiles to is far too large");
    case "ended":
      return failed(given, "the compiler came to its end over it, more than once");
  }
}

function failed({ name }: AloneSource, why: string, cause?: unknown): SandboxError {
  return new SandboxError("SANDBOX_COMPILE_FAILED", `${name}: ${why}`, { cause, details: { errors: [] } });
}

function asFailure(given: AloneSource, error: unknown): SandboxError {
  if (error instanceof SandboxError && error.code === "SANDBOX_COMPILE_FAILED") return error;
  const why = error instanceof Error ? error.message : String(error);
  return failed(given, `the compiler's process cannot be started: ${why}`, error);
}
