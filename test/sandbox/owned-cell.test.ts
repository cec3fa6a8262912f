/**
 * What code that owns the process of a cell can reach, tried by a program in the cell's place: with all layers as they are
 * launched, and with each layer alone, so that each is shown to hold by itself what is said of it. The last line of each table
 * says what that layer does not hold.
 */
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import type { Server } from "node:net";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { bubblewrapArgs, INSIDE } from "../../sandbox/bubblewrap.ts";
import { engineFile, sharedLibraries } from "../../sandbox/cell-files.ts";
import { findExecutable } from "../../sandbox/executable.ts";
import { Cell } from "../../sandbox/index.ts";
import { extraPipe, findLayers, type Layers } from "../../sandbox/layers.ts";
import { ABSENT, DENIED, hasSeccompTables, seccompProgram } from "../../sandbox/seccomp.ts";
import { OPTIONS, plainLayers, Program, recorder, withoutBubblewrap } from "./support.ts";

const skip = await withoutBubblewrap();
const skipFilter = skip !== false ? skip : (await findLayers()).hasSeccomp ? false : "the filter does not work here";
const skipLinux = process.platform === "linux" ? false : "Linux only";

/** Everything that is tried, by a program that finds its targets in `PROBES`. Each answer is what was got, or the code of the error. */
const PROBES = `
const fs = require("node:fs");
const net = require("node:net");
const children = require("node:child_process");
const got = {};
const attempt = (name, action) => {
  try { got[name] = String(action() ?? "done"); } catch (error) { got[name] = error.code ?? error.message; }
};
// What is refused a tick later is thrown where nobody can catch it; listening alone is.
const ends = [];
process.on("uncaughtException", ({ code }) => ends.pop()?.(code));
const later = (name, begin) => new Promise((resolve) => {
  const end = (result) => { got[name] ??= result; resolve(); };
  try { begin(end); } catch (error) { end(error.code ?? error.message); }
});
const failing = ({ error, status }) => { if (error) throw error; return "status " + status; };
attempt("secret file", () => fs.readFileSync(TARGETS.secret, "utf8"));
attempt("secret file through /proc", () => fs.readFileSync("/proc/1/root" + TARGETS.secret, "utf8"));
attempt("secret file through a link", () => { fs.symlinkSync(TARGETS.secret, TARGETS.secret + ".link"); return fs.readFileSync(TARGETS.secret + ".link", "utf8"); });
attempt("/etc/passwd", () => fs.readFileSync("/etc/passwd", "utf8").length);
attempt("a module of ours", () => require(TARGETS.module));
attempt("environment of the Guardian", () => fs.readFileSync("/proc/" + TARGETS.guardian + "/environ").length);
attempt("memory of the Guardian", () => fs.openSync("/proc/" + TARGETS.guardian + "/mem", "r+"));
attempt("own environment", () => Object.values(process.env).some((value) => value.includes(TARGETS.words)) ? "leaked" : "clean");
attempt("names of its environment", () => Object.keys(process.env).toSorted().join());
attempt("all there is", () => fs.readdirSync("/").toSorted().join());
attempt("overwrite the secret", () => fs.writeFileSync(TARGETS.secret, "gone"));
for (const folder of ["/", "/tmp/", "/cell/", "/dev/shm/", "/var/tmp/"])
  attempt("write to " + folder, () => fs.writeFileSync(folder + TARGETS.words, "x"));
attempt("a snapshot of the heap in a file", () => require("node:v8").writeHeapSnapshot("/tmp/" + TARGETS.words));
attempt("a database in a file", () => new (require("node:sqlite").DatabaseSync)("/tmp/" + TARGETS.words));
attempt("more in the black box than it holds", () => fs.writeSync(4, Buffer.alloc(1e6), 0, 1e6, 1e5));
attempt("spawn a shell", () => failing(children.spawnSync("/bin/sh", ["-c", "true"])));
attempt("spawn node", () => failing(children.spawnSync(process.execPath, ["--version"])));
attempt("spawn through node's own binding", () => { const { error, pid } = process.binding("spawn_sync").spawn({ file: "/bin/sh", args: ["sh"], stdio: [{ type: "ignore" }] }); return error ? "error " + error : "pid " + pid; });
attempt("a thread", () => { new (require("node:worker_threads").Worker)("", { eval: true }); });
attempt("load a native library", () => { process.permission?.drop?.("addon"); process.dlopen({ exports: {} }, TARGETS.library); });
attempt("an inspector", () => require("node:inspector").open(0));
attempt("signal the Guardian", () => process.kill(TARGETS.guardian, 0));
attempt("see other processes", () => fs.readdirSync("/proc").filter((name) => /^\\\\d+$/.test(name)).length > 1 ? "several" : "itself");
const connects = (name, options) => later(name, (end) => {
  const socket = net.connect(options);
  socket.on("connect", () => end("connected")).on("error", ({ code }) => end(code));
});
Promise.all([
  connects("connect to the machine", { host: "127.0.0.1", port: TARGETS.port }),
  connects("connect to another machine", { host: "192.0.2.1", port: 80 }),
  connects("connect to a Unix socket", { path: TARGETS.unix }),
  connects("connect to an abstract socket", { path: "\\\\0" + TARGETS.words }),
  later("listen", (end) => (ends.push(end), net.createServer()).on("error", ({ code }) => end(code)).listen(0, "127.0.0.1", () => end("listens"))),
  later("send a datagram", (end) => {
    const socket = require("node:dgram").createSocket("udp4");
    socket.on("error", ({ code }) => end(code)).send("x", TARGETS.datagrams, "127.0.0.1", (error) => end(error?.code ?? "sent"));
  }),
  later("look up a name", (end) => require("node:dns").lookup("example.com", (error) => end(error?.code ?? "found"))),
]).then(() => { fs.writeSync(2, "\\\\n" + JSON.stringify(got) + "\\\\n"); process.abort(); });
`.replaceAll("\\\\", "\\");

/** What there is to be reached: a secret, listeners, ourselves. */
interface Targets {
  readonly secret: string;
  readonly module: string;
  readonly unix: string;
  readonly library: string;
  readonly words: string;
  readonly guardian: number;
  readonly port: number;
  readonly datagrams: number;
}

const SECRET = "the secret of secrets";
const held = new Program(SECRET);
const servers: Server[] = [];
const datagrams = createSocket("udp4");
let targets: Targets;

async function listening(server: Server, where: { readonly port?: number; readonly path?: string }): Promise<Server> {
  servers.push(server);
  await new Promise<void>((resolve) => {
    server.listen({ ...where, ...(where.port === undefined ? {} : { host: "127.0.0.1" }) }, () => resolve());
  });
  return server;
}

before(async () => {
  const words = `planaria-test-${process.pid}`;
  process.env["PLANARIA_TEST"] = words;
  const tcp = (await listening(createServer(), { port: 0 })).address();
  const unix = `${held.file}.socket`;
  await listening(createServer(), { path: unix });
  if (process.platform === "linux") await listening(createServer(), { path: `\0${words}` });
  await new Promise<void>((resolve) => {
    datagrams.bind(0, "127.0.0.1", resolve);
  });
  assert(typeof tcp === "object" && tcp !== null);
  const port = { port: tcp.port, datagrams: datagrams.address().port };
  const files = { secret: held.file, module: import.meta.filename, unix, library: engineFile() };
  targets = { ...files, ...port, words, guardian: process.pid };
});

after(() => {
  for (const server of servers) server.close();
  datagrams.close();
  assert.equal(readFileSync(held.file, "utf8"), SECRET);
  for (const folder of ["/", "/tmp", "/dev/shm", "/var/tmp"]) assert(!existsSync(join(folder, targets.words)));
  held[Symbol.dispose]();
});

function program(changes: Partial<Targets> = {}): Program {
  return new Program(`const TARGETS = ${JSON.stringify({ ...targets, ...changes })};\n${PROBES}`);
}

type Found = Readonly<Record<string, string>>;

function foundIn(text: string): Found {
  const line = text.split("\n").find((each) => each.startsWith("{"));
  assert(line !== undefined, `it printed no answers: ${text}`);
  return JSON.parse(line) as Found; // the program prints this shape
}

/** In the cell's place, launched as a cell is. It never becomes one, and says what it found as it ends. */
async function asCell(layers: Layers, changes: Partial<Targets> = {}): Promise<Found> {
  using probes = program(changes);
  const { events, onEvent } = recorder();
  await assert.rejects(Cell.startWith({ ...OPTIONS, onEvent }, layers, probes.file), {
    code: "SANDBOX_CELL_START_FAILED",
  });
  return foundIn(events.map((event) => (event.type === "cell.stderr" ? event.text : "")).join(""));
}

/** In the view that bubblewrap gives a cell, without Node's permission model. */
async function inBubblewrap(isFiltered: boolean): Promise<Found> {
  using probes = program({ library: INSIDE.engine });
  const args = bubblewrapArgs({
    node: process.execPath,
    engine: engineFile(),
    bundle: probes.file,
    bundleExtension: ".cjs",
    libraries: await sharedLibraries(),
    infoFd: 5,
    seccompFd: isFiltered ? 6 : undefined,
  });
  const command = [...args, INSIDE.node, "--no-warnings", `${INSIDE.bundle}.cjs`];
  const stdio = ["ignore", "ignore", "pipe", "pipe", "ignore", "pipe", "pipe"] as const;
  const child = spawn((await findLayers()).bubblewrap ?? "", command, { stdio: [...stdio] });
  extraPipe(child, 5).resume();
  if (isFiltered && hasSeccompTables(process.arch))
    extraPipe(child, 6).end(seccompProgram({ arch: process.arch, isJitless: false }));
  let text = "";
  for await (const part of child.stderr ?? []) text += String(part);
  return foundIn(text);
}

/** Fails with all that was found where something differs. */
function check(found: Found, expected: Readonly<Record<string, string | RegExp>>): void {
  const wrong = Object.entries(expected).filter(([name, answer]) =>
    typeof answer === "string" ? found[name] !== answer : !answer.test(found[name] ?? ""),
  );
  const names = wrong.map(([name, answer]) => `${name}: ${found[name]}, not ${String(answer)}`);
  assert.deepEqual(names, [], JSON.stringify(found, undefined, 2));
}

const DENIED_BY_NODE = "ERR_ACCESS_DENIED";
const REFUSED_BY_NODE = {
  "secret file": DENIED_BY_NODE,
  "secret file through /proc": DENIED_BY_NODE,
  "secret file through a link": DENIED_BY_NODE,
  "/etc/passwd": DENIED_BY_NODE,
  "a module of ours": /^(ERR_ACCESS_DENIED|MODULE_NOT_FOUND)$/,
  "environment of the Guardian": DENIED_BY_NODE,
  "memory of the Guardian": DENIED_BY_NODE,
  "own environment": "clean",
  "all there is": DENIED_BY_NODE,
  "overwrite the secret": DENIED_BY_NODE,
  "write to /": DENIED_BY_NODE,
  "write to /tmp/": DENIED_BY_NODE,
  "write to /cell/": DENIED_BY_NODE,
  "write to /dev/shm/": DENIED_BY_NODE,
  "a snapshot of the heap in a file": DENIED_BY_NODE,
  "a database in a file": "ERR_UNKNOWN_BUILTIN_MODULE",
  "spawn a shell": DENIED_BY_NODE,
  "spawn node": DENIED_BY_NODE,
  "spawn through node's own binding": DENIED_BY_NODE,
  "a thread": DENIED_BY_NODE,
  "load a native library": /^ERR_(ACCESS_DENIED|DLOPEN_DISABLED)$/,
  "an inspector": DENIED_BY_NODE,
  "see other processes": DENIED_BY_NODE,
  "connect to the machine": DENIED_BY_NODE,
  "connect to another machine": DENIED_BY_NODE,
  "connect to a Unix socket": DENIED_BY_NODE,
  "connect to an abstract socket": DENIED_BY_NODE,
  listen: DENIED_BY_NODE,
  "send a datagram": DENIED_BY_NODE,
  "look up a name": DENIED_BY_NODE,
} as const;

/** What bubblewrap alone leaves: nothing to find, nobody to meet, nowhere to write. */
const ABSENT_IN_VIEW = {
  "names of its environment": "LD_LIBRARY_PATH,PWD,UV_USE_IO_URING",
  "all there is": /^cell,dev,(lib|lib64|nix|usr|,)*proc(,usr)?$/,
  "secret file": "ENOENT",
  "secret file through /proc": "ENOENT",
  "secret file through a link": /^(ENOENT|EROFS)$/,
  "/etc/passwd": "ENOENT",
  "a module of ours": "MODULE_NOT_FOUND",
  "environment of the Guardian": "ENOENT",
  "memory of the Guardian": "ENOENT",
  "own environment": "clean",
  "overwrite the secret": /^(ENOENT|EROFS)$/,
  "write to /": "EROFS",
  "write to /tmp/": "ENOENT",
  "write to /cell/": "EROFS",
  "write to /dev/shm/": "EROFS",
  "write to /var/tmp/": "ENOENT",
  "signal the Guardian": "ESRCH",
  "see other processes": "itself",
} as const;

describe("code that owns a cell's process", () => {
  it("reaches nothing through all layers together", { skip: skipFilter }, async () => {
    const found = await asCell(await findLayers(), { library: INSIDE.engine });
    check(found, { ...REFUSED_BY_NODE, "signal the Guardian": "ESRCH" });
  });

  it("reaches nothing through Node's permission model alone, but may send signals", { skip: skipLinux }, async () => {
    const found = await asCell(await plainLayers());
    check(found, REFUSED_BY_NODE);
    check(found, { "names of its environment": "UV_USE_IO_URING", "signal the Guardian": "true" });
  });

  it("reaches nothing through bubblewrap and the filter alone", { skip: skipFilter }, async () => {
    const found = await inBubblewrap(true);
    check(found, {
      ...ABSENT_IN_VIEW,
      "spawn a shell": "EPERM",
      "spawn node": "EPERM",
      "spawn through node's own binding": /^error -/,
      "connect to the machine": "EPERM",
      "connect to another machine": "EPERM",
      "connect to a Unix socket": "EPERM",
      "connect to an abstract socket": "EPERM",
      listen: "EPERM",
      "send a datagram": "EPERM",
    });
  });

  it("reaches nothing through bubblewrap alone, but may start node again where it is", { skip }, async () => {
    const found = await inBubblewrap(false);
    check(found, {
      ...ABSENT_IN_VIEW,
      "spawn a shell": "ENOENT",
      "connect to the machine": "ECONNREFUSED",
      "connect to another machine": "ENETUNREACH",
      "connect to a Unix socket": "ENOENT",
      "connect to an abstract socket": "ECONNREFUSED",
      "look up a name": /^E/,
    });
    check(found, { "spawn node": "status 0", listen: "listens" });
  });

  it("cannot fill the memory through the black box: its size is limited", { skip: skipLinux }, async (t) => {
    if ((await findLayers()).prlimit === undefined) return t.skip("prlimit is not installed");
    check(await asCell(await plainLayers()), { "more in the black box than it holds": "EFBIG" });
  });
});

/** Makes system calls by number, without any library in between. */
const RAW_CALLS = `
use strict; use warnings;
my %errors;
for my $pair (@ARGV) { my ($name, $number, @args) = split /,/, $pair; $! = 0; my $got = syscall($number, map { $_ + 0 } @args); $errors{$name} = $got == -1 ? $! + 0 : "allowed"; }
print join "\\n", map { "$_ $errors{$_}" } sort keys %errors;
`;
const EPERM = 1;
const ENOSYS = 38;
/** As many as a call takes: zeros that no call makes anything of. */
const NOTHING = ",0,0,0,0,0,0";
const SIGCHLD = 17;
const CLONE_X64 = 56;
const GETPID_X32 = 0x4000_0000 + 39;

/** Runs perl in the whole file system, read-only, with no layer but the filter; resolves with what it printed. */
async function filtered(calls: readonly string[]): Promise<string> {
  using folder = new Program("");
  const filter = `${folder.file}.bpf`;
  writeFileSync(filter, seccompProgram({ arch: "x64", isJitless: false }));
  const script = 'exec 9<"$1"; shift; exec "$@"';
  const { bubblewrap = "" } = await findLayers();
  const view = ["--ro-bind", "/", "/", "--dev", "/dev", "--unshare-user", "--unshare-pid", "--seccomp", "9", "--"];
  const command = ["-c", script, "sh", filter, bubblewrap, ...view, "perl", "-e", RAW_CALLS, ...calls];
  return (await promisify(execFile)("/bin/sh", command)).stdout;
}

const skipRaw =
  skipFilter === false && process.arch === "x64" && findExecutable("perl") !== undefined
    ? false
    : "needs the filter, x64 and perl";

describe("native code in a cell's place, which no model of Node's can hold,", { skip: skipRaw }, () => {
  it("is refused every system call of the list by the filter alone, though it makes them by number", async () => {
    const refused = Object.entries(DENIED).map(([name, [number]]) => [name, number, EPERM] as const);
    const absent = Object.entries(ABSENT).map(([name, [number]]) => [name, number, ENOSYS] as const);
    const known = [...refused, ...absent].filter(([, number]) => number >= 0);
    const calls = known.map(([name, number]) => `${name},${number}${NOTHING}`);
    calls.push(`a process by clone,${CLONE_X64},${SIGCHLD},0,0,0,0`);
    const expected = [...known.map(([name, , error]) => `${name} ${error}`), `a process by clone ${EPERM}`];
    assert.deepEqual((await filtered(calls)).split("\n"), expected.toSorted());
  });

  it("ends when it calls through another table, whose numbers mean something else", async () => {
    await assert.rejects(filtered([`getpid,${GETPID_X32}`]), ({ code }: { readonly code?: unknown }) => {
      assert.equal(code, 128 + 31); // SIGSYS
      return true;
    });
    assert.match(await filtered(["getpid,39"]), /^getpid allowed$/);
  });
});
