/** `planaria doctor`: what it says of this machine is what a cell shows here; each thing that is missing comes with what to do. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { describe, it } from "node:test";
import { promisify } from "node:util";
import type { Finding } from "../../../evolution/command/doctor.ts";
import {
  confirmedFinding,
  coresFinding,
  layerFinding,
  memoryFinding,
  render,
} from "../../../evolution/command/doctor.ts";
import { LAYER_ADVICE, LAYER_NAMES, probeLayers } from "../../../sandbox/index.ts";

const COMMAND = join(import.meta.dirname, "../../../evolution/command/planaria.mjs");
const layer = { layer: "seccomp", isActive: true, detail: "x64", tried: "tried it" } as const;
const started = { startMs: 90, tried: "started one" };

describe("planaria doctor", () => {
  it("tries each layer, starts a cell, and says the same as one object", async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [COMMAND, "doctor", "--json"]);
    const { findings } = JSON.parse(stdout) as { readonly findings: readonly Finding[] }; // as the command prints it
    assert.deepEqual(
      findings.map(({ check }) => check),
      ["node", "cores", ...LAYER_NAMES, "memory watch", "cell"],
    );
    assert.ok(findings.every(({ detail, tried }) => detail !== "" && tried !== ""));
    assert.ok(findings.every(({ isGood, advice }) => isGood === (advice === undefined)));
    const reports = await probeLayers();
    for (const { layer: name, isActive } of reports)
      assert.equal(findings.find(({ check }) => check === name)?.isGood, isActive);
    assert.equal(findings.at(-1)?.isGood, true, stdout);
  });

  it("says what to do about each thing that is missing", () => {
    for (const name of LAYER_NAMES) {
      const { check, isGood, advice } = layerFinding({ ...layer, layer: name, isActive: false }, LAYER_ADVICE);
      assert.deepEqual([check, isGood, advice], [name, false, LAYER_ADVICE[name]]);
    }
    assert.match(coresFinding(1).advice ?? "", /2 cores/);
    assert.match(memoryFinding(false).advice ?? "", /Linux/);
    const text = render([layerFinding({ ...layer, isActive: false }, LAYER_ADVICE), coresFinding(2)]);
    assert.match(text, /^missing +seccomp +x64\n +tried: tried it\n +to do: needs bubblewrap/);
    assert.match(text, /\nok +cores +2\n/);
    assert.match(text, /Missing: seccomp\.\n$/);
    assert.match(render([coresFinding(2), memoryFinding(true)]), /All of it is active\.\n$/);
  });

  it("believes no layer that the kernel does not confirm for a cell", () => {
    const good = confirmedFinding({ ...started, layers: [layer], confirmed: ["seccomp"] });
    assert.ok(good.isGood);
    const bad = confirmedFinding({ ...started, layers: [layer], confirmed: [] });
    assert.ok(!bad.isGood && bad.advice?.startsWith("seccomp:"));
    const inactive = confirmedFinding({ ...started, layers: [{ ...layer, isActive: false }], confirmed: [] });
    assert.ok(inactive.isGood, "what does not work here is told once");
    assert.ok(confirmedFinding({ ...started, layers: [layer], confirmed: undefined }).isGood);
  });
});
