/** Cells of the async lane keep to one core, so that what is compared there is compared on equal terms. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { findExecutable } from "../../sandbox/executable.ts";
import { allowedCores, coresIn, oneCoreArgs } from "../../sandbox/one-core.ts";
import { Actor, startCell } from "./support.ts";

const skip =
  allowedCores().length < 2 || findExecutable("taskset") === undefined
    ? "needs two cores and util-linux's taskset"
    : false;

/** The cores that a process may use. */
function coresOf(pid: number): readonly number[] {
  return coresIn(/^Cpus_allowed_list:\s*(\S+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? "");
}

describe("a cell of the async lane", { skip }, () => {
  it("is bound to one core, the next one to another, and works there", async () => {
    await using first = await startCell({ lane: "async" });
    await using second = await startCell({ lane: "async" });
    const cores = [coresOf(first.pid), coresOf(second.pid)];
    assert.deepEqual(
      cores.map(({ length }) => length),
      [1, 1],
    );
    assert.notDeepEqual(cores[0], cores[1]);
    assert.equal((await new Actor(first).call("add")).kind, "done");
  });

  it("is not the rule for the sync lane, where live agents run", async () => {
    await using cell = await startCell({ lane: "sync" });
    assert.deepEqual(coresOf(cell.pid), allowedCores());
  });
});

describe("the cores of a process", () => {
  it("are read as the kernel writes them", () => {
    assert.deepEqual(coresIn("0-2,5"), [0, 1, 2, 5]);
    assert.deepEqual(coresIn("3"), [3]);
    assert.deepEqual(coresIn(""), []);
  });

  it("are left alone without taskset", () => {
    assert.deepEqual(oneCoreArgs(undefined), []);
  });
});
