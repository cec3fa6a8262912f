/** The layers of isolation, tried from inside, and what happens where one is missing. */
import { strict as assert } from "node:assert";
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, it } from "node:test";
import { bubblewrapArgs, INSIDE } from "../../sandbox/bubblewrap.ts";
import { engineFile, sharedLibraries } from "../../sandbox/cell-files.ts";
import { findExecutable } from "../../sandbox/executable.ts";
import { cellBundle } from "../../sandbox/bundle.ts";
import { Cell, confirmedLayers, LAYER_ADVICE, LAYER_NAMES, probeLayers } from "../../sandbox/index.ts";
import { extraPipe, findLayers } from "../../sandbox/layers.ts";
import { hasSeccompTables, seccompProgram } from "../../sandbox/seccomp.ts";
import {
  Actor,
  brief,
  OPTIONS,
  plainLayers,
  Program,
  recorder,
  replyOf,
  startCell,
  withoutBubblewrap,
} from "./support.ts";

const skip = await withoutBubblewrap();
const skipStray =
  process.platform === "linux" && findExecutable("bash") !== undefined
    ? false
    : "needs /proc and bash to leave one open";

/** What arbitrary code in a cell's place tries; each answer is an error's code or what it got. */
const ATTEMPTS = `
const fs = require("node:fs");
const { spawnSync } = require("node:child_process");
const net = require("node:net");
const attempt = (action) => { try { return String(action() ?? "done"); } catch (error) { return error.code ?? error.message; } };
const results = {
  readHost: attempt(() => fs.readFileSync("/etc/passwd", "utf8").length),
  readSource: attempt(() => fs.readFileSync(process.argv[3], "utf8").length),
  writeRoot: attempt(() => fs.writeFileSync("/new", "x")),
  writeCell: attempt(() => fs.writeFileSync("/cell/node", "x")),
  writeDev: attempt(() => fs.writeFileSync("/dev/shm/new", "x")),
  spawnNode: attempt(() => { const { error, status } = spawnSync(process.execPath, ["--version"]); if (error) throw error; return status; }),
  spawnShell: attempt(() => { const { error, status } = spawnSync("/bin/sh", ["-c", "true"]); if (error) throw error; return status; }),
  killGuardian: attempt(() => process.kill(Number(process.argv[4]), 0)),
  environment: Object.keys(process.env).toSorted().join(),
  processes: attempt(() => fs.readdirSync("/proc").filter((name) => /^\\d+$/.test(name)).join()),
  root: attempt(() => fs.readdirSync("/").toSorted().join()),
};
const socket = net.connect({ host: "127.0.0.1", port: Number(process.argv[2]) });
const tell = (network) => fs.writeSync(1, JSON.stringify({ ...results, network }));
socket.on("connect", () => tell("connected"));
socket.on("error", (error) => tell(error.code));
`;

async function attemptInside(isFiltered: boolean, port: number): Promise<Record<string, string>> {
  using program = new Program(ATTEMPTS);
  const { bubblewrap } = await findLayers();
  const args = bubblewrapArgs({
    node: process.execPath,
    engine: engineFile(),
    bundle: program.file,
    bundleExtension: ".cjs",
    libraries: await sharedLibraries(),
    infoFd: 3,
    seccompFd: isFiltered ? 4 : undefined,
  });
  const command = [
    ...args,
    INSIDE.node,
    `${INSIDE.bundle}.cjs`,
    String(port),
    import.meta.filename,
    String(process.pid),
  ];
  const child = spawn(bubblewrap ?? "", command, { stdio: ["ignore", "pipe", "inherit", "pipe", "pipe"] });
  if (isFiltered && hasSeccompTables(process.arch)) {
    extraPipe(child, 4).end(seccompProgram({ arch: process.arch, isJitless: false }));
  }
  let text = "";
  for await (const part of child.stdout ?? []) text += String(part);
  return JSON.parse(text) as Record<string, string>; // The program above prints this shape.
}

describe("arbitrary code in a cell's place", { skip }, () => {
  it("has no network, no file of ours, no other process and no place to write", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const address = server.address();
    assert(typeof address === "object" && address !== null);
    for (const isFiltered of (await findLayers()).hasSeccomp ? [true, false] : [false]) {
      const found = await attemptInside(isFiltered, address.port);
      const seen = { filter: isFiltered, ...found };
      assert.equal(found["readHost"], "ENOENT", JSON.stringify(seen));
      assert.equal(found["readSource"], "ENOENT");
      assert.equal(found["writeRoot"], "EROFS");
      assert.equal(found["writeCell"], "EROFS");
      assert.equal(found["writeDev"], "EROFS");
      assert.equal(found["spawnShell"], isFiltered ? "EPERM" : "ENOENT");
      if (isFiltered) assert.equal(found["spawnNode"], "EPERM");
      assert.equal(found["killGuardian"], "ESRCH");
      assert.equal(found["environment"], "LD_LIBRARY_PATH,PWD,UV_USE_IO_URING");
      assert.equal(found["processes"], "1");
      assert.match(found["root"] ?? "", /^cell,dev,(lib|lib64|nix|usr|,)*proc(,usr)?$/);
      assert.equal(found["network"], isFiltered ? "EPERM" : "ECONNREFUSED");
    }
    server.close();
  });
});

describe("Node's permission model", () => {
  it("holds also without the layers of the system", async () => {
    using program = new Program(`
      const fs = require("node:fs");
      const attempt = (action) => { try { return String(action() ?? "done"); } catch (error) { return error.code; } };
      fs.writeSync(2, JSON.stringify([
        attempt(() => fs.readFileSync("/etc/passwd").length),
        attempt(() => fs.writeFileSync("/tmp/new", "x")),
        attempt(() => require("node:child_process").spawnSync("/bin/true").status),
        attempt(() => new (require("node:worker_threads").Worker)("1", { eval: true }) && "worker"),
        Object.keys(process.env).join(),
      ]));
      process.kill(process.pid, "SIGKILL");`);
    const { events, onEvent } = recorder();
    await assert.rejects(Cell.startWith({ ...OPTIONS, onEvent }, await plainLayers(), program.file));
    const [printed] = events;
    assert(printed?.type === "cell.stderr");
    const denied = "ERR_ACCESS_DENIED";
    assert.deepEqual(JSON.parse(printed.text), [denied, denied, denied, denied, "UV_USE_IO_URING"]);
  });
});

describe("a cell in bubblewrap", { skip }, () => {
  for (const profile of ["trusted", "hardened"] as const) {
    it(`runs turns in the ${profile} profile and names its layers`, async () => {
      const { events, onEvent } = recorder();
      await using cell = await startCell({ osSandbox: "required", profile, onEvent });
      const actor = new Actor(cell);
      assert.equal(replyOf(await actor.call("add")), "1");
      assert.equal(brief(await actor.call("fail")), "threw RangeError");
      assert(cell.layers.includes("bubblewrap") && cell.layers.includes("permission"));
      assert.equal(cell.layers.includes("jitless"), profile === "hardened");
      const [spawned] = events;
      assert(spawned?.type === "cell.spawned");
      assert.equal(spawned.pid, cell.pid);
    });
  }

  it("ends when the process inside is killed, and when bubblewrap is", async () => {
    await using cell = await startCell({ osSandbox: "required" });
    const actor = new Actor(cell);
    await actor.resident.loaded;
    process.kill(cell.pid, "SIGKILL");
    assert.match(brief(await actor.call("add")), /^lost SANDBOX_CELL_LOST/);
    assert.equal((await cell.exited).reason, "crashed");
  });
});

describe("descriptors that the Guardian was started with", () => {
  it("are closed in the cell", { skip: skipStray }, async () => {
    using program = new Program("");
    const code = `
      import { readdirSync, readlinkSync } from "node:fs";
      import { Cell } from ${JSON.stringify(join(import.meta.dirname, "../../sandbox/index.ts"))};
      import { OPTIONS } from ${JSON.stringify(join(import.meta.dirname, "support.ts"))};
      const held = process.argv[2];
      for (const osSandbox of ["off", "auto"]) {
        const cell = await Cell.start({ ...OPTIONS, osSandbox });
        const folder = "/proc/" + cell.pid + "/fd/";
        const seen = readdirSync(folder).some((fd) => readlinkSync(folder + fd) === held);
        console.log(seen ? "leaked" : "closed");
        await cell.stop();
      }`;
    const guardian = `${program.file}.ts`;
    writeFileSync(guardian, code);
    using held = new Program("held");
    // Node closes the first sixteen itself (uv_disable_stdio_inheritance); this one it does not see.
    const script = 'exec 100<"$1"; exec "$2" "$3" "$1"';
    const child = spawn("bash", ["-c", script, "bash", held.file, process.execPath, guardian], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let text = "";
    for await (const part of child.stdout) text += String(part);
    assert.equal(text, "closed\nclosed\n");
  });
});

describe("the hardened profile", () => {
  it("runs without bubblewrap, too", async () => {
    await using cell = await startCell({ profile: "hardened" });
    assert(cell.layers.includes("jitless") && !cell.layers.includes("bubblewrap"));
    assert.equal(replyOf(await new Actor(cell).call("add")), "1");
  });
});

describe("layers", () => {
  it("are each reported with a reason", async () => {
    const reports = await probeLayers();
    assert.deepEqual(
      reports.map(({ layer }) => layer),
      ["permission", "bubblewrap", "seccomp", "rlimits", "no_new_privs"],
    );
    assert(reports.every(({ detail, tried }) => detail !== "" && tried !== ""));
    assert.equal(reports[1]?.isActive, skip === false);
  });

  it("that are required and missing stop the start; in auto mode they are told once", async () => {
    const layers = await findLayers();
    const reports = [{ layer: "bubblewrap", isActive: false, detail: "forbidden here", tried: "tried it" }] as const;
    const broken = { ...layers, bubblewrap: undefined, reports };
    const { permittedLayers } = await import("../../sandbox/layers.ts");
    const { events, onEvent } = recorder();
    assert.throws(() => permittedLayers({ osSandbox: "required", onEvent }, broken), {
      code: "SANDBOX_LAYER_MISSING",
      message: /bubblewrap is required.*forbidden here.*What to do: install bubblewrap/,
    });
    assert.throws(() => permittedLayers({ osSandbox: "auto", require: ["bubblewrap"], onEvent }, broken), {
      code: "SANDBOX_LAYER_MISSING",
    });
    const whole = { ...layers, reports: [{ ...reports[0], isActive: true }] };
    assert.throws(() => permittedLayers({ osSandbox: "off", require: ["bubblewrap"], onEvent }, whole), {
      message: /osSandbox: "off" leaves it out/,
    });
    permittedLayers({ osSandbox: "auto", onEvent }, broken);
    permittedLayers({ osSandbox: "auto", onEvent }, broken);
    permittedLayers({ osSandbox: "off", onEvent }, broken);
    assert.deepEqual(events, [{ type: "sandbox.layer_missing", layer: "bubblewrap", detail: "forbidden here" }]);
  });
});

describe("layers that are required by name", { skip }, () => {
  it("are confirmed by the kernel for every cell", async () => {
    await using cell = await startCell({ osSandbox: "auto", require: LAYER_NAMES });
    assert.equal(replyOf(await new Actor(cell).call("add")), "1");
    assert.deepEqual(confirmedLayers(cell.pid), LAYER_NAMES);
  });

  it("stop the start where the kernel says otherwise, whatever was launched", async () => {
    const layers = await findLayers();
    const broken = { rlimits: { ...layers, prlimit: undefined }, seccomp: { ...layers, hasSeccomp: false } };
    for (const [layer, launched] of Object.entries(broken)) {
      // Their names: the keys above.
      const options = { ...OPTIONS, osSandbox: "auto", require: [layer as "rlimits" | "seccomp"] } as const;
      await assert.rejects(Cell.startWith(options, launched, await cellBundle()), {
        code: "SANDBOX_LAYER_MISSING",
        details: { layer, advice: LAYER_ADVICE[layer as "rlimits" | "seccomp"] },
      });
    }
  });

  it("are none for a process that we may not look at, and nothing is said of one that is gone", () => {
    assert.deepEqual(confirmedLayers(process.pid), []);
    assert.equal(confirmedLayers(2 ** 22 + 1), undefined); // above the largest pid there is
  });
});

describe("the system call filter", () => {
  it("begins with the architecture and ends by allowing, on both architectures", () => {
    for (const arch of ["x64", "arm64"] as const) {
      for (const isJitless of [false, true]) {
        const program = seccompProgram({ arch, isJitless });
        assert.equal(program.length % 8, 0);
        assert(program.length / 8 < 4096); // BPF_MAXINSNS
        assert.equal(program.readUInt32LE(4), 4);
        assert.equal(program.readUInt32LE(program.length - 4), 0x7fff_0000);
      }
    }
    assert(!hasSeccompTables("riscv64"));
  });
});
