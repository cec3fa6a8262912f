/** What becomes of a cell whose Guardian is killed, and what a cell has of its Guardian's terminal. */
import { strict as assert } from "node:assert";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { describe, it } from "node:test";
import { findExecutable } from "../../sandbox/executable.ts";
import { descendantsOf, processesSeeing, processesWith } from "../support/processes.ts";
import { cpuTicks, isRunning, Program, until, withoutBubblewrap } from "./support.ts";

const skipBubblewrap = await withoutBubblewrap();
const skipLinux = process.platform === "linux" ? false : "needs /proc to watch the processes";

const ways = [
  { way: "bubblewrap", skip: skipBubblewrap },
  { way: "setpriv", skip: skipLinux },
  { way: "shell", skip: skipLinux },
];

describe("no cell outlives its Guardian, not even stuck in a built-in when the Guardian is killed:", () => {
  for (const { way, skip } of ways) {
    it(`held by ${way}`, { skip }, async () => {
      const guardian = spawn(process.execPath, [join(import.meta.dirname, "guardian.ts"), way], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      guardian.stdout.setEncoding("utf8");
      const [line]: unknown[] = await once(guardian.stdout, "data");
      const pid = Number(line);
      assert(pid > 1 && pid !== guardian.pid);
      // It is really inside: nothing else lets an idle cell use CPU time.
      const before = cpuTicks(pid);
      await until(() => cpuTicks(pid) > before + 10);
      guardian.kill("SIGKILL");
      await once(guardian, "exit");
      await until(() => !isRunning(pid));
    });
  }

  it("killed while bubblewrap makes the view", { skip: skipBubblewrap }, async () => {
    for (let turn = 0; turn < 5; turn++) {
      using program = new Program("setInterval(() => {}, 1000)");
      const guardian = spawn(process.execPath, [join(import.meta.dirname, "guardian.ts"), "early", program.file], {
        stdio: ["ignore", "ignore", "inherit"],
      });
      const [, by]: unknown[] = await once(guardian, "exit");
      assert.equal(by, "SIGKILL");
      // Inside the view nothing has the file's name any more; what is mounted there still tells.
      await until(
        () => processesWith(program.file).length === 0 && processesSeeing(basename(program.folder)).length === 0,
      );
    }
  });

  it("killed while the layers are tried", { skip: skipBubblewrap, timeout: 60_000 }, async () => {
    // Without the shell of orphans.ts something is left one time in seven.
    for (let killed = 0; killed < 12;) {
      const guardian = spawn(process.execPath, [join(import.meta.dirname, "guardian.ts"), "trying"], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      let pids = "";
      guardian.stdout.setEncoding("utf8").on("data", (text: string) => (pids += text));
      const [code, by]: unknown[] = await once(guardian, "close");
      if (code === 0) continue; // It missed the moment.
      killed += 1;
      assert.equal(by, "SIGKILL");
      assert.match(pids, /^\d+ \d+$/);
      await until(() => !pids.split(" ").some((pid) => isRunning(Number(pid))));
    }
  });
});

describe("no cell has the terminal of its Guardian, in which it could type (TIOCSTI) and be interrupted:", () => {
  const script = findExecutable("script");
  for (const { way, skip } of ways) {
    it(
      `held by ${way}`,
      { skip: skip || (script === undefined && "needs script, which gives a terminal") },
      async () => {
        const guardian = ["exec", process.execPath, join(import.meta.dirname, "guardian.ts"), way].join(" ");
        const terminal = spawn(script ?? "", ["-qec", guardian, "/dev/null"], { stdio: ["pipe", "pipe", "inherit"] });
        terminal.stdout.setEncoding("utf8");
        const [line]: unknown[] = await once(terminal.stdout, "data");
        const pid = Number(line);
        const [guardianPid = 0] = descendantsOf(terminal.pid ?? 0);
        const terminals = [guardianPid, pid].map((each) => terminalOf(each) !== 0);
        terminal.kill("SIGKILL"); // The Guardian's terminal is gone, and so is the Guardian.
        await until(() => !isRunning(pid) && !isRunning(guardianPid));
        assert.deepEqual(terminals, [true, false]);
      },
    );
  }
});

/** The device number of a process's terminal; 0 for none. */
function terminalOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[4]);
}
