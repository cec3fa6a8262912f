/** `fetch` against servers on this machine: what is sent, what comes back, where redirects may lead, and what is never sent. */
import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { fetchCapability } from "../../../runtime/capabilities/fetch.ts";
import { direct, faults, type CallSetting, type DirectCalls } from "../../support/capability-call.ts";
import { recordingServer, webServer } from "../../support/web-server.ts";

type Setting = Omit<CallSetting, "grant"> & { readonly grant?: Readonly<Record<string, unknown>> };

/** `fetch` for these origins of this machine. */
function fetching(allow: readonly string[], { grant, ...setting }: Setting = {}): DirectCalls {
  return direct(fetchCapability(), { ...setting, grant: { allow, privateAddresses: true, ...grant } });
}

const EVERY = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];
const code = (expected: string) => ({ name: "RuntimeError", code: `RUNTIME_CAPABILITY_${expected}` });

describe("a request", () => {
  it("is answered with status, headers and text, and its connection is gone afterwards", async (t) => {
    const server = await recordingServer(t, (_asked, response) => response.writeHead(201, { "x-a": "1" }).end("hällo"));
    const { ask, notes } = fetching([server.origin]);
    const answer = (await ask("call", `${server.origin}/x?y=1#z`)) as { readonly headers: Record<string, string> };
    const { headers, ...rest } = answer;
    assert.deepEqual(rest, { status: 201, statusText: "Created", url: `${server.origin}/x?y=1`, text: "hällo" });
    assert.equal(headers["x-a"], "1");
    await server.empty();
    assert.deepEqual(
      server.asked.map(({ method, url }) => [method, url]),
      [["GET", "/x?y=1"]],
    );
    assert.deepEqual(server.asked[0]?.headers, {
      host: `127.0.0.1:${server.port}`,
      connection: "close",
      accept: "*/*",
      "user-agent": "planaria",
      "accept-encoding": "gzip, br",
    });
    assert.match(notes[0] ?? "", /^GET http:\/\/127\.0\.0\.1:\d+: 201, \d+ bytes sent, \d+ received$/);
  });

  it("sends text, bytes or JSON, with a type and a key that a repeated run has too", async (t) => {
    const server = await recordingServer(t, (_asked, response) => response.end("ok"));
    const { ask } = fetching([server.origin], { grant: { methods: EVERY }, idempotencyKey: "k-7" });
    await ask("call", server.origin, { method: "POST", body: "a" });
    await ask("call", server.origin, { method: "put", body: new Uint8Array([98]) });
    await ask("call", server.origin, { method: "PATCH", json: { c: [1] }, headers: { "Idempotency-Key": "own" } });
    await ask("call", server.origin, { method: "POST", json: 1, headers: { "content-type": "a/b" } });
    const spelled = { content_type: "a/b", idempotency_key: "own" };
    await ask("call", server.origin, { method: "POST", json: 1, headers: spelled });
    const seen = server.asked.map(({ method, body, headers }) => [
      method,
      body,
      headers["content-type"],
      headers["idempotency-key"],
    ]);
    assert.deepEqual(seen, [
      ["POST", "a", "text/plain;charset=UTF-8", "k-7"],
      ["PUT", "b", "application/octet-stream", undefined],
      ["PATCH", '{"c":[1]}', "application/json", "own"],
      ["POST", "1", "a/b", "k-7"],
      ["POST", "1", undefined, undefined], // a server that takes _ for - would have them twice
    ]);
  });

  it("is read as JSON or as bytes where that is asked", async (t) => {
    const body = String.raw`{"a":[1,{"__proto__":{"x":1},"\u005f_proto__":3,"b":2}]}`;
    const server = await webServer(t, (_request, response) => response.end(body));
    const { ask } = fetching([server.origin]);
    const { json } = (await ask("call", server.origin, { as: "json" })) as { readonly json: unknown };
    assert.deepEqual(json, { a: [1, { b: 2 }] });
    const { bytes } = (await ask("call", server.origin, { as: "bytes" })) as { readonly bytes: unknown };
    assert.deepEqual(bytes, new Uint8Array(Buffer.from(body)));
  });

  it("is decoded by the charset that the answer names", async (t) => {
    const server = await webServer(t, (request, response) => {
      response.setHeader("content-type", `text/plain; charset=${request.url === "/odd" ? "klingon" : "iso-8859-1"}`);
      response.end(request.url === "/odd" ? "ä" : Buffer.from([0xe4]));
    });
    const { ask } = fetching([server.origin]);
    assert.equal(((await ask("call", server.origin)) as { text: string }).text, "ä");
    assert.equal(((await ask("call", `${server.origin}/odd`)) as { text: string }).text, "ä");
  });

  it("is unpacked from gzip and brotli, and from nothing else", async (t) => {
    const server = await webServer(t, ({ url }, response) => {
      const packed = url === "/gzip" ? gzipSync("packed") : brotliCompressSync("packed");
      response.writeHead(200, { "content-encoding": url?.slice(1) }).end(packed);
    });
    const { ask } = fetching([server.origin], { grant: { methods: EVERY } });
    for (const way of ["gzip", "br"]) {
      assert.equal(((await ask("call", `${server.origin}/${way}`)) as { text: string }).text, "packed");
    }
    await assert.rejects(ask("call", `${server.origin}/zstd`), code("FAILED"));
    const head = (await ask("call", `${server.origin}/gzip`, { method: "HEAD" })) as { text: string };
    assert.equal(head.text, "");
  });

  it("comes in parts: the head first, then text whose letters are whole", async (t) => {
    const server = await webServer(t, (_request, response) => {
      const [first, second] = [Buffer.from("aä").subarray(0, 2), Buffer.from("aä").subarray(2)];
      response.write(first, () => setImmediate(() => response.end(second)));
    });
    const { whole } = fetching([server.origin]);
    const got = await whole("stream", server.origin);
    assert.equal((got[0] as { head: { status: number } }).head.status, 200);
    assert.equal((got.slice(1) as { text: string }[]).map(({ text }) => text).join(""), "aä");
    const bytes = await whole("stream", server.origin, { as: "bytes" });
    assert.equal(Buffer.concat((bytes.slice(1) as { bytes: Uint8Array }[]).map((part) => part.bytes)).toString(), "aä");
    await assert.rejects(whole("stream", server.origin, { as: "json" }), code("INVALID"));
    await server.empty();
  });

  it("may be announced by hints, which are no answer", async (t) => {
    const server = await webServer(t, (_request, response) => {
      response.writeEarlyHints({ link: "</style.css>; rel=preload" });
      response.writeProcessing();
      response.writeHead(202).end("later");
    });
    const answer = (await fetching([server.origin]).ask("call", server.origin)) as { status: number; text: string };
    assert.deepEqual([answer.status, answer.text], [202, "later"]);
  });

  it("is read no further than an answer may be long, whatever the grant allows", async (t) => {
    const server = await webServer(t, (_request, response) => response.end("x".repeat(100)));
    const { ask } = fetching([server.origin], { answerBytesMax: 99 });
    await assert.rejects(ask("call", server.origin), { ...code("TOO_LARGE"), message: /longer than 99 bytes/ });
    const bytes = fetching([server.origin], { answerBytesMax: 140 }).ask("call", server.origin, { as: "bytes" });
    await assert.rejects(bytes, code("TOO_LARGE")); // in base64 on their way
  });

  it("comes in parts that are far below what an answer may have", async (t) => {
    const server = await webServer(t, (_request, response) => response.end("x".repeat(100_000)));
    const { whole } = fetching([server.origin], { answerBytesMax: 8_000 });
    const texts = (await whole("stream", server.origin)).slice(1) as { text: string }[];
    assert.equal(texts.map(({ text }) => text).join("").length, 100_000);
    assert.ok(texts.every(({ text }) => text.length <= 1_000));
  });

  it("that is wrong is refused before anything is sent", async (t) => {
    const server = await webServer(t, (_request, response) => response.end());
    const { ask } = fetching([server.origin], { grant: { methods: EVERY, requestBytesMax: 3 } });
    await assert.rejects(ask("call", "/relative"), code("INVALID"));
    await assert.rejects(ask("call", server.origin, { method: "GE T" }), code("INVALID"));
    await assert.rejects(ask("call", server.origin, { body: "x" }), code("INVALID"));
    await assert.rejects(ask("call", server.origin, { method: "POST", json: 1n }), code("INVALID"));
    await assert.rejects(ask("call", server.origin, { headers: { "x-a": "1\r\nx-b: 2" } }), code("INVALID"));
    await assert.rejects(ask("call", server.origin, { headers: { host: "x" } }), code("DENIED"));
    await assert.rejects(ask("call", server.origin, { method: "POST", body: "1234" }), code("TOO_LARGE"));
    await assert.rejects(ask("call", server.origin, { method: "OPTIONS" }), {
      ...code("DENIED"),
      details: { rule: "methods" },
    });
    await assert.rejects(ask("call", "https://example.com"), { ...code("DENIED"), details: { rule: "allow" } });
    await assert.rejects(ask("call", `http://u:p@127.0.0.1:${server.port}`), code("DENIED"));
    assert.equal(server.made(), 0);
  });

  it("may not change by default, and answers that are no JSON say so", async (t) => {
    const server = await webServer(t, (_request, response) => response.end("<html>"));
    const { ask } = fetching([server.origin]);
    await assert.rejects(ask("call", server.origin, { method: "POST" }), code("DENIED"));
    await assert.rejects(ask("call", server.origin, { as: "json" }), code("FAILED"));
    const deep = await webServer(t, (_request, response) => response.end(`${"[".repeat(300_000)}"__proto__"`));
    await assert.rejects(fetching([deep.origin]).ask("call", deep.origin, { as: "json" }), code("FAILED"));
  });
});

describe("a redirect", () => {
  /** A server that sends everybody from /go to `to`. */
  const sending = async (t: TestContext, to: string, status = 302) =>
    await recordingServer(t, ({ url }, response) => {
      if (url === "/go") response.writeHead(status, { location: to }).end("go on");
      else response.end("there");
    });

  it("is followed to where the grant allows, and turns a POST into a GET", async (t) => {
    const server = await sending(t, "/there");
    const { ask } = fetching([server.origin], { grant: { methods: EVERY } });
    const answer = (await ask("call", `${server.origin}/go`, { method: "POST", body: "b" })) as { url: string };
    assert.equal(answer.url, `${server.origin}/there`);
    assert.deepEqual(
      server.asked.map(({ method, body }) => [method, body]),
      [
        ["POST", "b"],
        ["GET", ""],
      ],
    );
    await server.empty();
  });

  it("with 307 carries the body on", async (t) => {
    const server = await sending(t, "/there", 307);
    await fetching([server.origin], { grant: { methods: ["POST"] } }).ask("call", `${server.origin}/go`, {
      method: "POST",
      body: "b",
    });
    assert.deepEqual(
      server.asked.map(({ method, body }) => [method, body]),
      [
        ["POST", "b"],
        ["POST", "b"],
      ],
    );
  });

  it("leaves no connection behind, however long its own body is", async (t) => {
    const server = await webServer(t, ({ url }, response) => {
      if (url === "/there") response.end("there");
      else response.writeHead(302, { location: "/there" }).write("a body without an end");
    });
    assert.equal(((await fetching([server.origin]).ask("call", server.origin)) as { text: string }).text, "there");
    await server.empty();
    assert.equal(server.made(), 2);
  });

  it("to a method that was not granted is refused", async (t) => {
    const server = await sending(t, "/there");
    const { ask } = fetching([server.origin], { grant: { methods: ["POST"] } });
    await assert.rejects(ask("call", `${server.origin}/go`, { method: "POST" }), code("DENIED"));
    assert.equal(server.asked.length, 1);
  });

  it("is handed over where the agent wants to see it", async (t) => {
    const server = await sending(t, "http://10.0.0.1/");
    const answer = (await fetching([server.origin]).ask("call", `${server.origin}/go`, { redirect: "manual" })) as {
      readonly status: number;
      readonly headers: Readonly<Record<string, string>>;
    };
    assert.equal(answer.status, 302);
    assert.equal(answer.headers["location"], "http://10.0.0.1/");
  });

  it("is followed as often as the grant says", async (t) => {
    const server = await webServer(t, ({ url }, response) => {
      response.writeHead(302, { location: `/${Number(url?.slice(1)) + 1}` }).end();
    });
    await assert.rejects(fetching([server.origin]).ask("call", `${server.origin}/0`), {
      ...code("DENIED"),
      details: { rule: "redirects" },
    });
    assert.equal(server.made(), 4);
    await assert.rejects(fetching([server.origin], { grant: { redirectsMax: 0 } }).ask("call", `${server.origin}/0`));
    assert.equal(server.made(), 5);
    await server.empty();
  });

  const elsewhere = [
    "file:///etc/passwd",
    "data:,x",
    "https://example.com/",
    "http://169.254.169.254/",
    "//u@127.0.0.1/",
  ];
  for (const to of elsewhere) {
    it(`to ${to} is refused`, async (t) => {
      const server = await sending(t, to);
      await assert.rejects(fetching([server.origin]).ask("call", `${server.origin}/go`), {
        ...code("DENIED"),
        details: { rule: "allow" },
      });
      await server.empty();
    });
  }

  it("to another origin loses the agent's credentials and the first origin's secret", async (t) => {
    const other = await recordingServer(t, (_asked, response) => response.end("there"));
    const server = await sending(t, `http://localhost:${other.port}/there`);
    const { ask } = fetching([server.origin, `http://localhost:${other.port}`], {
      grant: {
        headers: { "X-Team": "blue" },
        secretHeaders: { "X-Key": { env: "KEY", prefix: "k ", origin: server.origin } },
      },
      env: { KEY: "s3cr3t-1" },
    });
    await ask("call", `${server.origin}/go`, { headers: { Authorization: "mine", "x-own": "1", accept: "a/b" } });
    assert.equal(server.asked[0]?.headers["x-key"], "k s3cr3t-1");
    assert.equal(server.asked[0]?.headers.authorization, "mine");
    const headers = other.asked[0]?.headers ?? {};
    assert.deepEqual(
      [headers["x-key"], headers.authorization, headers["x-own"], headers.accept, headers["x-team"]],
      [undefined, undefined, undefined, "a/b", "blue"],
    );
  });
});

describe("a secret", () => {
  const SECRET = "s3cr3t-k3y-0815";

  it("reaches its server and comes back to nobody who echoes it", async (t) => {
    const server = await recordingServer(t, (asked, response) => {
      response.writeHead(200, `for ${String(asked.headers.authorization)}`, {
        "x-echo": `<${String(asked.headers.authorization)}>`,
      });
      response.write(`you said ${asked.headers.authorization?.slice(0, 15)}`, () =>
        setImmediate(() => response.end(`${asked.headers.authorization?.slice(15)} and no more`)),
      );
    });
    const setting: Setting = {
      grant: { secretHeaders: { Authorization: { env: "KEY", prefix: "Bearer " } } },
      env: { KEY: SECRET },
    };
    const answer = await fetching([server.origin], setting).ask("call", server.origin);
    assert.equal(server.asked[0]?.headers.authorization, `Bearer ${SECRET}`);
    assert.ok(!JSON.stringify(answer).includes(SECRET));
    assert.match((answer as { text: string }).text, /^you said Bearer \*\*\* and no more$/);
    const parts = await fetching([server.origin], setting).whole("stream", server.origin);
    assert.ok(
      !parts
        .map((part) => (part as { text?: string }).text ?? "")
        .join("")
        .includes(SECRET.slice(0, 12)),
    );
    await assert.rejects(
      fetching([server.origin], setting).ask("call", server.origin, { headers: { AUTHORIZATION: "x" } }),
      code("DENIED"),
    );
  });

  it("is not told by a status line that is cut in its middle, nor by the place that a redirect leads to", async (t) => {
    const server = await recordingServer(t, ({ url, headers }, response) => {
      const key = String(headers["x-key"]);
      if (url === "/go") response.writeHead(302, { location: `/there?key=${key}` }).end();
      else response.writeHead(200, `${"x".repeat(120)}${key}`).end();
    });
    const { ask } = fetching([server.origin], {
      grant: { secretHeaders: { "x-key": { env: "KEY" } } },
      env: { KEY: SECRET },
    });
    const answer = (await ask("call", `${server.origin}/go`)) as { readonly statusText: string; readonly url: string };
    assert.equal(answer.statusText, `${"x".repeat(120)}***`);
    assert.equal(answer.url, `${server.origin}/there?key=***`);
  });

  it("that is missing or can be no header is named by its variable, and nothing is sent", async (t) => {
    const server = await webServer(t, (_request, response) => response.end());
    for (const env of [{}, { KEY: "" }, { KEY: "a\nb" }, { KEY: "s3cr3t " }]) {
      const { ask } = fetching([server.origin], { grant: { secretHeaders: { "x-key": { env: "KEY" } } }, env });
      await assert.rejects(ask("call", server.origin), (error: Error & { code: string }) => {
        assert.equal(error.code, "RUNTIME_CAPABILITY_UNAVAILABLE");
        assert.match(error.message, /KEY/);
        return !error.message.includes("s3cr3t");
      });
    }
    assert.equal(server.made(), 0);
  });
});

describe("a grant of fetch", () => {
  const { grant } = fetchCapability();
  const wrong: readonly (readonly [string, unknown, RegExp])[] = [
    ["without origins", {}, /^allow/],
    ["of nothing", { allow: [] }, /^allow/],
    ["with a misspelt key", { allow: ["https://a.example"], alow: [] }, /alow/],
    ["of a file", { allow: ["https://a.example", "file:///"] }, /^allow\.1: only https/],
    ["of this machine by accident", { allow: ["http://127.1:80"] }, /^allow\.0: .*privateAddresses: true/],
    ["of a method nobody may use", { allow: ["https://a.example"], methods: ["CONNECT"] }, /^methods\.0/],
    ["with a key in plain text", { allow: ["https://a.example"], headers: { Authorization: "x" } }, /secretHeaders/],
    ["that sets Host", { allow: ["https://a.example"], headers: { Host: "x" } }, /^headers\.Host: it cannot be set/],
    ["with a broken header", { allow: ["https://a.example"], headers: { a: "b\n" } }, /^headers\.a/],
    ["with more redirects than three", { allow: ["https://a.example"], redirectsMax: 4 }, /^redirectsMax/],
    [
      "with a secret for whoever comes",
      { allow: ["https://a.example", "https://b.example"], secretHeaders: { k: { env: "K" } } },
      /^secretHeaders\.k\.origin: allow names several origins/,
    ],
    [
      "with a secret for a wildcard",
      { allow: ["https://*.a.example"], secretHeaders: { k: { env: "K" } } },
      /several origins/,
    ],
    ["with a secret Host", { allow: ["https://a.example"], secretHeaders: { host: { env: "K" } } }, /cannot be set/],
    [
      "with a header twice",
      { allow: ["https://a.example"], headers: { K: "1" }, secretHeaders: { k: { env: "K" } } },
      /headers has it too/,
    ],
    [
      "with a header twice for a server that knows no -",
      { allow: ["https://a.example"], headers: { x_k: "1" }, secretHeaders: { "x-k": { env: "K" } } },
      /headers has it too/,
    ],
  ];
  for (const [title, value, expected] of wrong) {
    it(`${title} is refused at the door`, () => assert.match(faults(grant, value).join("\n"), expected));
  }

  it("may give each origin a secret of its own, and a cookie", () => {
    const allow = ["https://a.example", "https://b.example"];
    const authorization = [
      { env: "A", origin: "https://a.example" },
      { env: "B", origin: "https://b.example/v1" },
    ];
    assert.deepEqual(faults(grant, { allow, secretHeaders: { authorization } }), []);
    assert.deepEqual(faults(grant, { allow: ["https://a.example"], secretHeaders: { cookie: { env: "C" } } }), []);
  });
});
