/** Damage to a vault's files, the bounded form; see damage.ts. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { FRAME_HEADER_BYTES, readFrame } from "../../vault/frame.ts";
import { Vault } from "../../vault/index.ts";
import { SEGMENT_HEADER_BYTES, decodeSegmentHeader } from "../../vault/segment.ts";
import { readFolder, writeFolder } from "../support/folder-image.ts";
import { put, tempFolder, tempVault, vaultOptions } from "../support/temp-vault.ts";
import { damage } from "./damage.ts";
import { expectCaught, expectNoViolation } from "./expect.ts";

const DAMAGES = 1000;

describe("damage", () => {
  it(`no wrong answer after ${DAMAGES} damages: refused with a code, or right`, async (t) => {
    await expectNoViolation(t, { name: "damage", subject: damage, faults: DAMAGES });
  });

  it("an answer that is wrong although all checksums are right is caught", async (t) => {
    await expectCaught(t, { lie: "write dropped", subject: damage, faults: 30 });
  });

  it("a log whose last group begins with rubbish says that it was torn", async (t) => {
    const original = tempFolder(t);
    const vault = await tempVault(t, { path: original });
    const { branch, commit } = vault.create({ name: "agent" });
    await commit.durable;
    await Promise.all(["a", "b", "c"].map((key) => vault.commit([put(branch, key, "value")]).durable));
    const path = join(tempFolder(t), "copy");
    writeFolder(path, readFolder(original));
    const segment = join(path, "log/0000000001.log");
    const bytes = readFileSync(segment);
    const header = decodeSegmentHeader(bytes, "0000000001.log");
    const creation = readFrame(bytes, SEGMENT_HEADER_BYTES, header);
    assert.ok(creation.kind === "frame");
    const begin = SEGMENT_HEADER_BYTES + creation.frame.bytes;
    bytes.fill(0x5a, begin, begin + FRAME_HEADER_BYTES);
    writeFileSync(segment, bytes);
    await using copy = await Vault.open(vaultOptions(path));
    assert.equal(copy.recovery.tornTail, true);
  });
});
