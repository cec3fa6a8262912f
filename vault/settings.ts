/**
 * The sizes and times that a vault is opened with by the runtime and by the `planaria vault` command. Both must agree: whoever
 * opened a vault last shapes its log.
 */

/** See the header; `VaultOptions` says what each is. */
export const VAULT_SETTINGS = {
  segmentBytes: 16 << 20,
  checkpointBytes: 8 << 20, // keeps recovery under 100 ms
  memtableBytes: 256 << 20,
  retainBytes: 256 << 20, // exact points in time behind the checkpoint
  syncEveryMs: 50,
  syncEveryEntries: 100,
  // Labels that are set without being asked for; all others are kept for ever. Counts and no ages: a loop of restores or
  // promotions sets thousands in a day. Whoever goes back goes to one of the last few.
  retention: {
    rules: [
      { label: "before-restore-#", count: 32 }, // Vault.restore
      { label: "before-reload-#", count: 32 }, // a definition that was saved
      { label: "before-deploy-#", count: 32 }, // new code at `spawn` that migrated the state
      { label: "before-escalation-#", count: 32 }, // code that did not load any more
      { label: "before-d#", count: 32 }, // a promotion: the version in probation has the newest one
      { label: "before-d#-rollback", count: 32 },
    ],
    dropsUnnamed: true, // each roll-back leaves a branch behind
  },
  // Half as many pages again as are needed, as a merge of all branches would leave; under 64 MB it is not worth looking.
  collectAt: { share: 0.5, pages: 4_096 },
  // A full pass daily, at a tenth of what an ordinary disk reads.
  scrub: { bytesPerSecond: 20e6, everyMs: 24 * 60 * 60 * 1000 },
} as const;
