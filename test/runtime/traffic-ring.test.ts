/**
 * Turns that are kept in the vault: what is read back, what a crash costs, and what becomes of what cannot be read.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { RecordedTurn } from "../../runtime/index.ts";
import { RuntimeError, runsOf } from "../../runtime/index.ts";
import { LIST_KEY, blockKey, listIn, listText, turnLine, turnsIn } from "../../runtime/traffic-block.ts";
import { BLOCK_MS, BLOCK_TURNS_MAX } from "../../runtime/traffic-ring.ts";
import { Vault } from "../../vault/index.ts";
import { FaultyFiles, bytes, tempFolder, tempVault, text, vaultOptions } from "../support/temp-vault.ts";
import { Lab, RING, currentOp, numbersOf, range, runNumbers, turn } from "../support/traffic-lab.ts";

const lab = async (t: Parameters<typeof tempVault>[0]): Promise<Lab> => new Lab(await tempVault(t));

describe("runs", () => {
  it("are what lies between gaps, oldest first, also of a part of the turns", () => {
    const gap = (number: number): RecordedTurn => turn(number, { isAfterGap: true });
    assert.deepEqual(runsOf([]), []);
    assert.deepEqual(runNumbers([turn(1), turn(2), gap(5), turn(6), gap(9)]), [[1, 2], [5, 6], [9]]);
    assert.deepEqual(runNumbers([turn(1), turn(2), gap(5), turn(6), gap(9)].slice(-2)), [[6], [9]]);
  });
});

describe("a kept turn", () => {
  const all = [
    turn(1, { method: "ä\n", text: '"\u2028"', seed: 0xffff_ffff, nowMs: 1.5 }),
    turn(2, { kind: "cast", from: "b/c", callId: "id", entropy: "00ff", isAfterGap: true }),
    turn(3, { result: { ok: false, name: "RangeError", message: "no\nmore" } }),
    turn(4, {
      asks: [
        { verb: "call", text: "q", answer: { ok: true, text: "" } },
        { verb: "host", text: "", answer: { ok: false, code: "X", message: "" } },
      ],
    }),
    turn(5, { from: "", callId: "" }),
  ];
  it("is read back as it was, whatever its texts", () => {
    assert.deepEqual(turnsIn(all.map(turnLine).join("\n")), all);
    for (const each of all) assert.ok(!turnLine(each).includes("\n"));
  });
  it("is not guessed at", () => {
    for (const block of ["", "{", "[]", "{}", `${turnLine(turn(1))}\n`, "[1,2,3]"])
      assert.equal(turnsIn(block), undefined);
    for (const list of ["", "{", "7", "null", '{"format":2}']) assert.equal(listIn(list), undefined);
    const list = { owner: { branch: 1, version: 2, origin: "o" }, next: 3, blocks: [{ first: 0, count: 3, bytes: 9 }] };
    assert.deepEqual(listIn(listText(list)), list);
  });
});

describe("kept turns", () => {
  it("are there after the program ended, and what the next one does is another run", async (t) => {
    const a = (await lab(t)).keep().record(range(1, 40)).reopen().keep();
    assert.deepEqual(
      a.turns(),
      range(1, 40).map((number) => turn(number)),
    );
    a.record(range(50, 55));
    assert.deepEqual(runNumbers(a.turns()), [range(1, 40), range(50, 55)]);
    a.reopen().keep().record([60]);
    assert.deepEqual(runNumbers(a.turns()), [range(1, 40), range(50, 55), [60]]);
    assert.deepEqual(a.events, []);
  });

  it("are in the vault within a block's turns or its time: that much a crash costs", async (t) => {
    const a = (await lab(t))
      .keep({ turnsMax: 10_000 })
      .record(range(1, BLOCK_TURNS_MAX * 2 + 5))
      .crash()
      .keep();
    assert.deepEqual(runNumbers(a.turns()), [range(1, BLOCK_TURNS_MAX * 2)]);
    a.record(range(101, 105));
    a.clock.advance(BLOCK_MS);
    a.record([106]);
    a.crash().keep();
    assert.deepEqual(runNumbers(a.turns()), [range(1, BLOCK_TURNS_MAX * 2), range(101, 105)]);
    assert.equal(a.clock.armed, 0, "no timer runs where nothing waits");
  });

  it("include what memory held as keeping began, and go on where it began again", async (t) => {
    const a = (await lab(t)).record(range(1, 10)).keep();
    assert.deepEqual(runNumbers(a.turns()), [range(1, 10)]);
    a.record(range(11, 20)).stop();
    a.record(range(21, 30));
    assert.deepEqual(runNumbers(a.turns()), [range(1, 30)]);
    a.keep().reopen().keep();
    assert.deepEqual(runNumbers(a.turns()), [range(1, 20)], "nobody asked for them, and nothing ran since");
    const b = new Lab(await tempVault(t)).keep().record(range(1, 20));
    b.stop();
    b.record(range(21, 30)).keep().record([31]).reopen().keep();
    assert.deepEqual(runNumbers(b.turns()), [range(1, 31)]);
  });

  it("have a gap where more turns passed unkept than memory holds", async (t) => {
    const a = (await lab(t)).keep({ turnsMax: 5_000 }).record(range(1, 20));
    a.stop();
    a.record(range(21, 1_500)).keep({ turnsMax: 5_000 });
    const [first, second, ...none] = runNumbers(a.turns());
    assert.deepEqual([first, second?.at(-1), none], [range(1, 20), 1_500, []]);
    assert.ok(second !== undefined && second.length >= 500 && (second[0] ?? 0) > 21);
  });

  it("stay within their turns and their bytes, newest last, also where memory holds fewer", async (t) => {
    const a = (await lab(t)).keep({ turnsMax: 2_000 }).record(range(1, 7_000));
    const numbers = numbersOf(a.turns());
    assert.ok(numbers.length > 1_900 && numbers.length <= 2_000, String(numbers.length));
    assert.deepEqual(numbers, range(7_001 - numbers.length, 7_000));
    const b = new Lab(await tempVault(t)).keep({ bytesMax: 64 << 10 });
    for (const number of range(1, 300)) {
      b.record([number], { text: "x".repeat(1_000) });
      assert.ok(b.size() <= 64 << 10);
    }
    assert.ok(b.reopen().keep().turns().length > 40);
  });

  it("leave out a turn that is too large, and begin a run behind it", async (t) => {
    const a = (await lab(t)).keep({ bytesMax: 64 << 10 }).record([1, 2]);
    a.record([3], { text: "x".repeat(20 << 10) }).record([4, 5]);
    assert.deepEqual(runNumbers(a.turns()), [[1, 2, 3, 4, 5]], "memory has it");
    assert.deepEqual(runNumbers(a.reopen().keep().turns()), [
      [1, 2],
      [4, 5],
    ]);
    const b = new Lab(await tempVault(t)).keep({ bytesMax: 64 << 10 }).record([1, 2]);
    b.clock.advance(BLOCK_MS);
    b.record([3], { text: "x".repeat(20 << 10) }).stop();
    assert.deepEqual(runNumbers(b.keep({ bytesMax: 64 << 10 }).turns()).flat(), [1, 2, 3], "each once");
  });

  it("are cut where the agent went back, and cleared where they are no measure any more", async (t) => {
    const a = (await lab(t)).keep().record([1, 2]);
    a.recorder.cut();
    a.record([3, 4]);
    assert.deepEqual(runNumbers(a.turns()), [
      [1, 2],
      [3, 4],
    ]);
    assert.deepEqual(runNumbers(a.reopen().keep().turns()), [
      [1, 2],
      [3, 4],
    ]);
    a.recorder.clear();
    assert.deepEqual(a.turns(), []);
    assert.equal(a.vault.head(RING), undefined);
    a.record([5]);
    assert.deepEqual(runNumbers(a.reopen().keep().turns()), [[5]]);
  });

  it("that nobody keeps are forgotten by a cut", async (t) => {
    const a = (await lab(t)).record([1, 2]);
    a.recorder.cut();
    assert.deepEqual(a.turns(), []);
    a.record([3]).keep();
    assert.deepEqual(runNumbers(a.turns()), [[3]]);
  });

  const others = {
    "another version of its state": (a: Lab) => a.write("a:current", text(currentOp(2).value) ?? ""),
    "other code of its owner's": (a: Lab) => a.write("a:current", text(currentOp(1, "p").value) ?? ""),
    "another branch": (a: Lab) => {
      const { branch } = a.vault.create({ ops: [currentOp(1)] });
      a.vault.commit([{ type: "name", name: "a", branch: branch.id }]);
    },
  };
  for (const [what, change] of Object.entries(others)) {
    it(`of an agent that has ${what} by now are let go`, async (t) => {
      const a = (await lab(t)).keep().record([1, 2]).reopen();
      change(a);
      assert.deepEqual(a.keep().turns(), []);
      assert.deepEqual(runNumbers(a.record([3]).reopen().keep().turns()), [[3]]);
      assert.deepEqual(a.events, []);
    });
  }

  it("of another format, or that cannot be parsed, are let go with an event, and keeping begins anew", async (t) => {
    const changes: readonly ((a: Lab) => void)[] = [
      (a) => a.write(LIST_KEY, '{"format":2,"turns":"elsewhere"}'),
      (a) => a.write(LIST_KEY, "{"),
      (a) => a.write(blockKey(0), "[1"),
    ];
    for (const change of changes) {
      const a = new Lab(await tempVault(t)).keep().record([1, 2]).reopen();
      change(a);
      assert.deepEqual(a.keep().turns(), []);
      assert.deepEqual(
        a.events.map(({ type }) => type),
        ["traffic.discarded"],
      );
      assert.deepEqual(runNumbers(a.record([3]).reopen().keep().turns()), [[3]]);
      assert.equal(a.events.length, 1);
    }
  });

  it("of which a block is not there have a gap", async (t) => {
    const a = (await lab(t))
      .keep({ turnsMax: 10_000 })
      .record(range(1, BLOCK_TURNS_MAX * 3))
      .reopen();
    const branch = a.vault.head(RING);
    assert.ok(branch !== undefined);
    a.vault.commit([{ type: "write", branch: branch.id, ops: [{ delete: blockKey(BLOCK_TURNS_MAX) }] }]);
    const runs = [range(1, BLOCK_TURNS_MAX), range(BLOCK_TURNS_MAX * 2 + 1, BLOCK_TURNS_MAX * 3)];
    assert.deepEqual(runNumbers(a.keep().turns()), runs);
  });

  it("go in the commit that drops their agent, and what waits in memory with them", async (t) => {
    const a = (await lab(t)).keep().record(range(1, 40));
    a.vault.commit([...a.keeper.departure("a")]);
    a.clock.advance(BLOCK_MS);
    assert.equal(a.vault.head(RING), undefined);
    assert.deepEqual(a.keeper.departure("a"), []);
  });

  it("whose agent was dropped while no runtime ran are swept as the vault is opened", async (t) => {
    const a = (await lab(t)).keep().record([1]).reopen();
    a.vault.commit([{ type: "name", name: "a", branch: undefined }]);
    assert.ok(a.vault.head(RING) !== undefined);
    a.crash();
    assert.equal(a.vault.head(RING), undefined);
  });

  it("that a full disk takes no more are let go with an event; those on disk stay, and keeping goes on", async (t) => {
    const files = new FaultyFiles();
    const a = new Lab(await tempVault(t, { files, durability: "disk" })).keep().record(range(1, 40));
    a.keeper.ringOf("a")?.flush();
    const { branch, commit } = a.vault.create({ name: "b" });
    await commit.durable;
    files.plan = (operation) => (operation === "write" ? { error: "ENOSPC" } : undefined);
    const lost = a.vault.commit([{ type: "write", branch: branch.id, ops: [{ put: "k", value: bytes("v") }] }]);
    a.record(range(41, 50));
    a.keeper.ringOf("a")?.flush();
    await assert.rejects(lost.durable);
    a.recorder.undone();
    files.plan = () => undefined;
    a.record(range(61, 65));
    const expected = [range(1, 40), range(61, 65)];
    assert.deepEqual(runNumbers(a.turns()), expected);
    assert.deepEqual(runNumbers(a.reopen().keep().turns()), expected);
    assert.ok(a.events.length <= 1 && a.events.every(({ type }) => type === "traffic.discarded"));
  });

  it("survive the end of a program that closes its vault, in the pages as in the log", async (t) => {
    const path = tempFolder(t);
    const options = vaultOptions(path, { checkpointBytes: 1 << 10, segmentBytes: 64 << 10 });
    {
      const vault = await Vault.open(options);
      new Lab(vault)
        .keep()
        .record(range(1, 100), { text: "x".repeat(500) })
        .keeper.close();
      await vault.close();
    }
    const a = new Lab(await tempVault(t, options)).keep();
    assert.deepEqual(runNumbers(a.turns()), [range(1, 100)]);
  });
});

describe("what may be asked to be kept", () => {
  const bad: readonly object[] = [
    { turnsMax: 0 },
    { turnsMax: 1.5 },
    { turnsMax: Number.NaN },
    { turnsMax: 10_001 },
    { turnsMax: "5" },
    { bytesMax: 100 },
    { bytesMax: 1 << 30 },
    { turns: 5 },
  ];
  for (const bounds of bad) {
    it(`is not ${JSON.stringify(bounds)}`, async (t) => {
      const { keeper } = await lab(t);
      const refused = (error: unknown) => error instanceof RuntimeError && error.code === "RUNTIME_OPTIONS_INVALID";
      assert.throws(() => keeper.keep("a", bounds), refused);
      assert.equal(keeper.ringOf("a"), undefined);
    });
  }

  it("is the most that anybody asks, while somebody asks", async (t) => {
    const { keeper } = await lab(t);
    const [stopFew, stopMany] = [keeper.keep("a", { turnsMax: 10 }), keeper.keep("a", { turnsMax: 100 })];
    assert.deepEqual([keeper.ringOf("a")?.turnsMax, keeper.ringOf("b")], [100, undefined]);
    stopMany();
    stopMany();
    assert.equal(keeper.ringOf("a")?.turnsMax, 10);
    stopFew();
    assert.equal(keeper.ringOf("a"), undefined);
  });
});
