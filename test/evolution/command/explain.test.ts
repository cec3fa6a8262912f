/** `planaria explain` and `planaria lineage`, run as their users run them. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { describe, it, before, after } from "node:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { Arbiter } from "../../../evolution/index.ts";
import type { Stage } from "../../../evolution/index.ts";
import { Runtime } from "../../../runtime/index.ts";
import { compile } from "../../../sandbox/index.ts";
import { Vault } from "../../../vault/index.ts";
import { COUNTER } from "../../support/agents.ts";
import { vaultOptions } from "../../support/temp-vault.ts";

const root = join(import.meta.dirname, "../../..");

async function planaria(
  ...args: readonly string[]
): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
  const child = spawn(process.execPath, [join(root, "evolution/command/planaria.mjs"), ...args], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [[code], out, err] = await Promise.all([once(child, "close"), text(child.stdout), text(child.stderr)]);
  return { code: Number(code), out, err };
}

const stage: Stage = {
  name: "looks",
  run: async (trial) => {
    trial.candidate = await compile({ source: trial.proposal.source, name: "counter.agent.ts" });
    const isBad = trial.proposal.source.includes("bad: ");
    if (!isBad) return { verdict: "pass", reason: "fine", figures: { turns: 5 } };
    return {
      verdict: "fail",
      reason: "an answer with \u001b[2Jclears the screen",
      code: "EVOLUTION_ANSWER_DIFFERS",
      difference: { method: "read", argument: "1", expected: "2", actual: "\u001b]0;title\u0007", turn: 3 },
      evidence: [{ name: "errors", pairs: 40, value: 120, threshold: 100, says: "harm", text: "it fails more often" }],
      stateDiff: [{ key: "count", champion: "1", candidate: null }],
      notes: ["\u202eturned around"],
    };
  },
};

describe("what the arbiter decided", () => {
  let folder = "";
  let vault = "";
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "planaria-explain-"));
    vault = join(folder, "vault");
    await using runtime = await Runtime.open({ vault, durability: "os" });
    await runtime.spawn({ id: "counter", source: COUNTER });
    await using arbiter = await Arbiter.start(runtime, {}, [stage]);
    const good = COUNTER.replace("who: (ctx) =>", "better: () => 1, who: (ctx) =>");
    await arbiter.propose({
      agent: "counter",
      source: COUNTER.replace("who: (ctx) =>", "bad: () => 1, who: (ctx) =>"),
    });
    await arbiter.propose({ agent: "counter", source: good, note: "better", author: "me" });
    await arbiter.rollback("d2", "an example");
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  it("is printed whole, with the change of the code, and nothing in it reaches the terminal as more than text", async () => {
    const { code, out, err } = await planaria("explain", "d1", "--vault", vault);
    assert.deepEqual([code, err], [0, ""]);
    for (const part of [
      "decision d1: rejected",
      "  looks     fail in ",
      "an answer with \\u{1b}[2Jclears the screen [EVOLUTION_ANSWER_DIFFERS]",
      "errors: harm, 120 against 100 after 40 pairs: it fails more often",
      "note: \\u{202e}turned around",
      "turn 3: read(1)\n              expected 2\n              got      \\u{1b}]0;title\\u{7}\n",
      "state count: 1 -> (not there)",
      "    -    who: (ctx) => ctx.self.id,\n    +    bad: () => 1, who: (ctx) => ctx.self.id,\n",
    ])
      assert.ok(out.includes(part), `${part}\n${out}`);
    // oxlint-disable-next-line no-control-regex -- that there is none is what is tested
    assert.doesNotMatch(out, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/);
  });

  it("tells of promotion and roll-back", async () => {
    const { out } = await planaria("explain", "d2", "--vault", vault);
    assert.match(out, /decision d2: promoted\n.*\n {2}author {4}me \("better"\)/);
    assert.match(out, /promoted with a pause of [\d.]+ ms; the state before is "before-d2"/);
    assert.match(out, /probation rolled_back after \d+ turns: by hand: an example/);
  });

  it("is listed, of all agents or of one, and as JSON", async () => {
    const { out } = await planaria("explain", "--vault", vault);
    assert.match(
      out,
      /^d1 .*counter: rejected \[EVOLUTION_ANSWER_DIFFERS\]: looks: .*\nd2 .*counter: promoted, rolled_back: .*\n2 of 2/,
    );
    const one = JSON.parse(
      (await planaria("explain", "--vault", vault, "--agent", "counter", "--limit", "1", "--json")).out,
    ) as {
      decisions: { decision: { id: string }; probation: { end: string } }[];
    }; // what is tested is that it is so
    assert.deepEqual(
      one.decisions.map(({ decision, probation }) => [decision.id, probation.end]),
      [["d2", "rolled_back"]],
    );
  });

  it("has a lineage: every version, whose it is, and until when it served", async () => {
    const { out } = await planaria("lineage", "counter", "--vault", vault);
    const lines = out.trimEnd().split("\n");
    assert.equal(lines.length, 3, out);
    assert.match(lines[0] ?? "", /spawned by operator \(found later\)$/);
    assert.match(lines[1] ?? "", /promoted by me, decision d2, rolled_back$/);
    assert.match(lines[2] ?? "", /to now {2}rolled_back by arbiter, decision d2$/);
    assert.equal(lines[0]?.slice(0, 12), lines[2]?.slice(0, 12), "the first version serves again");
  });

  const refusals: readonly (readonly [title: string, args: readonly string[], message: RegExp])[] = [
    ["an unknown decision names those that are like it", ["explain", "d12"], /no decision d12; there are d1, d2\n/],
    [
      "an unknown agent names those that are like it",
      ["lineage", "contr"],
      /no judged agent contr; there are counter\n/,
    ],
    [
      "an agent without decisions is told",
      ["explain", "--agent", "nobody"],
      /no decided agent nobody; there are counter/,
    ],
    ["a limit is a number", ["explain", "--limit", "many"], /--limit takes a number from 1 on, not many/],
  ];
  for (const [title, args, message] of refusals) {
    it(title, async () => {
      const { code, out, err } = await planaria(...args, "--vault", vault);
      assert.deepEqual([code, out], [2, ""]);
      assert.match(err, message);
    });
  }

  it("is not looked for where no vault is named, where there is none, and where nothing was ever judged", async () => {
    assert.match((await planaria("explain", "d1")).err, /required option '--vault <path>'/);
    assert.equal((await planaria("explain", "d1", "--vault", join(folder, "none"))).code, 2);
    const empty = join(folder, "empty");
    await (await Vault.open(vaultOptions(empty))).close();
    assert.match((await planaria("explain", "--vault", empty)).out, /^0 of 0 decisions/);
    assert.match((await planaria("explain", "d1", "--vault", empty)).err, /no decision d1; the vault has none/);
  });
});
