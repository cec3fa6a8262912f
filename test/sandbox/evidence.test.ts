/** What `/proc` must say of a process before a layer counts as there. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { layersOf, type ProcessView } from "../../sandbox/evidence.ts";
import { LAYER_NAMES, type LayerName } from "../../sandbox/index.ts";

const FILES: Readonly<Record<string, string>> = {
  status: "Name:\tnode\nNoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t1\n",
  limits: [
    "Limit                     Soft Limit           Hard Limit           Units     ",
    "Max file size             816                  816                  bytes     ",
    "Max core file size        0                    0                    bytes     ",
    "Max open files            256                  256                  files     ",
  ].join("\n"),
  cmdline: "/cell/node\0--no-node-snapshot\0--permission\0/cell/cell.cjs\0",
};
const OURS: ProcessView = { text: () => "", link: (name) => `${name}:[1]` };

/** A process with everything, but for one change. */
function view(changes: Readonly<Record<string, string>> = {}, shared: readonly string[] = []): ProcessView {
  return {
    text: (name) => changes[name] ?? FILES[name] ?? assert.fail(name),
    link: (name) => (shared.includes(name) ? OURS.link(name) : `${name}:[2]`),
  };
}

const without = (file: string, line: string, other = ""): Readonly<Record<string, string>> => {
  assert.ok(FILES[file]?.includes(line));
  return { [file]: FILES[file]?.replace(line, other) ?? "" };
};

describe("a process is surrounded by", () => {
  it("all layers when all of them show", () => assert.deepEqual(layersOf(view(), OURS), LAYER_NAMES));

  const cases: readonly [missing: LayerName, why: string, view: ProcessView][] = [
    ["permission", "it was started without the flag", view(without("cmdline", "--permission\0"))],
    ["permission", "the flag is part of another word", view(without("cmdline", "--permission", "--permission-audit"))],
    ...["user", "pid", "net", "ipc", "uts", "mnt"].map((name): [LayerName, string, ProcessView] => [
      "bubblewrap",
      `it has our ${name} namespace`,
      view({}, [`ns/${name}`]),
    ]),
    ["seccomp", "there is no filter", view(without("status", "Seccomp:\t2", "Seccomp:\t0"))],
    ["seccomp", "it is the strict mode, of another kind", view(without("status", "Seccomp:\t2", "Seccomp:\t1"))],
    ["no_new_privs", "it may gain privileges", view(without("status", "NoNewPrivs:\t1", "NoNewPrivs:\t0"))],
    ["rlimits", "it may leave a core", view(without("limits", "size        0  ", "size        unlimited  "))],
    ["rlimits", "it may write large files", view(without("limits", "816                  816", "unlimited unlimited"))],
    ["rlimits", "it may open a thousand files", view(without("limits", "256                  256", "1024 1024"))],
  ];
  for (const [missing, why, seen] of cases) {
    it(`all but ${missing}, when ${why}`, () =>
      assert.deepEqual(
        layersOf(seen, OURS),
        LAYER_NAMES.filter((layer) => layer !== missing),
      ));
  }
});
