/** The files that define agents: what a folder's names say, and what a record's front matter may. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { definitionsIn, isAgentFile, parseAgentRecord } from "../../runtime/agent-file.ts";
import type { RuntimeError } from "../../runtime/index.ts";

describe("the names in a folder", () => {
  test("code and a record of one id are one definition, in the order of the ids", () => {
    const names = ["b.agent.ts", "a.agent.md", "a.agent.ts", "words.ts", "notes.md", "c.agent.md"];
    assert.deepEqual(definitionsIn(names), [
      { id: "a", code: "a.agent.ts", record: "a.agent.md" },
      { id: "b", code: "b.agent.ts", record: undefined },
      { id: "c", code: undefined, record: "c.agent.md" },
    ]);
  });

  for (const name of [".#a.agent.ts", ".a.agent.ts.swp", "a.agent.ts~", "a.agent.tsx", ".agent.ts", "4913", "a.ts"]) {
    test(`${name} defines nothing`, () => assert.equal(isAgentFile(name), false));
  }

  test("a name that belongs to every object is a name like others", () => {
    assert.deepEqual(
      definitionsIn(["constructor.agent.ts", "__proto__.agent.ts"]).map(({ id }) => id),
      ["__proto__", "constructor"],
    );
  });
});

describe("a record", () => {
  const settings = "---\nmodule: ./x.agent.ts\nrestart: transient\nlimits: { heapMb: 64 }\nshutdownMs: infinity\n---\n";

  test("has settings in front and a text behind, without the blank lines around it", () => {
    assert.deepEqual(parseAgentRecord(`${settings}\n\n  Be kind.\n\nSay why.\n\n`, "x.agent.md"), {
      settings: { module: "./x.agent.ts", restart: "transient", limits: { heapMb: 64 }, shutdownMs: "infinity" },
      text: "  Be kind.\n\nSay why.",
    });
  });

  test("grants in it are taken as they stand: what they mean is the capabilities' to say", () => {
    const front =
      "---\nhost:\n  fetch: { allow: [https://example.org/], quota: { callsPerTurn: 2 } }\n  own: {}\n---\n";
    assert.deepEqual(parseAgentRecord(front, "x.agent.md").settings, {
      host: { fetch: { allow: ["https://example.org/"], quota: { callsPerTurn: 2 } }, own: {} },
    });
  });

  const plain: readonly (readonly [string, string, string])[] = [
    ["without front matter is text alone", "Be kind.\n---\nmore\n", "Be kind.\n---\nmore"],
    ["with empty front matter is text alone", "---\n---\nBe kind.", "Be kind."],
    ["of Windows reads the same", "\uFEFF---\r\n# nothing\r\n---\r\nBe\r\nkind.\r\n", "Be\nkind."],
    ["that is empty has no text", "", ""],
  ];
  for (const [what, content, text] of plain) {
    test(what, () => assert.deepEqual(parseAgentRecord(content, "x.agent.md"), { settings: {}, text }));
  }

  const refused: readonly (readonly [string, string, number, RegExp])[] = [
    ["front matter that never ends", "---\nrestart: transient\n", 1, /is not closed/],
    ["broken YAML", "---\nrestart: transient\nlimits: { heapMb: 64\n---\n", 3, /is no YAML/],
    ["a key twice", "---\nrestart: transient\nrestart: permanent\n---\n", 3, /is no YAML/],
    ["a list", "---\n- restart\n---\n", 2, /must be settings/],
    ["a bare word", "---\nrestart\n---\n", 2, /must be settings/],
    ["a misspelt setting", "---\n# why\nrestart: transient\nrestrat: permanent\n---\n", 4, /restrat/],
    ["a misspelt limit", "---\nlimits:\n  cpuMs: 9\n  heapmb: 64\n---\n", 4, /heapmb/],
    ["a value of the wrong kind", "---\nrestart: transient\nintensity: many\n---\n", 3, /intensity/],
    ["a limit out of range", "---\nlimits:\n  heapMb: 1\n---\n", 3, /limits\.heapMb/],
    ["an id of its own", "---\nid: other\n---\n", 2, /id/],
    ["a source", "---\nsource: export default 1\n---\n", 2, /source/],
    ["aliases that grow without end", `---\n${bomb()}\n---\n`, 2, /cannot be read/],
  ];
  for (const [what, content, line, reason] of refused) {
    test(`${what} is refused with its line`, () => {
      assert.throws(
        () => parseAgentRecord(content, "x.agent.md"),
        (error: RuntimeError) => {
          assert.deepEqual([error.code, error.details], ["RUNTIME_DEFINITION_INVALID", { file: "x.agent.md", line }]);
          assert.match(error.message, reason);
          return true;
        },
      );
    });
  }
});

/** Nine levels of nine aliases each. */
function bomb(): string {
  const levels = Array.from({ length: 9 }, (_, level) => {
    const items = level === 0 ? "x" : Array.from({ length: 9 }, () => `*l${level - 1}`).join(", ");
    return `k${level}: &l${level} [${items}]`;
  });
  return levels.join("\n");
}
