/**
 * The sizes and times that a vault is opened with by the runtime and by the `planaria vault` command. Both must agree: whoever
 * opened a vault last shapes its log.
 */

/** See the header; `VaultOptions` says what each is. */
export const VAULT_SETTINGS = {
  segmentBytes: 16 << 20,
  checkpointBytes: 16 << 20, // keeps recovery under 100 ms
  memtableBytes: 256 << 20,
  retainBytes: 256 << 20, // exact points in time behind the checkpoint
  syncEveryMs: 50,
  syncEveryEntries: 100,
  // A full pass daily, at a tenth of what an ordinary disk reads.
  scrub: { bytesPerSecond: 20e6, everyMs: 24 * 60 * 60 * 1000 },
} as const;
