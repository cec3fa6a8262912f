/** A folder whose files are the agents: what is saved takes effect, and what is wrong changes nothing and is told. */
import assert from "node:assert/strict";
import { mkdir, rename, rm, symlink, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { Runtime } from "../../runtime/index.ts";
import { DEFINITIONS_MAX } from "../../runtime/watch.ts";
import { compile } from "../../sandbox/index.ts";
import { codeOf } from "../support/agents.ts";
import { WatchedFolder, says } from "../support/watched-folder.ts";

describe("a watched folder", () => {
  it("starts what is there, and says what is not taken and why", async (t) => {
    const folder = await WatchedFolder.open(t);
    const { runtime } = folder;
    await folder.save("a.agent.ts", says("a"));
    await folder.save("b.agent.ts", "export default ;\n");
    await folder.save("c.agent.md", "---\nmodule: ./a.agent.ts\nlimits: { heapMb: 64 }\n---\nBe kind.\n");
    await folder.save("bad name.agent.ts", says("x"));
    await folder.save("words.ts", "export const word = 1;");
    const watch = await folder.watch();
    assert.deepEqual(
      watch.agents.map(({ id, refusal }) => [id, refusal?.code, refusal?.line]),
      [
        ["a", undefined, undefined],
        ["b", "SANDBOX_COMPILE_FAILED", 1],
        ["bad name", "RUNTIME_DEFINITION_INVALID", undefined],
        ["c", undefined, undefined],
      ],
    );
    assert.equal(watch.agents[1]?.refusal?.file, folder.path("b.agent.ts"));
    assert.deepEqual(runtime.ids().toSorted(), ["a", "c"]);
    assert.equal(await runtime.ref("a").call("say"), "a1");
    assert.equal(await runtime.ref("c").call("text"), "Be kind.");
    assert.equal((await runtime.ref("c").info()).heapLimitBytes, 64 << 20);
  });

  it("takes a saved file up between two messages: state and waiting messages stay, and it can be undone", async (t) => {
    const folder = await WatchedFolder.open(t);
    await folder.save("a.agent.ts", says("a"));
    await folder.watch();
    const a = folder.runtime.ref("a");
    const over = new AbortController();
    const caller = async (): Promise<unknown[]> => {
      const said: unknown[] = [];
      while (!over.signal.aborted) said.push(await a.call("say"));
      return said;
    };
    const callers = Promise.all(Array.from({ length: 20 }, caller));
    await folder.save("a.agent.ts", says("b"));
    assert.deepEqual(await folder.applied("a"), ["code"]);
    assert.match(String(await a.call("say")), /^b/, "the very next message");
    over.abort();
    const said = (await callers).flat().map(String);
    const order = said.toSorted((x, y) => Number(x.slice(1)) - Number(y.slice(1)));
    assert.equal(new Set(order.map((text) => text.slice(1))).size, said.length, "none was run twice");
    assert.match(order.map(([word]) => word).join(""), /^a+b+$/);
    const label = (await a.history()).find((line) => line.label?.startsWith("before-reload-") === true)?.label;
    assert.ok(label !== undefined);
    await a.restore({ label });
    assert.match(String(await a.call("say")), /^a/);
  });

  it("is one reload for one save: in two steps, renamed over, or twice in a row", async (t) => {
    const folder = await WatchedFolder.open(t);
    await folder.save("a.agent.ts", says("a"));
    await folder.watch();
    const a = folder.runtime.ref("a");
    await folder.save("a.agent.ts", "");
    await folder.save("a.agent.ts", says("b"));
    await folder.applied("a");
    assert.equal(await a.call("say"), "b1");
    await folder.save("a.agent.ts.tmp", says("c"));
    await rename(folder.path("a.agent.ts.tmp"), folder.path("a.agent.ts"));
    await folder.applied("a");
    assert.equal(await a.call("say"), "c2");
    for (const word of ["d", "e", "f"]) await folder.save("a.agent.ts", says(word));
    await folder.applied("a");
    assert.equal(await a.call("say"), "f3");
    await folder.save("a.agent.ts", says("f")); // as it was
    await folder.save("other.agent.ts", says("o"));
    await folder.applied("other");
    assert.deepEqual(
      ["code.swapped", "definition.applied", "definition.refused"].map((type) =>
        folder.count(type as "code.swapped", "a"),
      ),
      [3, 4, 0],
    );
  });

  it("goes on when a file is deleted and says so, and when the folder is taken away and put back", async (t) => {
    const folder = await WatchedFolder.open(t);
    await folder.save("a.agent.ts", says("a"));
    const watch = await folder.watch();
    await unlink(folder.path("a.agent.ts"));
    assert.equal((await folder.next("definition.removed", "a")).file, folder.path("a.agent.ts"));
    assert.deepEqual([await folder.runtime.ref("a").call("say"), watch.agents], ["a1", []]);
    await folder.save("a.agent.ts", says("b"));
    assert.deepEqual(await folder.applied("a"), ["code"]);
    await rename(folder.dir, `${folder.dir}-away`);
    t.after(() => rm(`${folder.dir}-away`, { recursive: true, force: true }));
    await folder.next("definition.removed", "a");
    assert.equal(await folder.runtime.ref("a").call("say"), "b2");
    await rename(`${folder.dir}-away`, folder.dir);
    assert.deepEqual(await folder.applied("a"), [], "it is what it was");
    await folder.save("a.agent.ts", says("c"));
    assert.deepEqual(await folder.applied("a"), ["code"]);
  });

  it("reloads when what a file imports changes, breaks, or comes into being", async (t) => {
    const folder = await WatchedFolder.open(t);
    await mkdir(folder.path("lib"));
    await folder.save("lib/words.ts", 'export const word = "a";');
    const importing = (from: string): string => `import { word } from "${from}";\n${says("?").replace('"?"', "word")}`;
    await folder.save("a.agent.ts", importing("./lib/words.ts"));
    await folder.watch();
    const a = folder.runtime.ref("a");
    assert.equal(await a.call("say"), "a1");
    await folder.save("lib/words.ts", 'export const word = "b";');
    assert.deepEqual(await folder.applied("a"), ["code"]);
    assert.equal(await a.call("say"), "b2");
    await folder.save("lib/words.ts", "\nexport const word = ;");
    const { file, line, code } = await folder.next("definition.refused", "a");
    assert.deepEqual([file, line, code], [folder.path("lib/words.ts"), 2, "SANDBOX_COMPILE_FAILED"]);
    await folder.save("a.agent.ts", importing("./lib/more.ts"));
    assert.equal((await folder.next("definition.refused", "a")).code, "SANDBOX_MODULE_MISSING");
    assert.equal(await a.call("say"), "b3");
    await folder.save("lib/more.ts", 'export const word = "c";');
    assert.deepEqual(await folder.applied("a"), ["code"]);
    assert.equal(await a.call("say"), "c4");
  });

  it("follows links, and names what leads nowhere or is no file", async (t) => {
    const folder = await WatchedFolder.open(t);
    await mkdir(folder.path("real"));
    await folder.save("real/code.ts", says("a"));
    await symlink(folder.path("real/code.ts"), folder.path("a.agent.ts"));
    await symlink(folder.path("nowhere"), folder.path("b.agent.ts"));
    await symlink(folder.path("c.agent.md"), folder.path("c.agent.md"));
    await mkdir(folder.path("d.agent.ts"));
    await mkdir(folder.path("e.agent.md"));
    const watch = await folder.watch();
    const refused = watch.agents.map(({ id, refusal }) => `${id} ${refusal?.reason.match(/E[A-Z]{4,}/)?.[0]}`);
    assert.deepEqual(refused, ["a undefined", "b ENOENT", "c ELOOP", "d EISDIR", "e EISDIR"]);
    assert.ok(watch.agents.slice(1).every(({ refusal, file }) => refusal?.file === file));
    await folder.save("real/code.ts", says("b"));
    await folder.applied("a");
    assert.equal(await folder.runtime.ref("a").call("say"), "b1");
    await folder.save("nowhere", says("n"));
    await folder.applied("b");
  });
});

describe("a file that is wrong", () => {
  it("is refused when it leads to a device, which would never be read to its end", async (t) => {
    const folder = await WatchedFolder.open(t);
    await symlink("/dev/zero", folder.path("a.agent.ts"));
    await symlink("/dev/zero", folder.path("b.agent.md"));
    const watch = await folder.watch();
    assert.deepEqual(
      watch.agents.map(({ id, refusal }) => [id, refusal?.reason.includes("it is no file")]),
      [
        ["a", true],
        ["b", true],
      ],
    );
  });

  it("changes nothing and says why and where, until it is right", async (t) => {
    const folder = await WatchedFolder.open(t);
    await folder.save("a.agent.ts", says("a"));
    const watch = await folder.watch();
    const a = folder.runtime.ref("a");
    await a.call("say");
    const before = await a.info();
    const top = (text: string): string => says("x").replace("export default", `${text}\nexport default`);
    const cases: readonly (readonly [string, string, number | undefined, RegExp])[] = [
      [says("x").replace("state:", "state"), "SANDBOX_COMPILE_FAILED", 4, /Expected/],
      ["export const a = 1;", "SANDBOX_COMPILE_FAILED", 1, /default export/],
      ["export default 1;", "SANDBOX_LOAD_FAILED", undefined, /must be an object/],
      [top('throw new Error("not today");'), "SANDBOX_LOAD_FAILED", 2, /not today/],
      [top("for (;;);"), "SANDBOX_WALL_EXCEEDED", undefined, /./],
      [says("x", "\n version: 2,"), "RUNTIME_SWAP_FAILED", undefined, /has no migrate/],
      [says("x", '\n version: 2,\n migrate() { throw new Error("lost"); },'), "RUNTIME_HANDLER_THREW", 11, /lost/],
      [says("x", "\n version: 2, migrate: () => 7,"), "RUNTIME_HANDLER_THREW", undefined, /plain record/],
      ['import fs from "node:fs"; export default fs;', "SANDBOX_COMPILE_FAILED", 1, /part of Node/],
    ];
    for (const [content, code, line, reason] of cases) {
      await folder.save("a.agent.ts", content);
      const refused = await folder.next("definition.refused", "a");
      assert.deepEqual([refused.code, refused.line, refused.file], [code, line, folder.path("a.agent.ts")]);
      assert.match(refused.reason, reason);
      assert.equal(watch.agents[0]?.refusal?.reason, refused.reason);
    }
    const after = await a.info();
    assert.deepEqual([after.hash, after.seq, after.epoch], [before.hash, before.seq, before.epoch]);
    assert.equal(await a.call("say"), "a2");
    await folder.save("a.agent.ts", says("a"));
    assert.deepEqual(await folder.applied("a"), [], "put back as it was");
    await folder.save("a.agent.ts", says("b", "\n version: 2, migrate: () => ({ count: 70 }),"));
    assert.deepEqual(await folder.applied("a"), ["code"]);
    assert.equal(await a.call("say"), "b71");
    assert.equal(folder.runtime.vaultStats().branches, 1, "every shadow is gone");
  });

  it("is refused when two files define one agent, or two folders", async (t) => {
    const folder = await WatchedFolder.open(t);
    await folder.save("a.agent.ts", says("a"));
    await folder.save("b.agent.ts", says("b"));
    await folder.save("a.agent.md", "---\nmodule: ./b.agent.ts\n---\n");
    await folder.save("c.agent.md", "no code");
    const watch = await folder.watch();
    const reasons = watch.agents.map(({ refusal }) => [refusal?.code, refusal?.line, refusal?.reason ?? ""] as const);
    assert.deepEqual(
      reasons.map(([code, line]) => [code, line]),
      [
        ["RUNTIME_DEFINITION_INVALID", 1],
        [undefined, undefined],
        ["RUNTIME_DEFINITION_INVALID", 1],
      ],
    );
    assert.match(reasons[0]?.[2] ?? "", /two files/);
    assert.match(reasons[2]?.[2] ?? "", /names no module/);
    await mkdir(folder.path("second"));
    await folder.save("second/b.agent.ts", says("z"));
    const second = await folder.runtime.watch(folder.path("second"));
    assert.match(second.agents[0]?.refusal?.reason ?? "", /another folder/);
    assert.equal(await folder.runtime.ref("b").call("say"), "b1");
    await watch.close();
    await folder.save("second/b.agent.ts", says("y"));
    await folder.applied("b");
    assert.equal(await folder.runtime.ref("b").call("say"), "y2");
  });
});

describe("a folder with too many definitions", () => {
  it("refuses those beyond its bound alone, reloads all others, and takes them when there is room", async (t) => {
    const folder = await WatchedFolder.open(t);
    await folder.save("a.agent.ts", says("a"));
    for (let count = 1; count < DEFINITIONS_MAX; count++) await folder.save(`m${count}.agent.md`, "no code");
    await folder.save("y.agent.ts", says("y"));
    await folder.save("z.agent.ts", says("z"));
    const watch = await folder.watch();
    const beyond = (): readonly string[] =>
      watch.agents.filter(({ refusal }) => refusal?.reason.includes("at most") === true).map(({ id }) => id);
    assert.deepEqual(beyond(), ["y", "z"]);
    assert.deepEqual([folder.count("definition.refused", "y"), folder.count("definition.refused", "z")], [1, 1]);
    await folder.save("a.agent.ts", says("b"));
    assert.deepEqual(await folder.applied("a"), ["code"]);
    assert.equal(await folder.runtime.ref("a").call("say"), "b1");
    await unlink(folder.path("m1.agent.md"));
    await folder.applied("y");
    assert.equal(await folder.runtime.ref("y").call("say"), "y1");
    assert.deepEqual(beyond(), ["z"]);
  });
});

describe("a record", () => {
  it("changes text and settings between two messages, beside code that stays", async (t) => {
    const folder = await WatchedFolder.open(t);
    await folder.save("a.agent.ts", says("a"));
    await folder.save("a.agent.md", "Be kind.\n");
    const watch = await folder.watch();
    assert.deepEqual(watch.agents, [{ id: "a", file: folder.path("a.agent.md") }]);
    const a = folder.runtime.ref("a");
    const { hash } = await a.info();
    assert.deepEqual([await a.call("say"), await a.call("text")], ["a1", "Be kind."]);
    await folder.save("a.agent.md", "Be brief.\n");
    assert.deepEqual(await folder.applied("a"), ["text"]);
    assert.equal(await a.call("text"), "Be brief.");
    await folder.save("a.agent.md", "---\nintensity: 0\nlimits:\n  heapMb: 48\n---\nBe brief.\n");
    assert.deepEqual(await folder.applied("a"), ["settings"]);
    assert.equal((await a.info()).heapLimitBytes, 48 << 20);
    await folder.save("a.agent.md", "---\nlimits:\n  heapMB: 48\n---\nBe rude.\n");
    const { line, reason } = await folder.next("definition.refused", "a");
    assert.deepEqual([line, await a.call("text")], [3, "Be brief."]);
    assert.match(reason, /heapMB/);
    await folder.save("a.agent.md", "---\nlimits: { heapMb: 64 }\n---\nBe wise.\n");
    await folder.save("a.agent.ts", says("b"));
    assert.deepEqual(await folder.applied("a"), ["code", "settings", "text"]);
    assert.deepEqual([await a.call("say"), await a.call("text")], ["b2", "Be wise."]);
    await unlink(folder.path("a.agent.md"));
    assert.deepEqual(await folder.applied("a"), ["settings", "text"], "code alone has the defaults");
    assert.notEqual((await a.info()).hash, hash);
    assert.equal((await a.info()).heapLimitBytes, 32 << 20);
  });
});

describe("an agent whose file is watched", () => {
  it("keeps what it evolved to until its code is saved as something else", async (t) => {
    const folder = await WatchedFolder.open(t);
    await folder.save("a.agent.ts", says("a"));
    await folder.watch();
    const a = folder.runtime.ref("a");
    const artifact = await compile({ source: says("evolved"), name: "a.agent.ts" });
    await folder.runtime.control("a").swap({ artifact, label: "promoted" });
    await folder.save("a.agent.md", "Be kind.");
    assert.deepEqual(await folder.applied("a"), ["text"]);
    assert.deepEqual(
      [await a.call("say"), await a.call("text"), (await a.info()).profile],
      ["evolved1", "Be kind.", "hardened"],
    );
    await folder.save("a.agent.ts", says("b"));
    assert.deepEqual(await folder.applied("a"), ["code"]);
    assert.deepEqual([await a.call("say"), (await a.info()).profile], ["b2", "trusted"]);
  });

  it("comes back from being parked when its file is mended, and stays stopped when it was stopped", async (t) => {
    const folder = await WatchedFolder.open(t);
    await folder.save("a.agent.ts", says("a"));
    await folder.save("a.agent.md", "---\nintensity: 0\n---\n");
    await folder.watch();
    const a = folder.runtime.ref("a");
    await a.call("say");
    await assert.rejects(a.call("die"));
    await folder.next("agent.parked", "a");
    await folder.save("a.agent.ts", says("b"));
    await folder.applied("a");
    assert.equal(await a.call("say"), "b2");
    await a.stop();
    await folder.save("a.agent.ts", says("c"));
    assert.equal((await folder.next("definition.refused", "a")).code, "RUNTIME_AGENT_DOWN");
    assert.equal((await a.info()).status, "down");
    await a.revive();
    assert.deepEqual(await folder.applied("a"), ["code"]);
    assert.equal(await a.call("say"), "c3");
  });

  it("may have been spawned by the program before, and is then brought to what the file says", async (t) => {
    const folder = await WatchedFolder.open(t);
    const a = await folder.runtime.spawn({ id: "a", source: says("program") });
    assert.equal(await a.call("say"), "program1");
    await folder.save("a.agent.ts", says("file"));
    await folder.watch();
    assert.equal(await a.call("say"), "file2");
  });
});

describe("watching", () => {
  it("ends with close, by hand or with the runtime, and the agents go on from the vault", async (t) => {
    const folder = await WatchedFolder.open(t);
    await folder.save("a.agent.ts", says("a"));
    const path = folder.path("vault");
    {
      await using runtime = await Runtime.open({ vault: path });
      await runtime.watch(folder.dir);
      assert.equal(await runtime.ref("a").call("say"), "a1");
    }
    await folder.save("a.agent.ts", says("b"));
    await using runtime = await Runtime.open({ vault: path });
    const watch = await runtime.watch(new URL(`file://${folder.dir}`));
    assert.equal(await runtime.ref("a").call("say"), "b2", "the file was changed while nobody looked");
    await watch.close();
    await watch.close();
    await folder.save("a.agent.ts", says("c"));
    await using again = await runtime.watch(folder.dir);
    assert.deepEqual([again.agents.length, await runtime.ref("a").call("say")], [1, "c3"]);
    await runtime.close();
    assert.equal(await codeOf(runtime.watch(folder.dir)), "RUNTIME_CLOSED");
  });

  it("is refused for what is no folder, and for options that mean nothing", async (t) => {
    const folder = await WatchedFolder.open(t);
    const { runtime } = folder;
    await folder.save("file", "");
    for (const name of ["missing", "file"]) {
      await assert.rejects(runtime.watch(folder.path(name)), (error: Error & { readonly code?: string }) => {
        assert.equal(error.code, "RUNTIME_WATCH_FAILED");
        return error.message.includes(folder.path(name));
      });
    }
    const bad = [
      runtime.watch(""),
      runtime.watch(new URL("https://example.org")),
      runtime.watch(folder.dir, { calmMs: -1 }),
      runtime.watch(folder.dir, { calm: 1 } as object),
    ];
    for (const refused of bad) assert.equal(await codeOf(refused), "RUNTIME_OPTIONS_INVALID");
    await writeFile(join(folder.dir, "a.agent.ts"), says("a"));
    const begun = codeOf(runtime.watch(folder.dir));
    await new Promise((go) => void setImmediate(go));
    const late = codeOf(runtime.watch(folder.dir));
    await runtime.close();
    assert.deepEqual([await begun, await late], ["RUNTIME_CLOSED", "RUNTIME_CLOSED"]);
  });
});
