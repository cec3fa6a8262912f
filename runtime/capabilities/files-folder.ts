/**
 * The granted folder of one call: paths judged by their text, and a helper process that does the rest, one for each life of an
 * agent, started when it is first needed.
 */
import { canSandboxJobs, folderProgram, JOB_LIMITS, pathNames, writeFault } from "../../sandbox/index.ts";
import type { Clock } from "../../vault/index.ts";
import { RuntimeError, type RuntimeErrorCode } from "../errors.ts";
import type { CapabilityCall } from "./contract.ts";
import { AskedProgram } from "./exec-ask.ts";
import type { ExecProgram } from "./exec-grant.ts";
import type { FilesPolicy } from "./files-grant.ts";

/** A call of `files`. */
export type FilesCall = CapabilityCall<FilesPolicy>;

/** Whether the helper can have a sandbox of its own. */
export type CanSandbox = (clock: Clock) => Promise<boolean>;

/** What the helper is asked, beside the names on the way. */
export type Wish = Readonly<Record<string, unknown>> & { readonly op: string };

interface Answer {
  readonly value?: unknown;
  readonly fault?: { readonly code: string; readonly message: string };
}

const HELD = "folder";
/** For one request: a slow disk, not a lost one. */
const REQUEST_MS = 20_000;
/** A helper is a node of 45 MiB: it is let go after a minute without work, and the next request starts another. */
const IDLE_MS = 60_000;
/** In base64, with what stands around it. */
const LINE_BYTES_MIN = 256 * 1024;
const BASE64 = 4 / 3;
const MEBIBYTE = 1 << 20;
const PATH_UNITS_MAX = 200;

const CODES: Readonly<Record<string, RuntimeErrorCode>> = {
  denied: "RUNTIME_CAPABILITY_DENIED",
  invalid: "RUNTIME_CAPABILITY_INVALID",
  quota: "RUNTIME_CAPABILITY_QUOTA",
  too_large: "RUNTIME_CAPABILITY_TOO_LARGE",
  unavailable: "RUNTIME_CAPABILITY_UNAVAILABLE",
  gone: "RUNTIME_CAPABILITY_UNAVAILABLE",
};

/** The folder, as one call may use it. */
export class GrantedFolder {
  readonly call: FilesCall;
  readonly #canSandbox: CanSandbox;

  constructor(call: FilesCall, canSandbox: CanSandbox = canSandboxJobs) {
    this.call = call;
    this.#canSandbox = canSandbox;
  }

  /** The names on the way to something that is going to be changed. Throws RUNTIME_CAPABILITY_INVALID, RUNTIME_CAPABILITY_DENIED. */
  writable(path: string): readonly string[] {
    const { grant } = this.call;
    if (!grant.isWritable)
      throw refusal("RUNTIME_CAPABILITY_DENIED", path, "the folder was granted for reading (write: true grants more)");
    const names = this.#names(path);
    const fault = writeFault(names, grant);
    if (fault !== undefined) throw refusal("RUNTIME_CAPABILITY_DENIED", path, fault.message);
    return names;
  }

  /** Has it done. Rejects with RUNTIME_CAPABILITY_*, in words without a path of this machine. */
  async ask(path: string, wish: Wish): Promise<unknown> {
    const { call } = this;
    const names = this.#names(path);
    const helper = await call.hold(HELD, async () => {
      return new AskedProgram(call, { name: "files", program: await this.#program() });
    });
    const answer = (await this.#answered(helper, { ...wish, names })) as Answer; // as our own helper writes them
    if (answer.fault === undefined) return answer.value;
    const { code, message } = answer.fault;
    if (code === "gone") await call.release(HELD); // A folder of this name may come again; it is another one.
    throw refusal(CODES[code] ?? "RUNTIME_CAPABILITY_FAILED", path, message);
  }

  #names(path: string): readonly string[] {
    const names = pathNames(path, this.call.grant);
    if ("code" in names) throw refusal("RUNTIME_CAPABILITY_INVALID", path, names.message);
    return names;
  }

  /** What a helper says when it fails is for the operator: there may be paths in it. */
  async #answered(helper: AskedProgram, wish: Wish): Promise<unknown> {
    try {
      return await helper.ask(wish);
    } catch (error) {
      if (!(error instanceof RuntimeError) || error.code === "RUNTIME_CAPABILITY_TIMEOUT") throw error;
      // In the midst of a life a helper is ended for one reason: another request has found that.
      if (error.code === "RUNTIME_CAPABILITY_ABORTED" && !this.call.signal.aborted)
        throw new RuntimeError("RUNTIME_CAPABILITY_UNAVAILABLE", "files: the folder itself is gone", { cause: error });
      this.call.note(error.message);
      const text = HELPER_FAULTS[error.code];
      throw text === undefined ? error : new RuntimeError(error.code, `files: ${text}`, { cause: error });
    }
  }

  async #program(): Promise<ExecProgram> {
    const { grant, answerBytesMax, clock } = this.call;
    const isSandboxed = grant.isSandboxRequired || (await this.#canSandbox(clock));
    if (!isSandboxed) this.call.note("bubblewrap does not work here: Node's permission model holds the folder");
    const fileBytes = Math.max(grant.fileBytesMax, answerBytesMax);
    const lineBytes = Math.ceil(fileBytes * BASE64) + LINE_BYTES_MIN;
    return {
      ...folderProgram({ ...grant, isSandboxed }),
      env: {},
      cwd: undefined,
      isNetworked: false,
      sandbox: isSandboxed ? "required" : "none",
      limits: {
        ...JOB_LIMITS,
        memoryMb: JOB_LIMITS.memoryMb + Math.ceil((8 * fileBytes) / MEBIBYTE), // A line, its text, its bytes, and once more.
        fileBytesMax: grant.fileBytesMax,
      },
      input: "json-lines",
      output: "json-lines",
      timeoutMs: REQUEST_MS,
      idleMs: IDLE_MS,
      inputBytesMax: lineBytes,
      outputBytesMax: lineBytes,
      ask: { id: "id", intensity: 5, periodMs: 60_000 },
    };
  }
}

const HELPER_FAULTS: Readonly<Record<string, string>> = {
  RUNTIME_CAPABILITY_FAILED: "its helper failed, and what was asked may or may not have happened",
  RUNTIME_CAPABILITY_UNAVAILABLE: "the folder cannot be reached (the operator's log says why)",
};

/** A refusal that names the path as the agent said it. */
export function refusal(code: RuntimeErrorCode, path: string, message: string): RuntimeError {
  const said = path.length <= PATH_UNITS_MAX ? path : `${path.slice(0, PATH_UNITS_MAX)} …`;
  return new RuntimeError(code, `files: ${JSON.stringify(said.toWellFormed())}: ${message}`);
}
