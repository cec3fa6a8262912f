/** The layers of isolation: what is found out about them, and what happens where one is missing. What they hold: `owned-cell.test.ts`. */
import { strict as assert } from "node:assert";
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { findExecutable } from "../../sandbox/executable.ts";
import { cellBundle } from "../../sandbox/bundle.ts";
import { Cell, confirmedLayers, LAYER_ADVICE, LAYER_NAMES, probeLayers } from "../../sandbox/index.ts";
import { findLayers } from "../../sandbox/layers.ts";
import { hasSeccompTables, seccompProgram } from "../../sandbox/seccomp.ts";
import { Actor, brief, OPTIONS, Program, recorder, replyOf, startCell, withoutBubblewrap } from "./support.ts";

const skip = await withoutBubblewrap();
const skipStray =
  process.platform === "linux" && findExecutable("bash") !== undefined
    ? false
    : "needs /proc and bash to leave one open";

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
