/** What may leave: addresses, allow-lists, headers, redirects and the taking out of secrets, as the pure functions they are. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { isLocalName, isPublicAddress, literalAddress } from "../../../runtime/capabilities/egress-addresses.ts";
import { allowedBy, needsPrivate, parseAllowed, type AllowedUrls } from "../../../runtime/capabilities/egress-allow.ts";
import {
  agentHeaders,
  answerHeaders,
  headerFault,
  withoutBody,
  withoutCredentials,
} from "../../../runtime/capabilities/egress-headers.ts";
import { nextHop } from "../../../runtime/capabilities/egress-redirect.ts";
import { Scrubber } from "../../../runtime/capabilities/egress-scrub.ts";
import { check } from "../../support/random-runs.ts";

const words = (text: string): readonly string[] => text.trim().split(/\s+/);

const entry = (text: string): AllowedUrls => {
  const parsed = parseAllowed(text);
  assert.ok(typeof parsed === "object", text);
  return parsed;
};

describe("addresses", () => {
  const refused = words(`
    0.0.0.0 0.1.2.3 10.0.0.1 100.64.0.1 100.127.255.255 127.0.0.1 127.255.255.254 169.254.169.254 172.16.0.1
    172.31.255.255 192.0.0.8 192.0.2.1 192.88.99.1 192.168.1.1 198.18.0.1 198.19.255.255 198.51.100.1
    203.0.113.1 224.0.0.1 239.1.1.1 240.0.0.1 255.255.255.255 :: ::1 ::ffff:127.0.0.1 ::ffff:8.8.8.8
    ::ffff:7f00:1 ::127.0.0.1 64:ff9b::7f00:1 64:ff9b::808:808 64:ff9b:1::1 100::1 2001::1 2001:0:4136:e378::1
    2001:20::1 2001:db8::1 2002:7f00:1:: 3fff::1 fc00::1 fd12::1 fe80::1 fe80::1%lo fec0::1 ff02::1 5f00::1
    localhost example.com 127.1 0x7f.0.0.1
  `).concat("");
  for (const address of refused) {
    it(`${JSON.stringify(address)} is not public`, () => assert.equal(isPublicAddress(address), false));
  }
  const let_through = ["1.1.1.1", "8.8.8.8", "100.63.255.255", "100.128.0.1", "172.15.0.1", "172.32.0.1", "192.0.1.1"];
  const v6 = ["2606:4700:4700::1111", "2001:4860:4860::8888", "2a00:1450::1", "2003::1"];
  for (const address of [...let_through, "198.17.0.1", "198.20.0.1", "223.255.255.255", ...v6]) {
    it(`${address} is public`, () => assert.equal(isPublicAddress(address), true));
  }

  const spellings = words(`
    http://127.1/ http://0x7f.1/ http://2130706433/ http://0177.0.0.1/ http://0x7f000001/ http://127.0.0.1./
    http://[::1]/ http://[::ffff:127.0.0.1]/ http://[0:0:0:0:0:ffff:7f00:1]/ http://１２７.0.0.1/
    http://127。0。0。1/ http://0/ http://[::ffff:a9fe:a9fe]/ http://0xa9fea9fe/
  `);
  for (const text of spellings) {
    it(`${text} names an address that is not public`, () => {
      const address = literalAddress(new URL(text).hostname);
      assert.ok(address !== undefined);
      assert.equal(isPublicAddress(address), false);
    });
  }

  it("names of this machine and its neighbours are local, others are not", () => {
    for (const name of ["localhost", "a.localhost", "ollama", "127.0.0.1", "[::1]"]) assert.ok(isLocalName(name), name);
    for (const name of ["api.example.com", "localhost.example.com"]) assert.ok(!isLocalName(name), name);
  });
});

describe("allow-lists", () => {
  const allow = [
    "https://api.example.com",
    "https://*.example.org/v1/",
    "http://plain.example:8080",
    "https://p.example/v1",
  ];
  const list = allow.map(entry);
  const yes = words(`
    https://api.example.com/ https://API.example.com/a?b#c https://api.example.com:443/
    HTTPS://api.example.com https://a.example.org/v1/ https://a.b.example.org/v1/x http://plain.example:8080/x
    https://p.example/v1 https://p.example/v1/x https://p.example/v2/../v1/x https://p.example/v1/a%20b
    https://p.example/v1/100% https://p.example/v1/.well-known/x https://p.example/v1/..a https://p.example/v1/ä
    https://p.example/v1/a..b https://p.example/v1/a%2525 https://p.example/v1/a. https://p.example/v1/%F0%9F%90%8C
    https://p.example/v1/a%3fb
  `);
  for (const text of yes) it(`${text} is allowed`, () => assert.equal(typeof allowedBy(new URL(text), list), "object"));

  const no = words(`
    http://api.example.com/ https://api.example.com:8443/ https://api.example.com./ https://example.com/
    https://api.example.com.evil.net/ https://evil.net/#api.example.com https://api.example.com@evil.net/
    https://user@api.example.com/ https://:p@api.example.com/ https://example.org/v1/ https://a.example.org/v2
    https://a.example.org/v1/../v2 https://a.example.org/v1/%2e%2e/v2 https://p.example/v1x
    https://p.example/V1 https://p.example/v1/..%2fadmin https://p.example/v1/%2e%2e%2fadmin
    https://p.example/v1/..%5cadmin https://p.example/v1/%252e%252e/admin https://p.example/v1/..;/admin
    https://p.example/v1/a%2fb https://p.example/v1/%25252525252fx https://p.example/v1/%00 file:///etc/passwd
    data:text/plain,x ftp://api.example.com/ https://evilexample.org/v1/ https://a.example.org.:443/v1/
    blob:https://api.example.com/x https://p.example/v1/..%20/admin https://p.example/v1/..%09/admin
    https://p.example/v1/..%3f/admin https://p.example/v1/..%23 https://p.example/v1/.%20./admin
    https://p.example/v1/%c0%ae%c0%ae/admin https://p.example/v1/%25c0%25ae/admin https://p.example/v1/%u002e%u002e/admin
    https://p.example/v1/%25u002e/admin https://p.example/v1/a%0ab https://p.example/v1/a%7f https://p.example/v1/%c2%85
    https://p.example/v1/%e4 https://p.example/v1/%ff https://p.example/v1/... https://p.example/v1/...%20/admin
    https://p.example/v1/..:/admin https://p.example/v1/%EF%BC%8E%EF%BC%8E/admin https://p.example/v1/..%EF%BC%8Fadmin
    https://p.example/v1/%E2%80%A5/admin https://p.example/v1/%20../admin
  `);
  for (const text of no) it(`${text} is refused`, () => assert.equal(typeof allowedBy(new URL(text), list), "string"));

  const broken = words(`
    api.example.com ftp://x.example https://u@x.example https://x.example/?a https://x.example/# https://*.com
    https://a.*.example.com https://x.example. https://x.example:0 https://* * https://*.1.2.3.4
  `).concat("");
  for (const text of broken) {
    it(`${JSON.stringify(text)} is no entry`, () => assert.equal(typeof parseAllowed(text), "string"));
  }

  it("an entry that only private addresses could serve is known", () => {
    for (const text of [
      "http://127.0.0.1:1",
      "http://2130706433",
      "http://localhost",
      "http://ollama:1",
      "http://[fd00::1]",
    ]) {
      assert.ok(needsPrivate(entry(text)), text);
    }
    for (const text of ["https://api.example.com", "https://*.example.com", "https://1.1.1.1"]) {
      assert.ok(!needsPrivate(entry(text)), text);
    }
  });
});

describe("headers", () => {
  const code = (run: () => unknown, expected: string): void => assert.throws(run, { code: expected });

  it("an agent's headers are named in small letters", () => {
    assert.deepEqual(
      [...agentHeaders({ "X-Trace": "1", Accept: "a/b" }, new Set())],
      [
        ["x-trace", "1"],
        ["accept", "a/b"],
      ],
    );
  });

  const forbidden = words(`
    Host host Connection Transfer-Encoding Content-Length Upgrade TE Trailer Keep-Alive Cookie
    Proxy-Authorization proxy-connection Expect Accept-Encoding X-HTTP-Method-Override Sec-Fetch-Mode
    Content_Length transfer_encoding x_http_method_override proxy_authorization sec_fetch_mode transfer.encoding
    X-Original-URL x-rewrite-url X_Original_Url
  `);
  for (const name of forbidden) {
    it(`${name} is not the agent's to set`, () =>
      code(() => agentHeaders({ [name]: "x" }, new Set()), "RUNTIME_CAPABILITY_DENIED"));
  }

  it("a header of the grant is not the agent's to set, however it is spelled", () => {
    code(() => agentHeaders({ AUTHORIZATION: "x" }, new Set(["authorization"])), "RUNTIME_CAPABILITY_DENIED");
    code(() => agentHeaders({ x_tenant: "b" }, new Set(["x-tenant"])), "RUNTIME_CAPABILITY_DENIED");
    code(() => agentHeaders({ "x-tenant": "b" }, new Set(["x_tenant"])), "RUNTIME_CAPABILITY_DENIED");
  });

  it("no header smuggles another one", () => {
    for (const value of ["a\r\nhost: b", "a\nb", "a\0", " a", "a\t", "ключ", "a\u007f"]) {
      assert.notEqual(headerFault("x-a", value), undefined, JSON.stringify(value));
    }
    for (const name of ["", "a b", "a:b", "a\r", "ä", "A"]) assert.notEqual(headerFault(name, "x"), undefined, name);
    for (const value of ["", "a", "a b\tc", "é"]) assert.equal(headerFault("x-a", value), undefined, value);
    code(() => agentHeaders({ "x-a": "a\r\nb: c" }, new Set()), "RUNTIME_CAPABILITY_INVALID");
    code(() => agentHeaders({ "x-a": "1", "X-A": "2" }, new Set()), "RUNTIME_CAPABILITY_INVALID");
    code(() => agentHeaders({ "x-a": "1", X_A: "2" }, new Set()), "RUNTIME_CAPABILITY_INVALID");
  });

  it("headers are counted and weighed", () => {
    const many = Object.fromEntries(Array.from({ length: 65 }, (_, index) => [`x-${index}`, "1"]));
    code(() => agentHeaders(many, new Set()), "RUNTIME_CAPABILITY_TOO_LARGE");
    code(() => agentHeaders({ "x-a": "1".repeat(17_000) }, new Set()), "RUNTIME_CAPABILITY_TOO_LARGE");
    code(() => answerHeaders(Array.from({ length: 514 }, () => "a")), "RUNTIME_CAPABILITY_TOO_LARGE");
  });

  it("an answer's headers are plain data without cookies", () => {
    const raw = [
      "Content-Type",
      "a/b",
      "X-A",
      "1",
      "x-a",
      "2",
      "Set-Cookie",
      "s=1",
      "__proto__",
      "x",
      "constructor",
      "y",
    ];
    assert.deepEqual(answerHeaders(raw), { "content-type": "a/b", "x-a": "1, 2", constructor: "y" });
  });
});

describe("redirects", () => {
  const headers = new Map([
    ["authorization", "a"],
    ["x-key", "k"],
    ["accept", "b"],
    ["content-type", "c"],
  ]);
  const body = new Uint8Array([1]);
  const post = { url: new URL("https://a.example/x"), method: "POST", headers, body };
  const get = { ...post, method: "GET", body: undefined };

  for (const status of [200, 300, 304, 305, 306, 309, 404]) {
    it(`${status} leads nowhere`, () => assert.equal(nextHop(get, status, "/y"), undefined));
  }
  for (const status of [301, 302, 303]) {
    it(`${status} turns a POST into a GET without its body`, () => {
      const next = nextHop(post, status, "/y");
      assert.equal(next?.method, "GET");
      assert.equal(next.body, undefined);
      assert.deepEqual([...next.headers.keys()], ["authorization", "x-key", "accept"]);
    });
  }
  for (const status of [307, 308]) {
    it(`${status} keeps a POST with its body`, () => {
      assert.deepEqual(nextHop(post, status, "y"), { ...post, url: new URL("https://a.example/y") });
    });
  }
  it("303 keeps HEAD, 301 keeps PUT, as the Fetch standard has it", () => {
    assert.equal(nextHop({ ...get, method: "HEAD" }, 303, "/y")?.method, "HEAD");
    assert.equal(nextHop({ ...post, method: "PUT" }, 301, "/y")?.method, "PUT");
    assert.equal(nextHop({ ...post, method: "PUT" }, 303, "/y")?.method, "GET");
  });
  for (const origin of ["https://b.example/", "http://a.example/", "https://a.example:8443/", "//sub.a.example/"]) {
    it(`what may be a credential does not follow to ${origin}`, () => {
      assert.deepEqual([...(nextHop(get, 302, origin)?.headers.keys() ?? [])], ["accept", "content-type"]);
    });
  }
  it("credentials do not come back with the origin", () => {
    const away = nextHop(get, 302, "https://b.example/");
    assert.ok(away !== undefined);
    assert.equal(nextHop(away, 302, "https://a.example/")?.headers.has("authorization"), false);
  });
  it("an answer without a place to go is the last", () => {
    assert.equal(nextHop(get, 302, undefined), undefined);
    assert.equal(nextHop(get, 302, "http://"), undefined);
  });
  it("headers are thinned by lists", () => {
    assert.deepEqual([...withoutBody(headers).keys()], ["authorization", "x-key", "accept"]);
    assert.deepEqual([...withoutCredentials(headers).keys()], ["accept", "content-type"]);
  });
});

describe("secrets in answers", () => {
  const scrub = (secrets: readonly string[], chunks: readonly string[]): string => {
    const scrubber = new Scrubber(secrets);
    const parts = chunks.map((chunk) => scrubber.push(Buffer.from(chunk)));
    return Buffer.concat([...parts, scrubber.end()]).toString();
  };

  it("a secret is taken out wherever chunks are cut", () => {
    const text = "a s3cr3t-k3y b s3cr3t-k3ys3cr3t-k3y s3cr3t";
    const clean = `a *** b ****** s3cr3t`;
    for (let cut = 0; cut <= text.length; cut++) {
      assert.equal(scrub(["s3cr3t-k3y"], [text.slice(0, cut), text.slice(cut)]), clean, `cut at ${cut}`);
    }
    assert.equal(scrub(["s3cr3t-k3y"], text.split("")), clean);
  });
  it("other spellings of it are taken out too", () => {
    assert.equal(scrub(['a"b/c d'], ['{"k":"a\\"b/c d"} a%22b%2Fc%20d']), `{"k":"***"} ***`);
    assert.equal(scrub(["schlüssel"], ["x schlüssel y"]), `x *** y`);
  });
  it("its Latin-1 bytes are taken out as well as those of UTF-8", () => {
    const scrubber = new Scrubber(["schlüssel"]);
    const latin1 = Buffer.from("x schlüssel y ", "latin1");
    const shown = Buffer.concat([scrubber.push(Buffer.concat([latin1, Buffer.from("schlüssel z")])), scrubber.end()]);
    assert.equal(shown.toString("latin1"), "x *** y *** z");
    // A status line's bytes are read as UTF-8, whatever they are.
    assert.equal(scrubber.text(latin1.toString("utf8")), "x *** y ");
  });
  it("the longer of two secrets goes first, and what is no secret passes", () => {
    assert.equal(scrub(["abcd", "abcdef"], ["abcdef abcd abc"]), `*** *** abc`);
    assert.equal(scrub(["ab"], ["ab"]), "ab");
  });
  it("a shorter secret does not tear a longer one that comes in two pieces", () => {
    for (let cut = 0; cut <= 8; cut++) {
      assert.equal(scrub(["abcd", "abcdef"], ["abcdef x".slice(0, cut), "abcdef x".slice(cut)]), "*** x", `at ${cut}`);
    }
  });
  it("a line is shown as soon as it has ended", () => {
    const scrubber = new Scrubber(["needle"]);
    assert.equal(Buffer.from(scrubber.push(Buffer.from("data: [DONE]\n\n"))).toString(), "data: [DONE]\n\n");
    assert.equal(Buffer.from(scrubber.push(Buffer.from("need\nle"))).toString(), "need\n");
  });
  it("how much of an answer is shown tells nothing of a secret, not even that its beginning was guessed", (t) => {
    const secret = "s3cr3t-k3y";
    const chunks = fc.array(fc.array(fc.constantFrom(...secret.split(""), "s3cr", "\n", "x".repeat(200))), {
      maxLength: 20,
    });
    const lengths = (own: string, parts: readonly string[]): readonly number[] => {
      const scrubber = new Scrubber([own]);
      return parts.map((part) => scrubber.push(Buffer.from(part)).byteLength);
    };
    check(
      t,
      fc.property(chunks, (lists) => {
        const parts = lists.map((letters) => letters.join(""));
        fc.pre(!parts.join("").includes(secret));
        assert.deepEqual(lengths(secret, parts), lengths("another-on", parts));
        assert.deepEqual(lengths(secret, parts), lengths("another-one-of-other-length", parts));
      }),
      300,
    );
    for (let guessed = 0; guessed < secret.length; guessed++) {
      assert.deepEqual(lengths(secret, [secret.slice(0, guessed)]), [0]);
    }
  });
});
