/** The page itself: what was written by others stays text, it needs nothing from elsewhere, and it is small and whole. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, it } from "node:test";
import type { RunRecord } from "../../../evolution/report/record.ts";
import { renderReport } from "../../../evolution/report/report.ts";
import { logOf } from "./logs.ts";

const HOSTILE = `</script></title></style><img src=x onerror=alert(1)>"' onload='alert(2)' {{x}} <!-- ]]> &lt;b&gt; \u202e\u0000`;
/** As long, of letters alone: so that every text is cut at the same place. */
const TAME = "w".repeat(HOSTILE.length);

/** A record in which everything that can be a text is this word. */
function recordOf(word: string, count = 60): RunRecord {
  const entries = { [word]: word };
  return {
    context: { type: "run.context", options: entries, machine: entries, versions: entries },
    events: logOf({ count, word }),
    measured: { type: "run.measured", ms: 1_234, held: 0.5 },
    remarks: [word],
  };
}

/** The page's elements in their order, without the texts and the values of attributes. */
function skeletonOf(page: string): readonly string[] {
  return (page.match(/<[a-z/!][^>]*>/gi) ?? []).map((tag) => tag.replaceAll(/"[^"]*"/g, '""'));
}

describe("a report", () => {
  it("shows what candidates wrote as text: markup in it makes no element and no attribute", () => {
    const page = renderReport(recordOf(HOSTILE));
    assert.deepEqual(skeletonOf(page), skeletonOf(renderReport(recordOf(TAME))));
    assert.equal(page.includes("<img"), false);
    assert.equal(page.split("</script").length, 2, "its own script alone");
    assert.ok(
      page.includes("&lt;/script&gt;&lt;/title&gt;&lt;/style&gt;&lt;img src=x onerror=alert(1)&gt;&quot;&#39;"),
    );
    for (const sign of ["\u0000", "\u202e"])
      assert.equal(page.includes(sign), false, "nothing turns the direction of writing");
  });

  it("lets no script run but its own", () => {
    const page = renderReport(recordOf(HOSTILE));
    const script = /<script>([^]*)<\/script>/.exec(page)?.[1] ?? "";
    const hash = createHash("sha256").update(script).digest("base64");
    const policy = (/Content-Security-Policy" content="([^"]*)"/.exec(page)?.[1] ?? "").replaceAll("&#39;", "'");
    assert.ok(policy.startsWith("default-src 'none'; "), policy);
    assert.ok(policy.includes(`script-src 'sha256-${hash}'`), policy);
    assert.ok(page.indexOf("Content-Security-Policy") < page.indexOf("<title>"), "before anything of others");
  });

  it("says once who changed a program where mutator and note are one word", () => {
    const events = logOf({ count: 20, word: "swap" }).map((event) =>
      event.type === "individual.evaluated" && event.parents.length > 0 ? { ...event, mutator: "swap" } : event,
    );
    const page = renderReport({ events });
    assert.ok(page.includes("<dd>swap</dd>"));
    assert.equal(page.includes("swap: swap"), false);
  });

  it("has no empty line behind a program, and no bar where there is nothing", () => {
    const page = renderReport({ events: logOf({ count: 20, text: (index) => `const a = ${index};\n` }) });
    assert.doesNotMatch(page, /\n *<\/code>/);
    assert.doesNotMatch(page, /width:0\.0+%/);
  });

  it("asks nothing from elsewhere", () => {
    const page = renderReport(recordOf("word"));
    for (const way of ["src=", "href=", "url(", "@import", "http:", "https:", "fetch("])
      assert.equal(page.includes(way), false, way);
  });

  it("is the same for the same record", () => {
    assert.equal(renderReport(recordOf("word")), renderReport(recordOf("word")));
  });

  it("says the run, its options, its machine and how it ended", () => {
    const page = renderReport({
      ...recordOf("word"),
      context: {
        type: "run.context",
        options: { fuel: "77777" },
        machine: { cores: "13" },
        versions: { node: "99.1" },
      },
    });
    for (const said of ["77777", ">13<", "99.1", "budget of evaluations spent", "seed 1", "4 of 16 programs", "1.2 s"])
      assert.ok(page.includes(said), said);
  });

  for (const [what, text] of [
    ["short ones", undefined],
    ["one long line of what must be escaped", (index: number) => `${"<".repeat(20_000)}${index}`],
    [
      "many lines that all differ",
      (index: number) => Array.from({ length: 300 }, (_, line) => `'&"${line}.${index}`).join("\n"),
    ],
  ] as const)
    it(`of 10,000 programs is below 3 MB: ${what}`, () => {
      const events = logOf({ count: 10_000, word: HOSTILE, ...(text === undefined ? {} : { text }) });
      const bytes = Buffer.byteLength(renderReport({ events }));
      assert.ok(bytes < 3_000_000, `${bytes} bytes`);
    });

  it("of one program of the largest size is below 3 MB", () => {
    const page = renderReport({ events: logOf({ count: 3, text: (index) => `${'"\n'.repeat(130_000)}${index}` }) });
    assert.ok(Buffer.byteLength(page) < 3_000_000);
    assert.match(page, /[\d,]+ lines more are not shown/);
  });

  it("has something to say where nothing happened", () => {
    const nothing = renderReport({ events: [] });
    for (const said of [
      "no search was begun",
      "No program was run.",
      "The archive is empty",
      "There is no best program.",
    ])
      assert.ok(nothing.includes(said), said);
    const seedOnly = renderReport({ events: logOf({ count: 1 }).slice(0, 2) });
    for (const said of ["the log has no end", "only the first parents were run", "is a first parent: nothing"])
      assert.ok(seedOnly.includes(said), said);
    for (const page of [nothing, seedOnly]) assert.equal(/NaN|Infinity|undefined/.test(page), false);
  });

  it("has no number that is none", () => {
    assert.equal(/NaN|Infinity|undefined/.test(renderReport(recordOf("word", 500))), false);
  });
});
