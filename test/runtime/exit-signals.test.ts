/**
 * Links and monitors under churn: whoever exits leaves nothing behind, and everybody who should hear of it does, once.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import type { Agent } from "../../runtime/agent.ts";
import { RuntimeError } from "../../runtime/errors.ts";
import { EventStream } from "../../runtime/events.ts";
import { ExitSignals, LINKS_MAX } from "../../runtime/exit-signals.ts";
import type { ExitReason } from "../../runtime/exit-reason.ts";
import { exitReasonOf, linkedReason, reasonText } from "../../runtime/exit-reason.ts";
import { decode, DOWN_METHOD, EXIT_METHOD } from "../../sandbox/index.ts";
import { pack } from "../../sandbox/envelope.ts";

const NAMES = ["a", "b", "c", "d", "e"];
/** These trap exits. */
const TRAPPING = new Set(["d", "e"]);

/** A world of agents that are names: each exit makes it somebody new, as a restart does. */
class World {
  readonly told: string[] = [];
  readonly died: string[] = [];
  /** Names that were given up, by somebody who told nobody yet. */
  readonly gone = new Set<string>();
  readonly signals: ExitSignals;

  constructor() {
    this.signals = new ExitSignals({
      events: new EventStream(() => 0),
      agent: (id) => this.#agent(id),
      peek: (id) => (this.gone.has(id) ? undefined : this.#agent(id)),
      deliver: (id, { method, text }) => {
        const { from, agent, reason } = decode(text, { bytesMax: 1_000 }) as Record<string, string>; // what is sent below
        this.told.push(`${id} ${method} ${from ?? agent} ${reason}`);
      },
    });
  }

  exit(id: string, reason: ExitReason): void {
    this.died.push(`${id} ${reasonText(reason)}`);
    this.signals.exited(id, reason);
  }

  #agent(id: string): Agent {
    if (this.gone.has(id)) throw new RuntimeError("RUNTIME_AGENT_UNKNOWN", `no agent is called ${id}`);
    const hears = TRAPPING.has(id) ? [EXIT_METHOD, DOWN_METHOD] : [DOWN_METHOD];
    const killNow = (reason: ExitReason): void => this.exit(id, reason);
    const agent = { phase: "up", current: { hears }, killNow };
    return agent as unknown as Agent; // signals need nothing else of an agent
  }
}

describe("links and monitors under churn", () => {
  it("take no space once everybody has exited, and keep to the rules of a plain model", () => {
    const name = fc.constantFrom(...NAMES);
    const action = fc.record({
      type: fc.constantFrom("link", "unlink", "monitor", "demonitor", "exit", "signal"),
      from: name,
      to: name,
      reason: fc.constantFrom("normal", "shutdown", "bad"),
    });
    fc.assert(
      fc.property(fc.array(action, { maxLength: 50 }), (actions) => {
        const world = new World();
        const links = new Set<string>();
        for (const [index, { type, from, to, reason }] of actions.entries()) {
          if (type === "link") world.signals.link(from, to);
          else if (type === "unlink") world.signals.unlink(from, to);
          else if (type === "monitor") world.signals.monitor(from, pack([`m${index}`, to]));
          else if (type === "demonitor") world.signals.demonitor(from, `m${index - 1}`);
          else checkExit(world, links, { type, id: from, reason });
          if (type === "link" && from !== to) links.add([from, to].toSorted().join(" "));
          if (type === "unlink") links.delete([from, to].toSorted().join(" "));
        }
        for (const id of NAMES) world.exit(id, exitReasonOf("normal"));
        assert.equal(world.signals.size, 0);
      }),
    );
  });
});

describe("a guest that lies about monitors", () => {
  it("is refused names that are too long to be told, and two monitors of one name, and leaves nothing behind", () => {
    const world = new World();
    const refused = { code: "SANDBOX_ENVELOPE_INVALID" };
    for (const text of [pack(["m".repeat(513), "b"]), pack(["m", "b".repeat(513)]), pack(["", "b"]), pack(["m", ""])])
      assert.throws(() => world.signals.monitor("a", text), refused);
    world.signals.monitor("a", pack(["m", "b"]));
    assert.throws(() => world.signals.monitor("a", pack(["m", "c"])), refused);
    for (const id of NAMES) world.exit(id, exitReasonOf("normal"));
    assert.equal(world.signals.size, 0);
  });
});

describe("the bound of links and monitors", () => {
  const refused = { code: "RUNTIME_LINKS_EXCEEDED" };

  it("holds at both ends of a link, and an end makes room", () => {
    const world = new World();
    for (let count = 0; count < LINKS_MAX; count++) world.signals.link(`n${count}`, "d");
    assert.throws(() => world.signals.link("e", "d"), refused);
    assert.throws(() => world.signals.monitor("d", pack(["m", "e"])), refused);
    world.exit("n0", exitReasonOf("normal"));
    world.signals.link("e", "d");
  });

  it("cannot be passed by monitors of oneself, which are nothing", () => {
    const world = new World();
    world.signals.monitor("a", pack(["first", "b"]));
    const { size } = world.signals;
    for (let count = 0; count <= LINKS_MAX; count++) world.signals.monitor("a", pack([`m${count}`, "a"]));
    assert.equal(world.signals.size, size);
  });
});

describe("a link to one whose name was given up", () => {
  it("is no hindrance: whoever else is linked ends all the same, and nothing is left behind", () => {
    const world = new World();
    for (const other of ["b", "c"]) world.signals.link("a", other);
    world.gone.add("b");
    world.exit("a", exitReasonOf("bad"));
    assert.deepEqual(world.died, ["a bad", "c bad"]);
    assert.equal(world.signals.size, 0);
  });
});

/** One exit: those who die with it are those who can be reached over links through agents that do not trap. */
function checkExit(
  world: World,
  links: Set<string>,
  { type, id, reason }: { readonly type: string; readonly id: string; readonly reason: string },
): void {
  world.died.length = 0;
  world.told.length = 0;
  const isEnd = type === "exit" || (!TRAPPING.has(id) && reason !== "normal");
  if (type === "exit") world.exit(id, exitReasonOf(reason));
  else world.signals.signal(id, reason);
  const dying = new Set(isEnd ? [id] : []);
  const hearing = new Set<string>();
  for (const one of dying) {
    for (const link of links) {
      const other = link.split(" ").find((end) => end !== one) ?? "";
      if (!link.split(" ").includes(one) || dying.has(other)) continue;
      if (TRAPPING.has(other)) hearing.add(`${other} ${EXIT_METHOD} ${one} ${reason}`);
      else if (reason !== "normal") dying.add(other);
    }
  }
  assert.deepEqual(world.died.toSorted(), [...dying].map((one) => `${one} ${reason}`).toSorted());
  const heard = world.told.filter((one) => one.includes(EXIT_METHOD) && !one.includes(`${EXIT_METHOD}  `));
  assert.deepEqual(heard.toSorted(), [...hearing].toSorted());
  for (const link of links) if (link.split(" ").some((end) => dying.has(end))) links.delete(link);
}

describe("the reason of an exit", () => {
  it("reads the same for others as it was given, and a suspect's guilt is its own", () => {
    for (const text of ["normal", "shutdown", "shutdown:done", "kill", "whatever else"])
      assert.equal(reasonText(exitReasonOf(text)), text);
    assert.equal(reasonText({ name: "shutdown", message: "stopped by its owner" }), "shutdown");
    assert.equal(reasonText({ name: "limit", message: "heap" }), "limit");
    const followed = linkedReason({ name: "cell_lost_suspect", message: "SIGSEGV" }, "a");
    assert.deepEqual([followed.name, followed.from], ["fault", "a"]);
  });
});
