/** Vaults in folders of their own, removed afterwards, and log files that fail when the test says so. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { Vault, VaultError, systemFiles } from "../../vault/index.ts";
import type { Branch, LogFile, LogFiles, VaultErrorCode, VaultEvent, VaultOptions, View } from "../../vault/index.ts";
import { SimulatedClock } from "./simulated-clock.ts";

/** A new folder, removed when the test ends. */
export function tempFolder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "planaria-vault-"));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** A small vault: segments of 64 KiB, no checkpoint unless it is asked for, a clock that stands still. */
export function vaultOptions(path: string, overrides: Partial<VaultOptions> = {}): VaultOptions {
  return {
    path,
    clock: new SimulatedClock(),
    durability: "disk",
    segmentBytes: 64 * 1024,
    checkpointBytes: 2 ** 40,
    memtableBytes: 2 ** 40,
    retainBytes: 2 ** 40,
    syncEveryMs: 50,
    syncEveryEntries: 100,
    onEvent: () => undefined,
    ...overrides,
  };
}

/** Opens a vault that is closed before its folder goes. */
export async function tempVault(t: TestContext, overrides: Partial<VaultOptions> = {}): Promise<Vault> {
  const vault = await Vault.open(vaultOptions(overrides.path ?? tempFolder(t), overrides));
  t.after(() => vault.close());
  return vault;
}

/** Collects events. */
export function eventLog(): { readonly events: VaultEvent[]; readonly onEvent: (event: VaultEvent) => void } {
  const events: VaultEvent[] = [];
  return { events, onEvent: (event) => void events.push(event) };
}

/** Text as bytes. */
export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** Bytes as text; undefined stays undefined. */
export function text(value: Uint8Array | undefined): string | undefined {
  return value === undefined ? undefined : new TextDecoder().decode(value);
}

/** All that a view shows, as text. */
export function contentOf(view: View): Record<string, string> {
  return Object.fromEntries([...view.range()].map(([key, value]) => [key, text(value) ?? ""]));
}

/** A put of one text, as an action. */
export function put(branch: Branch, key: string, value: string) {
  return { type: "write", branch: branch.id, ops: [{ put: key, value: bytes(value) }] } as const;
}

/** For assert.throws and assert.rejects: a VaultError with this code. */
export function code(expected: VaultErrorCode): (error: unknown) => boolean {
  return (error) => {
    if (error instanceof VaultError && error.code === expected) return true;
    throw new Error(`expected ${expected}`, { cause: error });
  };
}

/** What a fault can be put into. */
export type FileOperation = "open" | "write" | "sync" | "rename" | "remove" | "syncFolder";

/** What happens to an operation: nothing special, an error with a system code, or a write that takes fewer bytes. */
export type Fault = { readonly error: string } | { readonly takes: number } | undefined;

/** The real files, with faults. `plan` is asked before each operation, with its number from 1. */
export class FaultyFiles implements LogFiles {
  plan: (operation: FileOperation, no: number) => Fault = () => undefined;
  /** Operations so far, in order. */
  readonly operations: FileOperation[] = [];
  /** Called before each sync, and awaited: a slow disk. */
  beforeSync: () => Promise<void> = async () => undefined;
  /** What the disk says it has left; the truth when undefined. */
  bytesLeft: number | undefined;

  makeFolder(path: string): Promise<void> {
    return systemFiles.makeFolder(path);
  }
  list(folder: string): Promise<readonly string[]> {
    return systemFiles.list(folder);
  }
  size(path: string): Promise<number> {
    return systemFiles.size(path);
  }
  async freeBytes(path: string): Promise<number> {
    return this.bytesLeft ?? (await systemFiles.freeBytes(path));
  }
  async open(path: string, mode: "create" | "existing"): Promise<LogFile> {
    this.ask("open");
    return new FaultyFile(this, await systemFiles.open(path, mode));
  }
  async rename(from: string, to: string): Promise<void> {
    this.ask("rename");
    await systemFiles.rename(from, to);
  }
  async remove(path: string): Promise<void> {
    this.ask("remove");
    await systemFiles.remove(path);
  }
  async syncFolder(path: string): Promise<void> {
    this.ask("syncFolder");
    await systemFiles.syncFolder(path);
  }

  /** Throws the planned error, or returns how many bytes a write takes at most. */
  ask(operation: FileOperation): number {
    this.operations.push(operation);
    const fault = this.plan(operation, this.operations.length);
    if (fault === undefined) return Infinity;
    if ("takes" in fault) return fault.takes;
    throw Object.assign(new Error(`${fault.error}: planned by the test`), { code: fault.error });
  }
}

class FaultyFile implements LogFile {
  readonly #files: FaultyFiles;
  readonly #file: LogFile;

  constructor(files: FaultyFiles, file: LogFile) {
    this.#files = files;
    this.#file = file;
  }
  async write(data: Uint8Array, position: number): Promise<number> {
    const takes = this.#files.ask("write");
    return this.#file.write(data.subarray(0, takes), position);
  }
  writeNow(data: Uint8Array, position: number): number {
    const takes = this.#files.ask("write");
    assert.ok(this.#file.writeNow !== undefined, "the system's files write at once");
    return this.#file.writeNow(data.subarray(0, takes), position);
  }
  read(into: Uint8Array, position: number): Promise<number> {
    return this.#file.read(into, position);
  }
  async sync(): Promise<void> {
    await this.#files.beforeSync();
    this.#files.ask("sync");
    await this.#file.sync();
  }
  close(): Promise<void> {
    return this.#file.close();
  }
}
