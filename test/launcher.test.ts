/**
 * The door of the `planaria` command, on a Node that is too old and on one that is not. The hop to another Node is shown
 * twice where it can be: by a Node that only claims to be old (it hops by execve), and by a really old one if this
 * machine has one (older ones hop by spawn).
 */
import assert from "node:assert/strict";
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import {
  accessSync,
  constants,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { text } from "node:stream/consumers";
import { after, describe, it } from "node:test";

const root = join(import.meta.dirname, "..");
const launcher = join(root, "evolution/command/planaria.mjs");

const temp = mkdtempSync(join(tmpdir(), "planaria-launcher-"));
after(() => rmSync(temp, { recursive: true, force: true }));

/** Makes the Node it is given to claim to be Node 20, up to the first hop. */
const claim = join(temp, "claim.mjs");
writeFileSync(
  claim,
  `if (!process.env.PLANARIA_NODE_FOUND) {
     Object.defineProperty(process, "versions", { value: { ...process.versions, node: "20.0.0" } });
   }`,
);
const stubborn = join(temp, "stubborn.mjs");
writeFileSync(stubborn, `Object.defineProperty(process, "versions", { value: { node: "20.0.0" } });`);

const claimsToBeOld = [process.execPath, "--import", claim];
const oldNode = findOldNode();
const noOldNode = oldNode === undefined && "no Node older than 24 on this machine";

interface End {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly out: string;
  readonly err: string;
}

function start(command: readonly string[], cwd = temp): ChildProcess {
  const [file = "", ...args] = command;
  const { PLANARIA_NODE_FOUND: _, ...env } = process.env;
  return spawn(file, args, { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
}

async function endOf(child: ChildProcess): Promise<End> {
  assert.ok(child.stdout !== null && child.stderr !== null);
  const [[code, signal], out, err] = await Promise.all([once(child, "close"), text(child.stdout), text(child.stderr)]);
  return { code, signal, out, err };
}

const run = (...command: string[]) => endOf(start(command));

/** A package folder with the launcher, a command that tells what it sees, and (or not) a Node of some version beside it. */
function installWith(nodeVersion: string | undefined): string {
  const folder = mkdtempSync(join(temp, "install-"));
  const command = join(folder, "evolution/command");
  mkdirSync(command, { recursive: true });
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  cpSync(launcher, join(command, "planaria.mjs"));
  writeFileSync(
    join(command, "main.ts"),
    `export async function main(argv: string[]): Promise<number> {
       process.on("SIGTERM", () => process.exit(41));
       process.stdout.write(JSON.stringify({ argv, major: Number(process.versions.node.split(".")[0]) }) + "\\n");
       if (argv[0] === "wait") await new Promise((resolve) => setTimeout(resolve, 60_000));
       return 7;
     }`,
  );
  if (nodeVersion !== undefined) {
    const bin = join(folder, "node_modules/node/bin");
    mkdirSync(bin, { recursive: true });
    writeFileSync(join(bin, "../package.json"), JSON.stringify({ name: "node", version: nodeVersion }));
    symlinkSync(process.execPath, join(bin, "node"));
  }
  return join(command, "planaria.mjs");
}

/** The first Node on the path that is too old, and the place where distributions put theirs. */
function findOldNode(): string | undefined {
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/bin", "/usr/local/bin"];
  return folders.map((folder) => join(folder, "node")).find(isOldNode);
}

function isOldNode(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
  } catch {
    return false; // nothing there
  }
  return Number(execFileSync(path, ["-p", "process.versions.node.split('.')[0]"], { encoding: "utf8" })) < 24;
}

describe("planaria on a fit Node", () => {
  it("prints the version of the package", async () => {
    const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
    const { code, out } = await run(process.execPath, launcher, "--version");
    assert.deepEqual([code, out], [0, `${version}\n`]);
  });

  it("explains itself on --help", async () => {
    const { code, out } = await run(process.execPath, launcher, "--help");
    assert.equal(code, 0);
    assert.match(out, /^Usage: planaria /);
  });

  for (const args of [["grow-a-head"], ["--grow-a-head"]]) {
    it(`ends with 2 on ${args.join(" ")}, which it does not know`, async () => {
      const { code, out, err } = await run(process.execPath, launcher, ...args);
      assert.deepEqual([code, out], [2, ""]);
      assert.match(err, /^error: .*\n.*--help/s);
    });
  }
});

const hops = [
  { how: "a Node that claims to be old", command: claimsToBeOld, skip: false as const },
  { how: "a really old Node", command: [oldNode ?? ""], skip: noOldNode },
];
for (const { how, command, skip } of hops) {
  describe(`planaria on ${how}`, { skip }, () => {
    it("runs the command on the Node beside it, with its arguments and its exit code", async () => {
      const { code, out, err } = await run(...command, installWith("26.0.0"), "one", "--two");
      assert.deepEqual([code, err], [7, ""]);
      const { argv, major } = JSON.parse(out);
      assert.deepEqual(argv, ["one", "--two"]);
      assert.ok(major >= 24);
    });

    it("passes a signal on and ends as the command ends", async () => {
      const child = start([...command, installWith("26.0.0"), "wait"]);
      const end = endOf(child);
      assert.ok(child.stdout !== null);
      await once(child.stdout, "data");
      child.kill("SIGTERM");
      assert.equal((await end).code, 41);
    });

    it("dies of the signal that the command died of", async () => {
      const child = start([...command, installWith("26.0.0"), "wait"]);
      const end = endOf(child);
      assert.ok(child.stdout !== null);
      await once(child.stdout, "data");
      child.kill("SIGHUP");
      assert.equal((await end).signal, "SIGHUP");
    });

    for (const [what, nodeVersion] of [
      ["no Node", undefined],
      ["only an old Node", "22.0.0"],
    ] as const) {
      it(`says what to do and ends with 78 when there is ${what} beside it`, async () => {
        const { code, out, err } = await run(...command, installWith(nodeVersion), "--version");
        assert.deepEqual([code, out], [78, ""]);
        assert.match(err, /^planaria: needs Node 24 or newer, and this is Node \d+\./);
        assert.match(err, /npm install --save-dev node@26/);
      });
    }
  });
}

describe("planaria that finds itself on an old Node again", () => {
  it("gives up after one hop instead of hopping for ever", async () => {
    const { code, err } = await run(process.execPath, "--import", stubborn, installWith("26.0.0"));
    assert.equal(code, 78);
    assert.match(err, /needs Node 24/);
  });
});

describe("the launcher in the repository", () => {
  it("finds the Node that npm ci has brought", { skip: noOldNode }, async () => {
    const { code, out } = await run(oldNode ?? "", launcher, "--version");
    assert.equal(code, 0);
    assert.match(out, /^\d+\.\d+\.\d+/);
  });
});
