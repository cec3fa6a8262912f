#!/usr/bin/env node
/**
 * The door of the `planaria` command: finds a Node that can run Planaria, then hands over to `main`.
 *
 * Invariants
 * 1. Every line parses and runs on Node 18, so that an old Node answers with a sentence and not with a syntax error.
 * 2. At most one hop: the Node that was found is asked for its version before it is started, and it never searches again.
 * 3. Whoever started the command sees one program: the same arguments, streams, signals and exit code.
 *
 *   node (any) -- 24 or newer ---------------------------------> main(argv) -> exit code
 *        '------- older --> `node` package beside us? -- yes --> execve / spawn of that Node --> main(argv)
 *                                                     '- no ---> message, exit 78
 */
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

const MAJOR_MIN = 24; // isolated-vm 7 is built for Node 24 and newer
const EXIT_FAILED = 1; // as in exit-code.ts
const EXIT_ENVIRONMENT = 78; // EX_CONFIG of sysexits.h
const HOPPED = "PLANARIA_NODE_FOUND"; // set for the Node we start, so that it cannot start another one

const majorOf = (version) => Number(String(version).split(".")[0]);

if (majorOf(process.versions.node) >= MAJOR_MIN) {
  await runMain();
} else {
  const found = process.env[HOPPED] === undefined ? findNode() : undefined;
  if (found === undefined) explain();
  else runWith(found);
}

/** In the repository the sources run as they are; an installed package has only the built command. */
async function runMain() {
  delete process.env[HOPPED]; // whatever the command starts may hop for itself
  process.stdout.on("error", leaveUnread);
  const source = new URL("./main.ts", import.meta.url);
  const built = new URL("../../dist/evolution/command/main.js", import.meta.url);
  const { main } = await import((existsSync(source) ? source : built).href);
  process.exitCode = await main(process.argv.slice(2));
}

/** `planaria … | head -1`: nobody reads what is still to come, so the work is over; it was not finished. */
function leaveUnread(error) {
  if (error.code !== "EPIPE") throw error;
  process.exit(EXIT_FAILED);
}

/** A fit Node from the packages that carry one: `node`, or the platform packages behind it. */
function findNode() {
  const platform = `${process.platform === "win32" ? "win" : process.platform}-${process.arch}`;
  for (const name of ["node", `node-${platform}`, `node-bin-${platform}`]) {
    const binary = binaryOf(name);
    if (binary !== undefined) return binary;
  }
  return undefined;
}

/** The path of the package's binary when the package is there and new enough, otherwise undefined. */
function binaryOf(name) {
  let manifestPath;
  try {
    manifestPath = createRequire(import.meta.url).resolve(`${name}/package.json`);
  } catch {
    return undefined; // not installed: the next name is tried
  }
  const manifest = JSON.parse(readFileSync(manifestPath, "utf8"));
  if (majorOf(manifest.version) < MAJOR_MIN) return undefined;
  const binary = join(dirname(manifestPath), process.platform === "win32" ? "bin/node.exe" : "bin/node");
  return existsSync(binary) ? binary : undefined;
}

/** Becomes the other Node where the platform can (POSIX, Node 22.15 and newer), otherwise waits for it. */
function runWith(binary) {
  const args = [...process.execArgv, fileURLToPath(import.meta.url), ...process.argv.slice(2)];
  const env = { ...process.env, [HOPPED]: "1" };
  if (typeof process.execve === "function" && process.platform !== "win32") {
    process.removeAllListeners("warning"); // "execve is experimental" says nothing to whoever runs `planaria`
    process.execve(binary, [binary, ...args], env);
  }
  waitFor(spawn(binary, args, { stdio: "inherit", env }));
}

/** Passes signals down and the end of the child up. */
function waitFor(child) {
  // Ctrl-C in a terminal reaches the whole process group: passing it on would deliver it twice.
  const isTerminal = process.stdin.isTTY === true;
  const forward = {};
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"]) {
    const isTyped = signal === "SIGINT" || signal === "SIGQUIT";
    forward[signal] = () => {
      if (!(isTyped && isTerminal)) child.kill(signal);
    };
    process.on(signal, forward[signal]);
  }
  child.on("error", (error) => {
    process.stderr.write(`planaria: cannot start ${child.spawnfile}: ${error.message}\n`);
    process.exitCode = EXIT_ENVIRONMENT;
  });
  child.on("exit", (code, signal) => {
    for (const name of Object.keys(forward)) process.removeListener(name, forward[name]);
    if (signal === null) process.exitCode = code;
    else process.kill(process.pid, signal);
  });
}

/** No Node here can run Planaria: say what is wrong and what to do about it. */
function explain() {
  process.stderr.write(
    `planaria: needs Node ${MAJOR_MIN} or newer, and this is Node ${process.versions.node}.\n` +
      "  In a project:   npm install --save-dev node@26   (then start the command with npx planaria)\n" +
      "  Without one:    npx -p node@26 -p planaria planaria --help\n" +
      "  In a clone:     npm ci   (brings the right Node along)\n",
  );
  process.exitCode = EXIT_ENVIRONMENT;
}
