/**
 * LMDB as it is: one durable put after the other, or many at once. What the vault is compared with; the only file of the
 * bench that imports lmdb.
 *
 * `overlappingSync` is off, as in the vault: with it a put may be acknowledged whose meta page was never written
 * (vault/store.ts). All other settings are lmdb's own, its batching of puts above all.
 */
import { join } from "node:path";
import { open } from "lmdb";
import type { RootDatabase } from "lmdb";

/** A database with text keys and byte values. */
export class RawLmdb implements AsyncDisposable {
  readonly #root: RootDatabase<Uint8Array, string>;

  /** Makes it in `folder`, which is to lie on the disk of the vault that is compared. */
  constructor(folder: string) {
    const path = join(folder, "raw.mdb");
    this.#root = open({ path, noSubdir: true, encoding: "binary", overlappingSync: false, mapSize: 2 ** 36 });
  }

  /** Resolves when the put is on disk. */
  async put(key: string, value: Uint8Array): Promise<void> {
    await this.#root.put(key, value);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#root.close();
  }
}
