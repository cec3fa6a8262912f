/**
 * Takes the types out of TypeScript: Node's own stripper, in a thread that is thrown away when it stumbles.
 *
 *     text ──> port ──> thread: stripTypeScriptTypes ──> port ──> text with blanks     (this thread waits)
 *
 * Invariants
 * 1. No text brings it down for the next one. A text of 20,000 brackets leaves the stripper's memory broken for good (Node 26.10:
 *    "memory access out of bounds", then for every text), so a thread that says anything but "syntax" is not asked again.
 * 2. Nothing is printed: the warning that the stripper is experimental stays in a thread that has it switched off.
 * 3. Which texts are stripped does not depend on time: the limit is there for what would never end.
 */
import { MessageChannel, receiveMessageOnPort, Worker, type MessagePort } from "node:worker_threads";

/** Text with blanks in the place of types, of the same length; `undefined` for what is no TypeScript that can be stripped. */
export function strippedOf(text: string): string | undefined {
  stripper ??= new Stripper();
  const answer = stripper.ask(text);
  if (answer === undefined) {
    stripper.end();
    stripper = undefined;
  }
  return answer?.code;
}

let stripper: Stripper | undefined;

/** A few hundred kilobytes take less than a second. */
const WITHIN_MS = 10_000;
const HEAP_MB = 256;

/** Runs as text: it has no types, and no file that a build would have to find. */
const THREAD = `
const { workerData: { port, gate } } = require("node:worker_threads");
const { stripTypeScriptTypes } = require("node:module");
port.on("message", (text) => {
  let answer;
  try {
    answer = { code: stripTypeScriptTypes(text) };
  } catch (error) {
    if (error instanceof SyntaxError) answer = { code: undefined };
  }
  port.postMessage(answer);
  Atomics.store(gate, 0, 1);
  Atomics.notify(gate, 0);
});`;

/** No code: it is no TypeScript that can be stripped. */
interface Answer {
  readonly code: string | undefined;
}

class Stripper {
  readonly #gate = new Int32Array(new SharedArrayBuffer(4));
  readonly #port: MessagePort;
  readonly #thread: Worker;

  constructor() {
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    this.#thread = new Worker(THREAD, {
      eval: true,
      workerData: { port: port2, gate: this.#gate },
      transferList: [port2],
      execArgv: ["--disable-warning=ExperimentalWarning"],
      env: {},
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MB },
    });
    // Neither keeps the process alive. A thread whose heap is full says so here, and by its silence.
    this.#thread.unref();
    this.#thread.on("error", () => undefined);
    this.#port.unref();
  }

  /** `undefined`: it stumbled. */
  ask(text: string): Answer | undefined {
    Atomics.store(this.#gate, 0, 0);
    this.#port.postMessage(text, []);
    if (Atomics.wait(this.#gate, 0, 0, WITHIN_MS) === "timed-out") return undefined;
    const said: { readonly message: Answer | undefined } | undefined = receiveMessageOnPort(this.#port); // by the thread above
    return said?.message;
  }

  end(): void {
    this.#port.close();
    // Nobody waits for it: its promise is fulfilled in any case.
    void this.#thread.terminate();
  }
}
