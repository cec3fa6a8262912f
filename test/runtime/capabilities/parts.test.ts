/** The small decisions behind a call, each by itself: quotas, secrets, what is told of what was thrown, and streams. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { Quotas, filled } from "../../../runtime/capabilities/quota.ts";
import { quotaOf } from "../../../runtime/capabilities/quota-grant.ts";
import { Secrets } from "../../../runtime/capabilities/secrets.ts";
import { CallSpan } from "../../../runtime/capabilities/span.ts";
import { CapabilityStream } from "../../../runtime/capabilities/stream.ts";
import { refusalOf } from "../../../runtime/capabilities/thrown.ts";
import { RuntimeError } from "../../../runtime/errors.ts";
import { decode, encode } from "../../../sandbox/index.ts";
import { batchOf } from "../../../sandbox/host-text.ts";
import { SimulatedClock } from "../../support/simulated-clock.ts";

const QUOTA = { callsPerTurn: 1_000, callsPerMinute: 60, concurrency: 1_000, answerBytesMax: 1_000 };
const place = { owner: "a", capability: "c", turn: {} };

describe("a quota", () => {
  it("has a default for everything, and takes what it knows only", () => {
    assert.deepEqual(quotaOf(undefined), {
      quota: { callsPerTurn: 64, callsPerMinute: 600, concurrency: 8, answerBytesMax: 1 << 20 },
    });
    assert.deepEqual(quotaOf({ timeoutMs: 5, concurrency: undefined }), {
      quota: { callsPerTurn: 64, callsPerMinute: 600, concurrency: 8, answerBytesMax: 1 << 20, timeoutMs: 5 },
    });
    for (const wrong of [5, { calls: 1 }, { timeoutMs: 0 }, { callsPerMinute: 0.5 }])
      assert.ok("issues" in quotaOf(wrong));
  });

  it("fills all the time, up to what it holds, and not when the time goes back", () => {
    assert.deepEqual(filled(undefined, 5, 60), { tokens: 60, atMs: 5 });
    assert.deepEqual(filled({ tokens: 0, atMs: 0 }, 1_500, 60), { tokens: 1.5, atMs: 1_500 });
    assert.equal(filled({ tokens: 59, atMs: 0 }, 60_000, 60).tokens, 60);
    assert.equal(filled({ tokens: 3, atMs: 1_000 }, 0, 60).tokens, 3);
  });

  it("lets as many calls through as it says, over any time and whatever the pauses", () => {
    const pauses = fc.array(fc.integer({ min: 0, max: 20_000 }), { minLength: 1, maxLength: 300 });
    fc.assert(
      fc.property(pauses, (waits) => {
        const quotas = new Quotas();
        let [nowMs, taken] = [0, 0];
        for (const wait of waits) {
          nowMs += wait;
          try {
            quotas.take(place, QUOTA, nowMs)();
            taken += 1;
          } catch (error) {
            assert.equal((error as RuntimeError).code, "RUNTIME_CAPABILITY_QUOTA"); // nothing else is thrown there
          }
        }
        assert.ok(taken <= 60 + nowMs / 1_000, `${taken} calls in ${nowMs} ms`);
        assert.ok(taken >= Math.min(waits.length, 60));
      }),
    );
  });

  it("counts owners and capabilities apart, and gives the place of a call back at its end", () => {
    const quotas = new Quotas();
    const one = { ...QUOTA, concurrency: 1 };
    const end = quotas.take(place, one, 0);
    quotas.take({ ...place, owner: "b" }, one, 0);
    quotas.take({ ...place, capability: "d" }, one, 0);
    assert.throws(() => quotas.take(place, one, 0), { code: "RUNTIME_CAPABILITY_QUOTA" });
    end();
    quotas.take(place, one, 0);
  });
});

describe("secrets in what is told of an error", () => {
  const KEY = "sk-abcdefgh+/ab12/cdXXXX-secret-tail";
  const secrets = new Secrets({ KEY });
  secrets.read("KEY");
  const told = (message: string): string => refusalOf(new Error(message), (text) => secrets.scrub(text)).message;

  it("are found before the text is cut, and before paths are taken out of it", () => {
    assert.equal(told(`${"x".repeat(1_000)} ${KEY}`), `${"x".repeat(1_000)} ***`);
    assert.equal(told(`denied for ${KEY}!`), "denied for ***!");
    assert.equal(told(`open '/srv/${KEY}/file'`), "open '(path)'");
    const chosen = new RuntimeError("RUNTIME_CAPABILITY_DENIED", `${"x".repeat(1_000)} ${KEY}`);
    assert.match(refusalOf(chosen, (text) => secrets.scrub(text)).message, /x \*\*\*$/);
  });
});

describe("secrets", () => {
  const SECRET = 'k"ey/+ä-123';
  const read = (): Secrets => {
    const secrets = new Secrets({ KEY: SECRET, SHORT: "ab", EMPTY: "" });
    assert.deepEqual([secrets.read("KEY"), secrets.read("SHORT")], [SECRET, "ab"]);
    return secrets;
  };

  it("are found in texts, keys, maps, sets, bytes and encodings, and nothing else is touched", () => {
    const secrets = read();
    const base64 = Buffer.from(SECRET).toString("base64");
    const hidden = {
      text: `Bearer ${SECRET}!`,
      [SECRET]: [SECRET, `x=${encodeURIComponent(SECRET)}`, base64],
      map: new Map([[SECRET, new Set([SECRET])]]),
      bytes: new TextEncoder().encode(`<${SECRET}>`),
      short: "ab",
      cab: "cab",
      date: new Date(5),
      none: undefined,
    };
    const scrubbed = decode(secrets.scrubEncoded(encode(hidden, { bytesMax: 10_000 })), { bytesMax: 10_000 });
    assert.deepEqual(scrubbed, {
      text: "Bearer ***!",
      "***": ["***", "x=***", "***"],
      map: new Map([["***", new Set(["***"])]]),
      bytes: new TextEncoder().encode(`<${"*".repeat(Buffer.byteLength(SECRET))}>`),
      short: "***",
      cab: "cab",
      date: new Date(5),
      none: undefined,
    });
    assert.equal(secrets.scrub(`key ${SECRET}`), "key ***");
  });

  const scrubbed = (env: Readonly<Record<string, string>>, value: unknown): unknown => {
    const secrets = new Secrets(env);
    for (const variable of Object.keys(env)) secrets.read(variable);
    return decode(secrets.scrubEncoded(encode(value, { bytesMax: 10_000 })), { bytesMax: 10_000 });
  };

  it("are found in JSON that stands in a text", () => {
    const body = JSON.stringify({ key: SECRET, more: `a${SECRET}b` });
    assert.deepEqual(scrubbed({ KEY: SECRET }, { body }), { body: '{"key":"***","more":"a***b"}' });
    assert.deepEqual(scrubbed({ KEY: 'line 1\nli"ne 2' }, ['{"p":"line 1\\nli\\"ne 2"}']), ['{"p":"***"}']);
  });

  it("are found as numbers, and where they are short and the whole of a text within others", () => {
    const env = { PIN: "12345678", CODE: "42", WORD: "abc" };
    assert.deepEqual(scrubbed(env, { pin: 12_345_678, near: 112_345_678 }), { pin: "***", near: 112_345_678 });
    assert.deepEqual(scrubbed(env, [12_345_678n, 42, 421, new Map([[42, 1]])]), [
      "***",
      "***",
      421,
      new Map([["***", 1]]),
    ]);
    assert.deepEqual(scrubbed(env, { word: "abc", cab: "cabc", code: "42" }), {
      word: "***",
      cab: "cabc",
      code: "***",
    });
    assert.equal(scrubbed(env, 42), "***");
  });

  it("leave a text alone that has none, and are missing where the program has none", () => {
    const secrets = read();
    const text = encode({ a: [1, "two", { three: null }] }, { bytesMax: 100 });
    assert.equal(secrets.scrubEncoded(text), text);
    for (const variable of ["EMPTY", "NONE"]) {
      assert.throws(() => secrets.read(variable), {
        code: "RUNTIME_CAPABILITY_UNAVAILABLE",
        message: new RegExp(variable),
      });
    }
  });
});

describe("what is told of an error", () => {
  const asIs = (text: string): string => text;
  it("names no file of ours, and leaves addresses and fractions alone", () => {
    const told = (message: string): string => refusalOf(new Error(message), asIs).message;
    assert.equal(told("open '/srv/data/secret.txt'"), "open '(path)'");
    assert.equal(told("at file:///opt/x/y.ts:1:2"), "at (path):1:2");
    assert.equal(told("in C:\\data\\x.txt"), "in (path)");
    for (const same of ["GET https://example.org/a/b 404", "1/2 of it", "and/or", "notes/a.txt", "/"])
      assert.equal(told(same), same);
  });

  it("keeps the codes that a capability may choose, and no others", () => {
    const code = (given: RuntimeError["code"]): string => refusalOf(new RuntimeError(given, "m"), asIs).code;
    assert.equal(code("RUNTIME_CAPABILITY_TOO_LARGE"), "RUNTIME_CAPABILITY_TOO_LARGE");
    assert.equal(code("RUNTIME_CLOSED"), "RUNTIME_CAPABILITY_FAILED");
  });
});

/** A stream over what the test pushes, on a clock that the test moves. */
class Lab {
  readonly clock = new SimulatedClock();
  readonly span: CallSpan;
  readonly stream: CapabilityStream;
  readonly ends: unknown[] = [];
  pulled = 0;
  returned = 0;
  #push: ((part: IteratorResult<number>) => void) | undefined;

  constructor(given?: CallSpan) {
    this.span = given ?? new CallSpan({ clock: this.clock, timeoutMs: 100_000, what: "lab" });
    this.stream = new CapabilityStream(
      {
        next: () => {
          this.pulled += 1;
          const { promise, resolve } = Promise.withResolvers<IteratorResult<number>>();
          this.#push = resolve;
          return promise;
        },
        return: async () => {
          this.returned += 1;
          return { done: true, value: undefined };
        },
      },
      {
        clock: this.clock,
        span: this.span,
        bytesMax: 10,
        encode: (part) => encode(part, { bytesMax: 10 }),
        onEnd: async (end) => void this.ends.push(end),
      },
    );
  }

  /** A part, and time for whoever reads it. */
  async say(...values: readonly number[]): Promise<void> {
    for (const value of values) {
      this.#push?.({ done: false, value });
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  async end(): Promise<void> {
    this.#push?.({ done: true, value: undefined });
    await new Promise((resolve) => setImmediate(resolve));
  }

  async batch(number: number): Promise<readonly string[]> {
    return batchOf(await this.stream.batch(number));
  }
}

describe("a stream", () => {
  it("reads nothing before it is asked, no further ahead than it may, and gives what there is", async () => {
    const lab = new Lab();
    assert.equal(lab.pulled, 0);
    const first = lab.batch(0);
    await lab.say(1);
    assert.deepEqual(await first, ["1", "1"]);
    await lab.say(22, 33, 44, 55, 66);
    const pulled = lab.pulled;
    await lab.say(77);
    assert.equal(lab.pulled, pulled, "ten bytes wait: nothing more is read");
    const second = lab.batch(1);
    assert.deepEqual(await second, ["1", "22", "33", "44", "55", "66"]);
    const third = lab.batch(2);
    await new Promise((resolve) => setImmediate(resolve));
    await lab.end();
    assert.deepEqual(await third, ["0"]);
    assert.deepEqual(lab.ends, [{ bytes: 11 }]);
    assert.equal(lab.returned, 1);
  });

  it("is read only some thousand parts ahead, however small they are, where its source never pauses", async () => {
    let said = 0;
    const source = { next: async () => ({ done: false, value: (said += 1) }) };
    const clock = new SimulatedClock();
    const span = new CallSpan({ clock, timeoutMs: 100_000, what: "lab" });
    const onEnd = async (): Promise<void> => undefined;
    const stream = new CapabilityStream(source, { clock, span, bytesMax: 1 << 30, encode: () => "0", onEnd });
    assert.ok(batchOf(await stream.batch(0)).length > 1);
    await new Promise((resolve) => setImmediate(resolve));
    assert.ok(said < 10_000, `${said} parts were read for one batch`);
    stream.leave();
  });

  it("gathers for a while before it gives out a later batch", async () => {
    const lab = new Lab();
    const first = lab.batch(0);
    await lab.say(1);
    await first;
    const second = lab.batch(1);
    await lab.say(2, 3);
    lab.clock.advance(4);
    assert.deepEqual(await second, ["1", "2", "3"]);
  });

  it("is over at once where its call was called off before it began", async () => {
    const span = new CallSpan({ clock: new SimulatedClock(), timeoutMs: 100_000, what: "lab" });
    span.abort(new RuntimeError("RUNTIME_CAPABILITY_ABORTED", "over"));
    const lab = new Lab(span);
    assert.deepEqual([lab.ends.length, lab.returned], [1, 1], "nobody has to ask for that");
    await assert.rejects(lab.stream.batch(0), { code: "RUNTIME_CAPABILITY_ABORTED" });
    assert.deepEqual([lab.ends.length, lab.returned, lab.pulled], [1, 1, 0]);
  });

  it("refuses batches out of order, and ends once however often it is ended", async () => {
    const lab = new Lab();
    await assert.rejects(lab.stream.batch(1), { code: "RUNTIME_CAPABILITY_INVALID" });
    const first = lab.stream.batch(0);
    lab.span.abort(new RuntimeError("RUNTIME_CAPABILITY_ABORTED", "over"));
    await assert.rejects(first, { code: "RUNTIME_CAPABILITY_ABORTED" });
    lab.stream.leave();
    assert.deepEqual([lab.ends.length, lab.returned], [1, 1]);
  });
});
