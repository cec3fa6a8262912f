/**
 * The way out against hostile servers and hostile names: whatever they do, the call fails with the right code, within its caps,
 * and no socket is left. Every server runs on this machine; names are answered by the test.
 */
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import type { Socket } from "node:net";
import { createServer as createTlsServer } from "node:https";
import { describe, it, type TestContext } from "node:test";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { fetchCapability } from "../../../runtime/capabilities/fetch.ts";
import { nameResolver, type Resolve } from "../../../runtime/capabilities/egress-resolver.ts";
import type { RuntimeError } from "../../../runtime/errors.ts";
import type { EgressOptions } from "../../../runtime/capabilities/egress.ts";
import { direct, type CallSetting, type DirectCalls } from "../../support/capability-call.ts";
import { TLS_IDENTITY } from "../../support/tls-identity.ts";
import { listening, rawServer, webServer } from "../../support/web-server.ts";

interface Setting extends Omit<CallSetting, "grant"> {
  readonly allow: readonly string[];
  readonly grant?: Readonly<Record<string, unknown>>;
  readonly egress?: EgressOptions;
}

function fetching({ allow, grant, egress, ...setting }: Setting): DirectCalls {
  return direct(fetchCapability(egress), { ...setting, grant: { allow, privateAddresses: true, ...grant } });
}

const code = (expected: string) => ({ name: "RuntimeError", code: `RUNTIME_CAPABILITY_${expected}` });

describe("names", () => {
  const names = (answers: Readonly<Record<string, readonly string[]>>): { resolve: Resolve; asked: string[] } => {
    const asked: string[] = [];
    const resolve: Resolve = async (hostname) => {
      asked.push(hostname);
      return await Promise.resolve(answers[hostname] ?? []);
    };
    return { resolve, asked };
  };

  it("are looked up once, and the connection goes to what was checked", async (t) => {
    const server = await webServer(t, (request, response) => response.end(request.headers.host));
    let lookups = 0;
    // Whoever looked again would be sent elsewhere.
    const resolve: Resolve = async () => await Promise.resolve(++lookups === 1 ? ["127.0.0.1"] : ["127.0.0.2"]);
    const { ask } = fetching({ allow: [`http://service:${server.port}`], egress: { resolve } });
    const { text } = (await ask("call", `http://service:${server.port}/`)) as { readonly text: string };
    assert.equal(text, `service:${server.port}`);
    assert.equal(lookups, 1);
  });

  const refused: readonly (readonly string[])[] = [
    ["127.0.0.1"],
    ["93.184.216.34", "10.0.0.1"],
    ["2606:4700::1", "::1"],
    ["169.254.169.254"],
    ["64:ff9b::7f00:1"],
    ["::ffff:127.0.0.1"],
    ["nonsense"],
  ];
  for (const addresses of refused) {
    it(`whose addresses are ${addresses.join(" and ")} are refused, and only the operator learns why`, async (t) => {
      const server = await webServer(t, (_request, response) => response.end());
      const origin = `http://api.example.com:${server.port}`;
      const { resolve } = names({ "api.example.com": addresses });
      const { ask, notes } = fetching({ allow: [origin], egress: { resolve } });
      await assert.rejects(ask("call", origin), (error: Error) => {
        const { code, details } = error as RuntimeError; // the assertion says whether it is one
        assert.deepEqual([code, details], ["RUNTIME_CAPABILITY_DENIED", { rule: "addresses" }]);
        return !addresses.some((address) => error.message.includes(address));
      });
      assert.match(notes.join(), new RegExp(`api\\.example\\.com has the address ${addresses.at(-1)}`));
      assert.equal(server.made(), 0);
    });
  }

  it("are looked at again after each redirect", async (t) => {
    const server = await webServer(t, ({ headers }, response) => {
      if (headers.host?.startsWith("one") === true) {
        response.writeHead(302, { location: `http://sub.two.example:${server.port}/` }).end();
      } else response.end("inside");
    });
    const allow = [`http://one:${server.port}`, `http://*.two.example:${server.port}`];
    const { resolve, asked } = names({ one: ["127.0.0.1"], "sub.two.example": ["127.0.0.1"] });
    const { ask } = fetching({ allow, egress: { resolve } });
    await assert.rejects(ask("call", `http://one:${server.port}`), {
      ...code("DENIED"),
      details: { rule: "addresses" },
    });
    assert.deepEqual(asked, ["one", "sub.two.example"]);
    assert.equal(server.made(), 1);
  });

  it("without an address say so", async () => {
    const { ask } = fetching({ allow: ["https://gone.example"], egress: names({}) });
    await assert.rejects(ask("call", "https://gone.example"), code("UNAVAILABLE"));
  });

  it("that are addresses are never looked up, and private ones need the operator's word", async () => {
    const { resolve, asked } = names({});
    const { ask } = fetching({
      allow: ["https://example.com"],
      grant: { privateAddresses: false },
      egress: { resolve },
    });
    for (const url of [
      "http://127.0.0.1/",
      "http://[::1]/",
      "http://0x7f.1/",
      "http://localhost/",
      "http://a.localhost./",
    ]) {
      await assert.rejects(ask("call", url), code("DENIED"));
    }
    assert.deepEqual(asked, []);
  });

  it("that nobody answers for end with the signal", async () => {
    const control = new AbortController();
    const resolve: Resolve = async (_hostname, signal) => {
      control.abort();
      return await new Promise((_resolve, reject) => {
        if (signal.aborted) reject(new Error("cancelled"));
      });
    };
    const { ask } = fetching({ allow: ["https://slow.example"], egress: { resolve }, signal: control.signal });
    await assert.rejects(ask("call", "https://slow.example"), code("ABORTED"));
  });
});

describe("a name server", () => {
  /** One that answers with these addresses, or never. */
  const nameServer = async (
    t: TestContext,
    answer: (name: string, type: number) => readonly number[][] | undefined,
  ) => {
    const socket = createSocket("udp4");
    t.after(() => void socket.close());
    socket.on("message", (query, { port, address }) => {
      const end = query.indexOf(0, 12) + 5;
      const name = [...query.subarray(12, end - 5)]
        .map((byte) => (byte < 32 ? "." : String.fromCharCode(byte)))
        .join("");
      const addresses = answer(name.slice(1), query.readUInt16BE(end - 4));
      if (addresses === undefined) return;
      const head = Buffer.from([query[0] ?? 0, query[1] ?? 0, 0x81, 0x80, 0, 1, 0, addresses.length, 0, 0, 0, 0]);
      const records = addresses.map((bytes) =>
        Buffer.from([0xc0, 12, 0, bytes.length === 4 ? 1 : 28, 0, 1, 0, 0, 0, 0, 0, bytes.length, ...bytes]),
      );
      socket.send(Buffer.concat([head, query.subarray(12, end), ...records]), port, address);
    });
    socket.bind(0, "127.0.0.1");
    await once(socket, "listening");
    return `127.0.0.1:${socket.address().port}`;
  };
  const signal = new AbortController().signal;

  it("is asked for both kinds of addresses", async (t) => {
    const v6 = [0x26, 6, 0x47, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    const server = await nameServer(t, (name, type) => {
      if (name !== "api.example.com") return [];
      return type === 1
        ? [
            [93, 184, 216, 34],
            [10, 0, 0, 1],
          ]
        : [v6];
    });
    const resolve = nameResolver([server]);
    assert.deepEqual(await resolve("api.example.com", signal), ["93.184.216.34", "10.0.0.1", "2606:4700::1"]);
    assert.deepEqual(await resolve("other.example.com", signal), []);
  });

  it("is never asked for localhost", async (t) => {
    const server = await nameServer(t, () => assert.fail("asked"));
    assert.deepEqual(await nameResolver([server])("x.localhost", signal), ["127.0.0.1", "::1"]);
  });

  it("that is silent is left when the signal aborts", async (t) => {
    const control = new AbortController();
    const server = await nameServer(t, () => {
      control.abort();
      return undefined;
    });
    await assert.rejects(nameResolver([server])("slow.example", control.signal), { name: "AbortError" });
  });
});

describe("a hostile server", () => {
  const HEAD = "HTTP/1.1 200 OK\r\n";
  const endless = (socket: Socket, text: string): void => {
    const piece = text.repeat(Math.ceil(4_096 / text.length));
    const write = (): void => {
      while (!socket.destroyed && socket.write(piece));
    };
    socket.on("drain", write);
    write();
  };
  const zeros = Buffer.alloc(32 << 20);
  const bomb = gzipSync(zeros, { level: 1 });
  const brotliBomb = brotliCompressSync(zeros, { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } });

  const raw: readonly (readonly [string, (socket: Socket) => void, string])[] = [
    ["sends a body without an end", (socket) => endless(socket, "x"), "FAILED"],
    ["sends an endless body", (socket) => (socket.write(`${HEAD}\r\n`), endless(socket, "x")), "TOO_LARGE"],
    [
      "sends endless chunks",
      (socket) => (socket.write(`${HEAD}transfer-encoding: chunked\r\n\r\n`), endless(socket, "4\r\nxxxx\r\n")),
      "TOO_LARGE",
    ],
    ["sends an endless header", (socket) => (socket.write(`${HEAD}x-a: `), endless(socket, "x")), "TOO_LARGE"],
    ["sends endless headers", (socket) => (socket.write(HEAD), endless(socket, "x-a: 1\r\n")), "TOO_LARGE"],
    [
      "sends endless trailers",
      (socket) => (socket.write(`${HEAD}transfer-encoding: chunked\r\n\r\n0\r\n`), endless(socket, "x-a: 1\r\n")),
      "TOO_LARGE",
    ],
    ["sends 300 headers and stays", (socket) => socket.write(`${HEAD}${"a: 1\r\n".repeat(300)}\r\n`), "TOO_LARGE"],
    ["cuts its body off", (socket) => socket.end(`${HEAD}content-length: 9\r\n\r\nabc`), "UNAVAILABLE"],
    ["cuts its chunks off", (socket) => socket.end(`${HEAD}transfer-encoding: chunked\r\n\r\n9\r\nabc`), "UNAVAILABLE"],
    ["resets before it answers", (socket) => socket.resetAndDestroy(), "UNAVAILABLE"],
    [
      "resets in the body",
      (socket) => socket.write(`${HEAD}content-length: 9\r\n\r\nabc`, () => socket.resetAndDestroy()),
      "UNAVAILABLE",
    ],
    ["hangs up", (socket) => socket.end(), "UNAVAILABLE"],
    ["speaks another protocol", (socket) => socket.end("SSH-2.0-OpenSSH_9.9\r\n"), "FAILED"],
    [
      "sends chunks that are none",
      (socket) => socket.end(`${HEAD}transfer-encoding: chunked\r\n\r\nzz\r\nabc`),
      "FAILED",
    ],
    [
      "says its length in two ways",
      (socket) => socket.end(`${HEAD}content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n`),
      "FAILED",
    ],
    [
      "switches protocols unasked",
      (socket) => socket.end("HTTP/1.1 101 S\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"),
      "UNAVAILABLE",
    ],
    ["sends what does not unpack", (socket) => socket.end(`${HEAD}content-encoding: gzip\r\n\r\nabc`), "FAILED"],
    [
      "sends half of what unpacks",
      (socket) =>
        socket.end(Buffer.concat([Buffer.from(`${HEAD}content-encoding: gzip\r\n\r\n`), bomb.subarray(0, 99)])),
      "FAILED",
    ],
    [
      "sends gzip that is 32 MiB",
      (socket) => socket.end(Buffer.concat([Buffer.from(`${HEAD}content-encoding: gzip\r\n\r\n`), bomb])),
      "TOO_LARGE",
    ],
    [
      "sends brotli that is 32 MiB",
      (socket) => socket.end(Buffer.concat([Buffer.from(`${HEAD}content-encoding: br\r\n\r\n`), brotliBomb])),
      "TOO_LARGE",
    ],
    ["always says that it goes on", (socket) => endless(socket, "HTTP/1.1 103 Early Hints\r\n\r\n"), "TOO_LARGE"],
    [
      "sends extensions of a chunk for ever",
      (socket) => (socket.write(`${HEAD}transfer-encoding: chunked\r\n\r\n1;`), endless(socket, "a=b;")),
      "TOO_LARGE",
    ],
    ["packs twice", (socket) => socket.end(`${HEAD}content-encoding: gzip, gzip\r\n\r\nabc`), "FAILED"],
  ];
  for (const [title, talk, expected] of raw) {
    it(`that ${title} is ${expected}, read as a whole or in parts`, async (t) => {
      const server = await rawServer(t, talk);
      const { ask, whole } = fetching({ allow: [server.origin], grant: { responseBytesMax: 1 << 20 } });
      await assert.rejects(ask("call", server.origin), code(expected));
      await assert.rejects(whole("stream", server.origin), code(expected));
      await server.empty();
      assert.equal(server.made(), 2);
    });
  }

  it("that packs a thousand times over is not unpacked beyond the cap", async (t) => {
    let unpacked = 0;
    const server = await webServer(t, (_request, response) => {
      response.writeHead(200, { "content-encoding": "gzip" }).end(bomb);
    });
    const { parts } = fetching({ allow: [server.origin], grant: { responseBytesMax: 1 << 20 } });
    await assert.rejects(async () => {
      for await (const part of parts("stream", server.origin))
        unpacked += (part as { text?: string }).text?.length ?? 0;
    }, code("TOO_LARGE"));
    assert.ok(unpacked <= 1 << 20);
  });

  const silent: readonly (readonly [string, (socket: Socket) => void])[] = [
    ["never answers", () => undefined],
    ["stops in the middle of its head", (socket) => socket.write("HTTP/1.1 200")],
    ["stops in the middle of its body", (socket) => socket.write(`${HEAD}content-length: 9\r\n\r\nabc`)],
    ["stops in the middle of a chunk", (socket) => socket.write(`${HEAD}transfer-encoding: chunked\r\n\r\n9\r\nabc`)],
  ];
  for (const [title, talk] of silent) {
    it(`that ${title} is left when the time is over`, async (t) => {
      const control = new AbortController();
      const server = await rawServer(t, (socket) => {
        talk(socket);
        setImmediate(() => setImmediate(() => control.abort()));
      });
      const { ask } = fetching({ allow: [server.origin], signal: control.signal });
      await assert.rejects(ask("call", server.origin), code("ABORTED"));
      await server.empty();
    });
  }

  it("is left when the agent reads no further", async (t) => {
    const server = await rawServer(t, (socket) => (socket.write(`${HEAD}\r\n`), endless(socket, "x")));
    const { parts } = fetching({ allow: [server.origin] });
    for await (const part of parts("stream", server.origin)) {
      if ("text" in (part as object)) break;
    }
    await server.empty();
    for await (const part of parts("stream", server.origin)) {
      if ("head" in (part as object)) break;
    }
    await server.empty();
  });

  it("is not waited for when the call was over before", async (t) => {
    const server = await webServer(t, (_request, response) => response.end());
    const { ask } = fetching({ allow: [server.origin], signal: AbortSignal.abort() });
    await assert.rejects(ask("call", server.origin), code("ABORTED"));
    assert.equal(server.made(), 0);
  });

  it("that is not there is unavailable, and its address is not told", async () => {
    const { ask } = fetching({
      allow: ["http://service:1"],
      egress: { resolve: async () => await Promise.resolve(["127.0.0.1"]) },
    });
    await assert.rejects(ask("call", "http://service:1"), (error: Error) => {
      assert.match(error.message, /^No answer of http:\/\/service:1 came, or it was cut off \(ECONNREFUSED\)\.$/);
      return true;
    });
  });

  it("gets no request by a proxy of the environment", async (t) => {
    const proxy = await webServer(t, (_request, response) => response.end("proxy"));
    const server = await webServer(t, (_request, response) => response.end("server"));
    const before = { ...process.env };
    t.after(() => void (process.env = before));
    for (const name of ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "NODE_USE_ENV_PROXY"])
      process.env[name] = proxy.origin;
    const { text } = (await fetching({ allow: [server.origin] }).ask("call", server.origin)) as {
      readonly text: string;
    };
    assert.equal(text, "server");
    assert.equal(proxy.made(), 0);
  });
});

describe("a certificate", () => {
  const secure = async (t: TestContext): Promise<number> => {
    const server = createTlsServer(TLS_IDENTITY, (_request, response) => response.end("secure"));
    return (await listening(t, server, "127.0.0.1")).port;
  };
  const tls = { ca: TLS_IDENTITY.cert };

  it("that is trusted and names the host is enough", async (t) => {
    const origin = `https://localhost:${await secure(t)}`;
    const { text } = (await fetching({ allow: [origin], egress: { tls } }).ask("call", origin)) as { text: string };
    assert.equal(text, "secure");
  });

  it("that nobody vouches for is refused", async (t) => {
    const origin = `https://localhost:${await secure(t)}`;
    await assert.rejects(fetching({ allow: [origin] }).ask("call", origin), {
      ...code("UNAVAILABLE"),
      message: /SELF_SIGNED/,
    });
  });

  for (const host of ["127.0.0.1", "service"]) {
    it(`of another host is refused for ${host}`, async (t) => {
      const origin = `https://${host}:${await secure(t)}`;
      const resolve: Resolve = async () => await Promise.resolve(["127.0.0.1"]);
      await assert.rejects(fetching({ allow: [origin], egress: { tls, resolve } }).ask("call", origin), {
        ...code("UNAVAILABLE"),
        message: /ERR_TLS_CERT_ALTNAME_INVALID/,
      });
    });
  }

  it("that never comes is not waited for, and no socket is left", async (t) => {
    const control = new AbortController();
    const server = await rawServer(t, () => control.abort());
    const origin = `https://127.0.0.1:${server.port}`;
    await assert.rejects(fetching({ allow: [origin], signal: control.signal }).ask("call", origin), code("ABORTED"));
    await server.empty();
  });
});
