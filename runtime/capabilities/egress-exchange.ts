/**
 * One request and its answer over one connection of its own: the door to undici.
 *
 * Invariants
 * 1. The connection goes to one of the addresses that were checked; no name is looked up here, and the address that it
 *    reached is checked once more.
 * 2. A connection serves one request. An agent whose request confuses a server cannot leave its answer to another one.
 * 3. After `close`, or when the signal aborts, no socket is left, whatever state it was in.
 * 4. What went over the connection is told once, when it is gone, however it ended.
 * 5. A server's bytes are parsed in WebAssembly; nothing is read from the environment (proxies), HTTP/2 is not spoken.
 *
 * undici's own entry would put its dispatcher under the embedding program's `fetch`; the file of its client does not. It is
 * loaded when the first request is made.
 */
import { connect as connectTcp, isIP, type LookupFunction, type Socket } from "node:net";
import { connect as connectTls, type SecureContextOptions } from "node:tls";
import { RuntimeError } from "../errors.ts";
import type { Client, Dispatcher, buildConnector } from "undici";

/** What goes out. */
export interface ExchangeRequest {
  readonly url: URL;
  readonly method: string;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Uint8Array | undefined;
}

/** How it goes out. */
export interface ExchangeRoute {
  /** Checked addresses of the URL's host. */
  readonly addresses: readonly string[];
  /** Throws for an address that must not be spoken to. */
  readonly check: (address: string) => void;
  readonly signal: AbortSignal;
  /** Bytes that may come over the connection, whatever they are: heads, bodies, and what the parser throws away. */
  readonly wireBytesMax: number;
  /** Certificates that are trusted beside the usual ones. */
  readonly tls?: SecureContextOptions | undefined;
  /** Called once, when the connection is gone: before `close` resolves, and before `exchange` rejects. */
  readonly over: (volume: Volume) => void;
}

/** What went over one connection: bodies, heads, and whatever else, in bytes. */
export interface Volume {
  /** Undefined where no answer began. */
  readonly status: number | undefined;
  readonly sent: number;
  readonly received: number;
}

/** An answer whose body has not been read. */
export interface Exchange {
  readonly status: number;
  readonly statusText: string;
  /** Names and values in turn. */
  readonly rawHeaders: readonly string[];
  /** Chunks as they come, read once. */
  readonly body: AsyncIterable<Uint8Array>;
  /** Ends the connection and resolves when its socket is gone. */
  close(): Promise<void>;
}

/** Names and values of an answer's headers together, in bytes. */
const HEADER_BYTES_MAX = 32 << 10;

/** Sends the request and waits for the head of its answer. Rejects with what Node or undici says; `close` was called then. */
export async function exchange(request: ExchangeRequest, route: ExchangeRoute): Promise<Exchange> {
  const { signal } = route;
  signal.throwIfAborted();
  const line = new Line(route);
  const client = await openClient(request.url.origin, line.connect);
  let status: number | undefined;
  const end = async (): Promise<void> => {
    signal.removeEventListener("abort", abort);
    await Promise.all([client.destroy(), line.close()]);
    route.over({ status, ...line.volume });
  };
  let ended: Promise<void> | undefined;
  const close = (): Promise<void> => (ended ??= end());
  const abort = (): void => void close(); // neither half of it rejects
  signal.addEventListener("abort", abort, { once: true });
  try {
    signal.throwIfAborted();
    const reception = new Reception();
    const { pathname, search } = request.url;
    const { method, body = null } = request;
    client.dispatch({ path: pathname + search, method, headers: [...request.headers].flat(), body }, reception);
    const head = await reception.head;
    ({ status } = head);
    return { ...head, body: reception.body(), close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function openClient(origin: string, connect: buildConnector.connector): Promise<Client> {
  // @ts-expect-error: the package declares its classes once, in its entry
  const module: unknown = await import("undici/lib/dispatcher/client.js");
  const { default: HttpClient } = module as { readonly default: typeof Client }; // as its entry exports it
  return new HttpClient(origin, {
    connect,
    pipelining: 0, // "connection: close"
    maxHeaderSize: HEADER_BYTES_MAX,
    allowH2: false,
    headersTimeout: 0, // the signal is the one time limit
    bodyTimeout: 0,
  });
}

type Head = Pick<Exchange, "status" | "statusText" | "rawHeaders">;

/** Bytes that may wait for their reader. */
const WAITING_BYTES_MAX = 64 << 10;

/**
 * Receives one answer: its head once, and its body no faster than it is read. What came since the last read is one chunk: a
 * server that sends four bytes at a time makes no work for whoever is handed them.
 */
class Reception implements Dispatcher.DispatchHandler {
  readonly head: Promise<Head>;
  readonly #settle = Promise.withResolvers<Head>();
  #controller: Dispatcher.DispatchController | undefined;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #end: { readonly error?: Error } | undefined;
  #wake: () => void = () => undefined;

  constructor() {
    this.head = this.#settle.promise;
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number, _: unknown, statusText = ""): void {
    if (status < 200) return; // more is to come
    // The parser's own list: names and values in turn, as bytes.
    const rawHeaders = (controller.rawHeaders as readonly Buffer[]).map((bytes) => bytes.toString("latin1"));
    this.#settle.resolve({ status, statusText, rawHeaders });
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#waiting.push(chunk);
    this.#waitingBytes += chunk.byteLength;
    if (this.#waitingBytes >= WAITING_BYTES_MAX) controller.pause();
    this.#wake();
  }

  onResponseEnd(): void {
    this.#finish({});
  }

  onResponseError(_: unknown, error: Error): void {
    this.#settle.reject(error);
    this.#finish({ error });
  }

  #finish(end: { readonly error?: Error }): void {
    this.#end ??= end;
    this.#wake();
  }

  async *body(): AsyncGenerator<Uint8Array, void, void> {
    for (;;) {
      if (this.#waiting.length > 0) yield this.#take();
      else if (this.#end?.error !== undefined) throw this.#end.error;
      else if (this.#end !== undefined) return;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  #take(): Uint8Array {
    const chunk = Buffer.concat(this.#waiting);
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#controller?.resume();
    return chunk;
  }
}

/** The connection of one exchange, from the moment its socket is made. */
class Line {
  readonly #route: ExchangeRoute;
  readonly #sockets = new Set<Socket>();
  #sent = 0;
  #received = 0;

  constructor(route: ExchangeRoute) {
    this.#route = route;
  }

  readonly connect: buildConnector.connector = (target, callback) => {
    let isTold = false;
    const tell = (...outcome: Parameters<buildConnector.Callback>): void => {
      if (isTold) return;
      isTold = true;
      callback(...outcome);
    };
    const socket = this.#dial(target);
    this.#sockets.add(socket);
    socket.once("close", () => {
      this.#sockets.delete(socket);
      this.#sent += socket.bytesWritten;
      this.#received += socket.bytesRead;
      tell(new RuntimeError("RUNTIME_CAPABILITY_UNAVAILABLE", "The connection was closed before it was made."), null);
    });
    socket.on("error", (error) => tell(error, null)); // stays: a socket that fails later must find a listener
    socket.once(target.protocol === "https:" ? "secureConnect" : "connect", () => {
      try {
        this.#route.check(socket.remoteAddress ?? "");
        tell(null, socket);
        socket.on("readable", () => this.#count(socket));
      } catch (error) {
        socket.destroy();
        tell(error as Error, null); // the check throws RuntimeError
      }
    });
  };

  /** Endless "103 Early Hints" or extensions of a chunk are no answer and no body, so nobody else would count them. */
  #count(socket: Socket): void {
    if (socket.bytesRead <= this.#route.wireBytesMax) return;
    socket.destroy(
      new RuntimeError("RUNTIME_CAPABILITY_TOO_LARGE", "The server sends far more than an answer may have."),
    );
  }

  #dial({ hostname, protocol, port }: buildConnector.Options): Socket {
    const isSecure = protocol === "https:";
    const place = {
      host: hostname,
      port: port === "" || port === undefined ? (isSecure ? 443 : 80) : Number(port),
      lookup: pinned(this.#route.addresses),
      autoSelectFamily: true,
      noDelay: true,
    };
    if (!isSecure) return connectTcp(place);
    const servername = isIP(hostname) === 0 ? { servername: hostname } : {};
    return connectTls({ ...this.#route.tls, ...place, ...servername, ALPNProtocols: ["http/1.1"] });
  }

  /** Of the sockets that are closed. */
  get volume(): Omit<Volume, "status"> {
    return { sent: this.#sent, received: this.#received };
  }

  async close(): Promise<void> {
    const closed = [...this.#sockets].map(
      (socket) => new Promise<void>((resolve) => void socket.once("close", () => resolve()).destroy()),
    );
    await Promise.all(closed);
  }
}

/** A lookup that knows only what was checked. */
function pinned(addresses: readonly string[]): LookupFunction {
  const known = addresses.map((address) => ({ address, family: isIP(address) }));
  return (_hostname, options, callback) => {
    const [first] = known;
    if (first === undefined) callback(new Error("The name has no address."), "", 4);
    else if (options.all === true) callback(null, known);
    else callback(null, first.address, first.family);
  };
}
