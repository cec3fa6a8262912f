/** Web servers on this machine's loopback, for as long as a test runs: one that speaks HTTP, one that says what it likes. */
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import { createServer as createTcpServer, type AddressInfo, type Server, type Socket } from "node:net";
import type { TestContext } from "node:test";

/** A server that listens. */
export interface Place {
  readonly port: number;
  /** `http://127.0.0.1:<port>` */
  readonly origin: string;
  /** Connections that were made so far. */
  readonly made: () => number;
  /** Resolves once no connection is open; the server's side of one ends when the client's socket is gone. */
  readonly empty: () => Promise<void>;
}

/** What an HTTP server was asked. */
export interface Asked {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

/** An HTTP server; it ends with the test. */
export async function webServer(t: TestContext, listener: RequestListener, host = "127.0.0.1"): Promise<Place> {
  return await listening(t, createServer(listener), host);
}

/** An HTTP server that reads each request to its end and remembers it. */
export async function recordingServer(
  t: TestContext,
  answer: (asked: Asked, response: ServerResponse) => void,
  host = "127.0.0.1",
): Promise<Place & { readonly asked: readonly Asked[] }> {
  const asked: Asked[] = [];
  const place = await webServer(
    t,
    (request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        const { method = "", url = "", headers } = request;
        const one = { method, url, headers, body: Buffer.concat(chunks).toString() };
        asked.push(one);
        answer(one, response);
      });
    },
    host,
  );
  return { ...place, asked };
}

/** A server that is handed the bare connection once the first bytes of a request have come. */
export async function rawServer(t: TestContext, talk: (socket: Socket) => void): Promise<Place> {
  const server = createTcpServer((socket) => {
    socket.on("error", () => undefined);
    socket.once("data", () => talk(socket));
  });
  return await listening(t, server, "127.0.0.1");
}

/** A server that listens on a free port until the test ends. */
export async function listening(t: TestContext, server: Server, host: string): Promise<Place> {
  const sockets = new Set<Socket>();
  let made = 0;
  let whenEmpty: (() => void)[] = [];
  server.on("connection", (socket: Socket) => {
    made++;
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.on("close", () => {
      sockets.delete(socket);
      if (sockets.size > 0) return;
      for (const tell of whenEmpty) tell();
      whenEmpty = [];
    });
  });
  await new Promise<void>((resolve) => void server.listen(0, host, resolve));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const { port } = server.address() as AddressInfo; // it listens on TCP
  const empty = async (): Promise<void> => {
    if (sockets.size > 0) await new Promise<void>((resolve) => void whenEmpty.push(resolve));
  };
  const origin = `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
  return { port, origin, made: () => made, empty };
}
