/**
 * A scripted child: it ends when it is told to, runs its hook if it traps exits, and ends in its hook as its script says.
 * Exit signals of strangers are messages to a child that traps, and it ignores them.
 */
import type { Reason } from "../contract.ts";
import type { Script } from "./case.ts";
import type { Message, Process, World } from "./world.ts";

/** Where a process stands in the tree. */
export interface Place {
  readonly pid: number;
  readonly path: string;
  readonly n: number;
  readonly parent: number;
}

/** A worker of this script, not yet in the world. */
export function newWorker(world: World, { pid, path, n, parent }: Place, script: Script): Process {
  let isHanging = false;
  const worker: Process = {
    pid,
    path,
    n,
    parent,
    isSupervisor: false,
    traps: script.trap_exit !== false,
    isUp: true,
    isAlive: true,
    isSuspended: false,
    isQueued: false,
    inbox: [],
    links: new Set(),
    run(messages) {
      for (const message of messages) {
        if (!worker.isAlive || isHanging) return;
        isHanging = handle(world, worker, { message, script });
      }
    },
  };
  return worker;
}

/** True when it hangs from now on. */
function handle(world: World, worker: Process, given: { readonly message: Message; readonly script: Script }): boolean {
  const { message, script } = given;
  if (message.type === "own") return false;
  if (message.type === "exit_signal" && message.from !== worker.parent) return false;
  if (worker.traps) world.note(["terminate", worker.path, worker.n, message.reason]);
  const isTold = message.type === "exit_signal" && message.reason === "shutdown";
  if (isTold && script.on_shutdown === "hang") return true;
  world.die(worker, isTold ? endOf(script) : message.reason);
  return false;
}

function endOf({ on_shutdown }: Script): Reason {
  if (on_shutdown === "normal") return "normal";
  if (on_shutdown === "error") return "bad_exit";
  return on_shutdown === "shutdown_term" ? "shutdown:bye" : "shutdown";
}
