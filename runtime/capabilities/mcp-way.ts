/** The way to a server, whichever it is, behind a screen. */
import type { RuntimeError } from "../errors.ts";
import type { CapabilityCall } from "./contract.ts";
import type { Egress } from "./egress.ts";
import type { McpServerRule } from "./mcp-grant.ts";
import { httpWay } from "./mcp-http.ts";
import type { McpPackage, McpTransport } from "./mcp-package.ts";
import { McpPipe } from "./mcp-pipe.ts";
import { McpScreen } from "./mcp-screen.ts";
import { startProgram } from "./program.ts";

/** What a session needs of the call that opens it, and goes on to need. */
export type McpCall = Pick<CapabilityCall<unknown>, "clock" | "secret" | "note" | "answerBytesMax">;

/** Servers write letters as they are, and bytes as base64; and a list of tools has some length. */
const MESSAGE_SHARE = 2;
const MESSAGE_BYTES_MIN = 1 << 20;

/** A way that is open. */
export class Way {
  /** For the package's client. */
  readonly screen: McpScreen;
  onToolsChanged: (() => void) | undefined;
  readonly #transport: McpTransport;
  #isOver = false;
  #closing: Promise<void> | undefined;

  constructor(name: string, transport: McpTransport, { clock, note }: McpCall) {
    this.#transport = transport;
    this.screen = new McpScreen(transport, {
      clock,
      note: (text) => note(`${name}: ${text}`),
      onToolsChanged: () => this.onToolsChanged?.(),
      onClosed: () => {
        this.#isOver = true;
      },
    });
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Why it is gone, where it went by itself. */
  get fault(): RuntimeError | undefined {
    return this.#transport instanceof McpPipe ? this.#transport.fault : undefined;
  }

  /** Resolves when nothing is left of it; never rejects. */
  async close(): Promise<void> {
    this.#isOver = true;
    await (this.#closing ??= this.screen.close());
  }
}

/** Opens a way. Rejects with RUNTIME_CAPABILITY_UNAVAILABLE for a program that cannot be started. */
export async function wayTo(
  { name, way }: McpServerRule,
  call: McpCall,
  { loaded, egress }: { readonly loaded: McpPackage; readonly egress: Egress },
): Promise<Way> {
  const { clock, secret, note } = call;
  const bytesMax = Math.max(call.answerBytesMax * MESSAGE_SHARE, MESSAGE_BYTES_MIN);
  if (way.kind === "url") {
    const leave = { policy: { ...way.policy, responseBytesMax: bytesMax }, secret, note };
    return new Way(name, httpWay(loaded, { url: way.url, egress, clock, leave }), call);
  }
  const limits = { wallMs: undefined, idleMs: undefined };
  const job = await startProgram(call, way.program, { name, args: way.args, limits });
  const parse = (value: unknown) => loaded.parseJSONRPCMessage(value);
  return new Way(name, new McpPipe(job, { name, bytesMax, clock, note, parse }), call);
}
