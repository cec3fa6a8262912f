/**
 * The cell process. Bundled into one file (bundle.ts) and started by launch.ts; never imported by the Guardian.
 *
 *     Guardian ==fd 3==> FrameReader -> CellHost -> Lane -> Isolate (text in, text out)
 *              <==fd 3== FrameWriter <--------------+
 *
 * Invariants:
 * 1. Isolates are made only after every permission that is no longer needed was given up.
 * 2. The process ends when the pipe does, and it ends by a signal: `process.exit` joins threads that may never end.
 * 3. An error nobody expected is printed and ends the cell. The Guardian outlives it; a cell in doubt is not worth keeping.
 */
import { closeSync, writeSync } from "node:fs";
import { Socket } from "node:net";
import { BlackBoxPen } from "./black-box.ts";
import { cellClock } from "./cell-clock.ts";
import { CELL_FD, type CellConfig, type CellGreeting } from "./cell-config.ts";
import { CellHost } from "./cell-host.ts";
import { FrameReader } from "./frame-reader.ts";
import { FrameWriter, RecordType } from "./frames.ts";
import { IsolatePool } from "./isolate-pool.ts";
import { Engine } from "./isolate.ts";
import { AsyncLane } from "./lane-async.ts";
import { SyncLane } from "./lane-sync.ts";

/** The guest's prelude as script text; put in by bundle.ts. */
declare const PLANARIA_PRELUDE: string;

const STDERR_FD = 2;
/** Bytes that may wait for a slow Guardian before the cell stops reading. */
const UNSENT_BYTES_MAX = 4 * 1024 * 1024;

/** Ends this process now. */
function die(): never {
  // Inside a pid namespace of its own the cell is process 1, which ignores its own SIGKILL; an abort gets through. What that
  // prints of the stack would look like a crash.
  process.kill(process.pid, "SIGKILL");
  closeSync(STDERR_FD);
  process.abort();
}

function dieOf(error: unknown): never {
  writeSync(STDERR_FD, `${error instanceof Error ? error.stack : String(error)}\n`);
  die();
}

/** Gives up what was only needed to start. Returns the names of what this Node could give up. */
function dropPermissions(): readonly string[] {
  // `permission` is missing without --permission, `drop` in older versions: the types know neither case.
  const { permission } = process as { permission?: { drop?: (scope: string) => void } };
  if (permission?.drop === undefined) return [];
  const scopes = ["addon", "fs.read"];
  for (const scope of scopes) permission.drop(scope);
  return scopes;
}

function main(config: CellConfig): void {
  for (const fd of config.strayFds) closeSync(fd);
  const engine = new Engine({ file: config.engineFile, prelude: PLANARIA_PRELUDE, isRenewable: config.isRenewing });
  const dropped = dropPermissions();
  const socket = new Socket({ fd: CELL_FD.pipe, readable: true, writable: true });
  const writer = new FrameWriter({
    frameBytesMax: config.frameBytesMax,
    sink: (frame) => {
      socket.write(frame);
      if (socket.writableLength > UNSENT_BYTES_MAX) socket.pause();
      return socket.writableLength === 0;
    },
  });
  const pool = new IsolatePool({
    size: config.poolSize,
    refillSize: config.poolRefillSize,
    heapMb: config.poolHeapMb,
    clock: cellClock,
    make: (heapMb) => engine.create(heapMb),
    isRenewing: config.isRenewing,
  });
  const parts = { writer, pen: new BlackBoxPen(CELL_FD.blackBox), clock: cellClock };
  const lane = config.lane === "sync" ? new SyncLane(parts) : new AsyncLane(parts);
  const end = (): void => void socket.end(die);
  const host = new CellHost({ config, writer, pool, lane, clock: cellClock, end });
  const reader = new FrameReader({
    frameBytesMax: config.frameBytesMax,
    textBytesMax: Number.MAX_SAFE_INTEGER, // The Guardian is trusted, and its texts are bounded where they are made.
    types: [RecordType.place, RecordType.pace],
    slotMax: config.slotMax,
    onRecord: (record) => host.receive(record),
  });
  socket.on("data", (bytes: Buffer) => {
    reader.push(bytes);
    host.flush();
  });
  socket.on("drain", () => socket.resume());
  socket.on("end", die);
  socket.on("error", die);
  const greeting: CellGreeting = {
    version: process.version,
    dropped,
    isJitless: process.execArgv.includes("--jitless"),
  };
  writer.add(RecordType.ready, 0, 0, JSON.stringify(greeting));
  writer.flush();
}

process.on("uncaughtException", dieOf);
process.on("unhandledRejection", dieOf);
// The Guardian wrote this argument from a CellConfig.
main(JSON.parse(process.argv[2] ?? "{}") as CellConfig);
