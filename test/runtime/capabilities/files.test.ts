/** `files` in a real folder, in the sandbox and without: what works, what is refused, and that nobody gets out of the folder. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { Worker } from "node:worker_threads";
import { filesCapability } from "../../../runtime/capabilities/files.ts";
import { filesGrant, type FilesGrant } from "../../../runtime/capabilities/files-grant.ts";
import { direct, faults, type DirectCalls } from "../../support/capability-call.ts";
import { withoutJobs } from "../../support/jobs.ts";

const skipSandbox = await withoutJobs();
const code = (expected: string, message: RegExp = /./) => ({ code: `RUNTIME_CAPABILITY_${expected}`, message });

interface Scene extends DirectCalls {
  /** The granted folder, and one beside it with a file "x" that says SECRET. */
  readonly folder: string;
  readonly outside: string;
}

function scene(t: TestContext, isSandboxed: boolean, grant: Partial<FilesGrant> = {}, answerBytesMax = 1 << 20): Scene {
  const base = realpathSync(mkdtempSync(join(tmpdir(), "files-")));
  const [folder, outside] = [join(base, "granted"), join(base, "outside")];
  mkdirSync(folder);
  mkdirSync(outside);
  writeFileSync(join(outside, "x"), "SECRET");
  const capability = filesCapability(() => Promise.resolve(isSandboxed));
  const calls = direct(capability, { grant: { folder, write: true, ...grant }, answerBytesMax });
  t.after(async () => {
    await calls.end();
    rmSync(base, { recursive: true });
  });
  return { ...calls, folder, outside };
}

for (const { isSandboxed, skip } of [
  { isSandboxed: true, skip: skipSandbox },
  { isSandboxed: false, skip: false },
] as const) {
  describe(`a granted folder, ${isSandboxed ? "in bubblewrap" : "under Node's permission model"}`, { skip }, () => {
    it("is written and read, as text, bytes and values", async (t) => {
      const { ask, folder } = scene(t, isSandboxed);
      await ask("makeFolder", "a/b");
      await ask("write", "a/b/x.txt", "hällo");
      await ask("append", "a/b/x.txt", new Uint8Array([33]));
      assert.equal(await ask("read", "a/b/x.txt"), "hällo!");
      assert.deepEqual(
        await ask("read", "a/b/x.txt", { as: "bytes", from: 1, bytes: 2 }),
        new Uint8Array([0xc3, 0xa4]),
      );
      await ask("write", "v.json", '{"a":[1],"__proto__":{"b":1}}');
      assert.deepEqual(await ask("read", "v.json", { as: "json" }), { a: [1] });
      await ask("write", "a/b/x.txt", "new");
      assert.equal(readFileSync(join(folder, "a/b/x.txt"), "utf8"), "new");
      await ask("append", "log", "1");
      await ask("rename", "log", "a/log");
      await ask("rename", "a/log", "v.json"); // As a write would.
      assert.equal(await ask("read", "v.json"), "1");
      const { modifiedMs, ...entry } = (await ask("stat", "v.json")) as { modifiedMs: number };
      assert.deepEqual(entry, { name: "v.json", kind: "file", bytes: 1 });
      assert(modifiedMs > 1_600_000_000_000);
      assert.equal(await ask("stat", "nothing"), undefined);
      await ask("remove", "v.json");
      assert.deepEqual(await ask("list"), { entries: [await ask("stat", "a")] });
      assert.deepEqual(readdirSync(folder), ["a"]);
    });

    it("is listed in pages, in order", async (t) => {
      const { ask, folder } = scene(t, isSandboxed);
      const names = Array.from({ length: 25 }, (_, index) => `f${String((index * 7) % 25).padStart(2, "0")}`);
      for (const name of names) writeFileSync(join(folder, name), "");
      const seen: string[] = [];
      for (let after: string | undefined = ""; after !== undefined;) {
        const page = (await ask("list", "", { after, limit: 10 })) as { entries: { name: string }[]; next?: string };
        seen.push(...page.entries.map(({ name }) => name));
        after = page.next;
      }
      assert.deepEqual(seen, names.toSorted());
    });

    it("follows no link, waits for no pipe, and writes no file of two names", async (t) => {
      const { ask, folder, outside } = scene(t, isSandboxed);
      symlinkSync(outside, join(folder, "out"));
      symlinkSync(join(outside, "x"), join(folder, "x"));
      symlinkSync("nowhere", join(folder, "dangling"));
      linkSync(join(outside, "x"), join(folder, "hard"));
      execFileSync("mkfifo", [join(folder, "pipe")]);
      for (const [verb, ...args] of [
        ["read", "out/x"],
        ["read", "x"],
        ["read", "pipe"],
        ["read", ""],
        ["list", "out"],
        ["list", "x"],
        ["write", "out/y", "1"],
        ["write", "x", "1"],
        ["write", "dangling", "1"],
        ["write", "pipe", "1"],
        ["write", "hard", "1"],
        ["append", "x", "1"],
        ["append", "pipe", "1"],
        ["append", "hard", "1"],
        ["append", "dangling", "1"],
        ["makeFolder", "out/z"],
        ["makeFolder", "x/z"],
        ["rename", "x", "y"],
        ["rename", "pipe", "y"],
      ] as const) {
        await assert.rejects(ask(verb, ...args), code(args[0] === "" ? "INVALID" : "DENIED"), `${verb} ${args.join()}`);
      }
      const listed = (await ask("list")) as { entries: { name: string; kind: string }[] };
      assert.deepEqual(
        listed.entries.filter(({ kind }) => kind === "other").map(({ name }) => name),
        ["dangling", "out", "pipe", "x"],
      );
      await ask("remove", "x"); // The link, not where it leads.
      await ask("remove", "out");
      assert.equal(readFileSync(join(outside, "x"), "utf8"), "SECRET");
      assert.deepEqual(readdirSync(outside), ["x"]);
    });

    it("stays the folder while somebody exchanges what is in it for links to elsewhere", async (t) => {
      const { ask, folder, outside } = scene(t, isSandboxed, { filesMax: 100_000 });
      mkdirSync(join(folder, "d"));
      writeFileSync(join(folder, "d/x"), "inside");
      writeFileSync(join(folder, "f"), "inside");
      const stop = new Int32Array(new SharedArrayBuffer(4));
      const swapper = new Worker(SWAPPER, { eval: true, workerData: { folder, outside, stop } });
      const turns = new Promise<number>((resolve) => swapper.once("message", resolve));
      const seen = { inside: 0, refused: 0 };
      await Promise.allSettled([ask("stat", "f")]); // its program is started
      const endMs = performance.now() + 1_000;
      // A second, or until both were seen: a busy machine may give one second to the swapper alone.
      const isEnough = (): boolean => performance.now() >= endMs && seen.inside > 0 && seen.refused > 0;
      for (let turn = 0; turn < 2_500 && !isEnough(); turn++) {
        const tries = [
          ask("read", "d/x"),
          ask("read", "f"),
          ask("write", "d/y", "out?"),
          ask("append", "f", ""),
          ask("list", "d"),
        ];
        for (const result of await Promise.allSettled(tries)) {
          assert(!JSON.stringify(result).includes("SECRET"));
          seen[result.status === "fulfilled" ? "inside" : "refused"] += 1;
        }
      }
      Atomics.store(stop, 0, 1);
      assert(seen.inside > 0 && seen.refused > 0 && (await turns) > 100, JSON.stringify([seen, await turns]));
      assert.deepEqual(readdirSync(outside), ["x"]);
      assert.equal(readFileSync(join(outside, "x"), "utf8"), "SECRET");
    });

    it("is full at its limits, and has room again when something is removed", async (t) => {
      const { ask, folder } = scene(t, isSandboxed, { bytesMax: 100, fileBytesMax: 80, filesMax: 4, depthMax: 3 });
      writeFileSync(join(folder, "there"), "x".repeat(30));
      await assert.rejects(ask("write", "a", "x".repeat(81)), code("TOO_LARGE", /fileBytesMax/));
      await ask("write", "a", "x".repeat(60));
      await assert.rejects(ask("write", "b", "x".repeat(11)), code("QUOTA", /bytesMax/));
      await assert.rejects(ask("append", "a", "x".repeat(21)), code("TOO_LARGE"));
      await assert.rejects(ask("append", "a", "x".repeat(11)), code("QUOTA"));
      await ask("write", "a", "x".repeat(70)); // Instead of 60.
      rmSync(join(folder, "there"));
      await ask("write", "b", "x".repeat(30)); // Counted again: somebody made room.
      await ask("makeFolder", "c/d");
      await assert.rejects(ask("write", "e", ""), code("QUOTA", /filesMax/));
      await assert.rejects(ask("makeFolder", "e"), code("QUOTA"));
      await assert.rejects(ask("makeFolder", "c/d/e/f"), code("INVALID", /depthMax/));
      await ask("remove", "c/d");
      await ask("write", "c/e", "");
    });

    it("keeps who may read, write and run a file that is written anew", async (t) => {
      const { ask, folder } = scene(t, isSandboxed);
      for (const mode of [0o600, 0o664, 0o755]) {
        writeFileSync(join(folder, "x"), "1");
        chmodSync(join(folder, "x"), mode);
        await ask("write", "x", "22");
        assert.deepEqual(
          [statSync(join(folder, "x")).mode & 0o7777, readFileSync(join(folder, "x"), "utf8")],
          [mode, "22"],
        );
      }
      await ask("write", "y", "");
      assert.equal(statSync(join(folder, "y")).mode & 0o7777, 0o644 & ~process.umask());
    });

    it("loses what a helper left behind that was ended as it wrote, and nothing else", async (t) => {
      const { ask, folder } = scene(t, isSandboxed, { bytesMax: 1_000 });
      const left = ".planaria-0123456789ab-7.tmp";
      const old = new Date(Date.now() - 120_000);
      mkdirSync(join(folder, "d"));
      for (const name of [left, `d/${left}`, ".planaria-x.tmp", ".planaria-0123456789ac-1.tmp"]) {
        writeFileSync(join(folder, name), "x".repeat(name.endsWith(left) ? 600 : 10));
        if (!name.endsWith("-1.tmp")) utimesSync(join(folder, name), old, old);
      }
      linkSync(join(folder, ".planaria-x.tmp"), join(folder, ".planaria-0123456789ad-1.tmp"));
      await ask("write", "d/x", "x".repeat(900));
      assert.deepEqual(
        new Set(readdirSync(folder, { recursive: true }).map(String)),
        new Set([".planaria-0123456789ac-1.tmp", ".planaria-0123456789ad-1.tmp", ".planaria-x.tmp", "d", "d/x"]),
      );
    });

    it("says in its own words what cannot be done, without a path of this machine", async (t) => {
      const { ask, folder } = scene(t, isSandboxed, {}, 1_000);
      writeFileSync(join(folder, "large"), "x".repeat(2_000));
      writeFileSync(join(folder, "binary"), Buffer.from([0xff, 0xfe]));
      mkdirSync(join(folder, "d/e"), { recursive: true });
      const cases: readonly (readonly [string, readonly unknown[], string, RegExp])[] = [
        ["read", ["nothing"], "FAILED", /nothing of this name \(ENOENT\)/],
        ["read", ["nothing/at/all"], "FAILED", /ENOENT/],
        ["read", ["large"], "TOO_LARGE", /2000 bytes.*in parts/],
        ["read", ["binary"], "FAILED", /UTF-8/],
        ["read", ["binary", { as: "json" }], "FAILED", /UTF-8/],
        ["read", ["d"], "DENIED", /no file/],
        ["read", ["large/x"], "DENIED", /no folder/],
        ["write", ["d", ""], "DENIED", /no file/],
        ["write", ["n/x", ""], "FAILED", /ENOENT/],
        ["list", ["large"], "DENIED", /no folder/],
        ["remove", ["d"], "FAILED", /not empty/],
        ["remove", ["nothing"], "FAILED", /ENOENT/],
        ["rename", ["d", "d/e/f"], "INVALID", /into itself/],
        ["rename", ["d", "large"], "DENIED", /taken/],
        ["makeFolder", ["large/x"], "DENIED", /no folder/],
      ];
      for (const [verb, args, expected, message] of cases) {
        await assert.rejects(ask(verb, ...args), (error: Error & { code: string }) => {
          assert.equal(
            error.code,
            `RUNTIME_CAPABILITY_${expected}`,
            `${verb} ${JSON.stringify(args)}: ${error.message}`,
          );
          assert.match(error.message, message);
          return !error.message.includes(folder) && !/\/(?:tmp|proc|folder)/.test(error.message);
        });
      }
      const part = await ask("read", "large", { from: 1_990, bytes: 100 });
      assert.equal(part, "x".repeat(10));
    });

    it("says so where the system does not let it in", async (t) => {
      // In bubblewrap root has none of its powers.
      if (!isSandboxed && process.getuid?.() === 0) return t.skip("root may read everything here");
      const { ask, folder } = scene(t, isSandboxed);
      writeFileSync(join(folder, "x"), "", { mode: 0 });
      mkdirSync(join(folder, "d"), { mode: 0o500 });
      await assert.rejects(ask("read", "x"), code("DENIED", /may not do that \(EACCES\)/));
      await assert.rejects(ask("write", "d/x", ""), code("DENIED", /EACCES/));
    });

    it("that is granted for reading is not written", async (t) => {
      const { ask, folder } = scene(t, isSandboxed, { write: false });
      writeFileSync(join(folder, "x"), "1");
      assert.equal(await ask("read", "x"), "1");
      for (const args of [
        ["write", "x", ""],
        ["append", "x", ""],
        ["remove", "x"],
        ["makeFolder", "y"],
        ["rename", "x", "y"],
      ])
        await assert.rejects(ask(args[0] ?? "", ...args.slice(1)), code("DENIED", /granted for reading/));
    });

    it("that goes away is gone for all that is asked at the time", async (t) => {
      const { ask, folder } = scene(t, isSandboxed);
      await ask("write", "x", "1");
      rmSync(folder, { recursive: true });
      const asked = await Promise.allSettled([ask("read", "x"), ask("write", "y", new Uint8Array(8 << 20))]);
      for (const each of asked) {
        assert(each.status === "rejected");
        assert.match(String(each.reason), /the folder itself is gone/);
        assert.equal((each.reason as { readonly code?: unknown }).code, "RUNTIME_CAPABILITY_UNAVAILABLE");
      }
      mkdirSync(folder);
    });

    it("that goes away is unavailable, and works when it comes again", async (t) => {
      const { ask, folder, notes } = scene(t, isSandboxed);
      await ask("write", "x", "1");
      renameSync(folder, `${folder}-old`);
      rmSync(`${folder}-old`, { recursive: true });
      await assert.rejects(ask("read", "x"), code("UNAVAILABLE", /gone/));
      await assert.rejects(
        ask("read", "x"),
        (error: Error) => /cannot be reached/.test(error.message) && !error.message.includes(folder),
      );
      assert(notes.some((note) => note.includes(folder)));
      mkdirSync(folder);
      await ask("write", "x", "2");
      assert.equal(await ask("read", "x"), "2");
    });
  });
}

/** Exchanges a folder and a file for links to elsewhere and back, as fast as it can. */
const SWAPPER = `
const { renameSync, symlinkSync, unlinkSync, writeFileSync, mkdirSync } = require("fs");
const { parentPort, workerData: { folder, outside, stop } } = require("worker_threads");
let turns = 0;
for (; Atomics.load(stop, 0) === 0; turns++) {
  renameSync(folder + "/d", folder + "/d2");
  symlinkSync(outside, folder + "/d");
  symlinkSync(outside + "/x", folder + "/f2");
  renameSync(folder + "/f2", folder + "/f");
  unlinkSync(folder + "/d");
  renameSync(folder + "/d2", folder + "/d");
  writeFileSync(folder + "/f3", "inside");
  renameSync(folder + "/f3", folder + "/f");
}
parentPort.postMessage(turns);
`;

describe("a path", () => {
  const wrong: readonly (readonly [string, RegExp])[] = [
    ["/etc/passwd", /begins with "\/"/],
    ["..", /has "\.\."/],
    ["a/../../b", /has "\.\."/],
    ["./a", /has "\."/],
    ["a//b", /empty name/],
    ["a/", /empty name/],
    ["a\\b", /"\\"/],
    ["C:/x", /drive/],
    ["a\0b", /control/],
    ["a\nb", /control/],
    ["x".repeat(256), /255 bytes/],
    ["ö".repeat(128), /255 bytes/],
    [Array.from({ length: 17 }, () => "a").join("/"), /depthMax/],
    ["o\u0308", /NFC/],
    ["\ud800", /no text/],
    ["a ", /space or a dot/],
    ["a./b", /space or a dot/],
    ["x/".repeat(3_000), /4096 bytes/],
  ];
  it("that is none is refused before anybody looks", async (t) => {
    const { ask } = scene(t, true);
    for (const [path, message] of wrong)
      for (const args of [
        ["read", path],
        ["write", path, ""],
        ["rename", "x", path],
        ["list", path],
      ])
        await assert.rejects(ask(args[0] ?? "", ...args.slice(1)), code("INVALID", message), JSON.stringify(path));
  });

  it("that programs run or obey is not written, unless the grant lists it", async (t) => {
    const { ask } = scene(t, true, { allowNames: [".env"] });
    const names = [
      ".git/config",
      "a/.ssh/x",
      ".bashrc",
      ".GitHub/workflows/x.yml",
      "package.json",
      "Package.JSON",
      "a/Makefile",
    ];
    const disguised = ["\u200b.git/x", ".g\u200cit/config", "AGENTS.md", "\uff0egit/config", "p\u00adackage.json"];
    for (const name of [...names, ...disguised]) {
      for (const args of [
        ["write", name, ""],
        ["append", name, ""],
        ["rename", "x", name],
        ["makeFolder", name],
        ["remove", name],
      ])
        await assert.rejects(ask(args[0] ?? "", ...args.slice(1)), code("DENIED", /allowNames/), name);
    }
  });
});

describe("the names that a grant lists", { skip: skipSandbox }, () => {
  it("can be written; reading is free", async (t) => {
    const { ask, folder } = scene(t, true, { allowNames: [".env"] });
    await ask("write", ".env", "A=1");
    writeFileSync(join(folder, "package.json"), "{}");
    assert.deepEqual(await ask("read", "package.json", { as: "json" }), {});
    assert(existsSync(join(folder, ".env")));
  });
});

describe("a grant of files", () => {
  const wrong: readonly (readonly [string, object, RegExp])[] = [
    ["a folder by name", { folder: "data" }, /full path/],
    ["a path that climbs", { folder: "/a/../b" }, /full path/],
    ["all there is", { folder: "/" }, /all there is/],
    ["the system itself", { folder: "/proc" }, /the system/],
    ["no room", { folder: "/a", bytesMax: 0 }, /bytesMax/],
    ["a path where a name is needed", { folder: "/a", allowNames: ["a/b"] }, /a name/],
    ["a word that it does not know", { folder: "/a", writes: true }, /writes/],
  ];
  for (const [what, grant, message] of wrong) {
    it(`is refused with ${what}`, () => assert.match(faults(filesGrant, grant).join("\n"), message));
  }
});
