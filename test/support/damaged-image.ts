/** Images of a vault with damage in them: by chance, or with a forgery that no checksum can show. */
import { readFrame, sealFrame } from "../../vault/frame.ts";
import { SEGMENT_HEADER_BYTES, decodeSegmentHeader } from "../../vault/segment.ts";
import type { Chance } from "./chance.ts";
import type { FolderImage } from "./folder-image.ts";
import type { PageImage } from "./page-image.ts";

/** An image, and what was done to it. */
export interface DamagedImage {
  readonly image: FolderImage;
  readonly what: string;
}

const RUBBISH_BYTES = 64;

/** Some bits flipped, the file cut, or a piece of it overwritten: somewhere in the log, the pages or the identity. */
export function damaged(base: FolderImage, chance: Chance): DamagedImage {
  const pageFiles = [...base.pageFiles];
  const isPages = pageFiles.length > 0 && chance.oneIn(2);
  if (isPages) return damagedPages(base, chance.of(pageFiles), chance);
  const logs = [...base.files].filter(([name]) => name.startsWith("log/"));
  const others = [...base.files].filter(([name]) => name.endsWith(".json"));
  const [name, content] = chance.of(others.length > 0 && (logs.length === 0 || chance.oneIn(8)) ? others : logs);
  const end = content.findLastIndex((byte) => byte !== 0) + 1;
  const { bytes, what } = spoiled(content, { from: 0, to: Math.max(end, 1) }, chance);
  const image = { ...base, files: new Map(base.files).set(name, bytes) };
  return { image, what: `${name}: ${what}` };
}

/** The same somewhere in any file of a backup. */
export function damagedFile(base: FolderImage, chance: Chance): DamagedImage {
  const [name, content] = chance.of([...base.files].filter(([, each]) => each.length > 0));
  const { bytes, what } = spoiled(content, { from: 0, to: content.length }, chance);
  return { image: { ...base, files: new Map(base.files).set(name, bytes) }, what: `backup ${name}: ${what}` };
}

/** The first put of the log has another value, and all checksums of its segment are made right again. */
export function forged(base: FolderImage): DamagedImage {
  for (const [name, content] of [...base.files].toReversed()) {
    if (!name.endsWith(".log")) continue;
    const bytes = forgedSegment(Buffer.from(content), name);
    if (bytes === undefined) continue;
    return { image: { ...base, files: new Map(base.files).set(name, bytes) }, what: `a forgery in ${name}` };
  }
  throw new Error("there is nothing to forge");
}

/** Changes the last byte of the last record in the segment: part of a value, a label or a number. */
function forgedSegment(bytes: Buffer, name: string): Buffer | undefined {
  const header = decodeSegmentHeader(bytes.subarray(0, SEGMENT_HEADER_BYTES), name);
  const { salt, firstSeq } = header;
  let at = SEGMENT_HEADER_BYTES;
  let previous = { crc: salt, seq: firstSeq - 1 };
  for (let isForged = false; ;) {
    const found = readFrame(bytes, at, header);
    if (found.kind !== "frame") return isForged ? bytes : undefined;
    const { frame } = found;
    // Only text that an actor writes: digits, a slash and spaces, so the record stays one.
    const digit = frame.body.findLastIndex((byte, index) => byte === 0x2f && isDigit(frame.body[index - 1]));
    if (!isForged && digit > 0) {
      frame.body[digit - 1] = frame.body[digit - 1] === 0x31 ? 0x32 : 0x31;
      isForged = true;
    }
    const window = bytes.subarray(at, at + frame.bytes);
    const place = { salt, previousCrc: previous.crc, previousSeq: previous.seq, durableSeq: frame.durableSeq };
    previous = { crc: sealFrame(window, place), seq: frame.seq };
    at += frame.bytes;
  }
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39;
}

function damagedPages(base: FolderImage, [name, pages]: readonly [string, PageImage], chance: Chance): DamagedImage {
  const with_ = (image: PageImage, what: string): DamagedImage => ({
    image: { ...base, pageFiles: new Map(base.pageFiles).set(name, image) },
    what: `${name}: ${what}`,
  });
  if (chance.oneIn(8)) {
    const bytes = chance.below(pages.bytes);
    return with_({ ...pages, bytes }, `cut at byte ${bytes} of ${pages.bytes}`);
  }
  const isMeta = chance.oneIn(5);
  const no = isMeta ? chance.below(2) : chance.of([...pages.blocks.keys()].filter((each) => each > 1));
  const block = pages.blocks.get(no);
  if (block === undefined) throw new Error(`the page file has no block ${no}`);
  // A meta page is 24 + 152 bytes long (store-file.ts); the rest of its block is never read.
  const { bytes, what } = spoiled(block, { from: 0, to: isMeta ? 176 : block.length }, chance, false);
  return with_({ ...pages, blocks: new Map(pages.blocks).set(no, bytes) }, `block ${no}, ${what}`);
}

interface Range {
  readonly from: number;
  readonly to: number;
}

function spoiled(
  content: Buffer,
  { from, to }: Range,
  chance: Chance,
  canBeCut = true,
): { readonly bytes: Buffer; readonly what: string } {
  const at = from + chance.below(to - from);
  if (canBeCut && chance.oneIn(4)) return { bytes: Buffer.from(content.subarray(0, at)), what: `cut at byte ${at}` };
  const bytes = Buffer.from(content);
  if (chance.oneIn(4)) {
    for (let offset = at; offset < Math.min(at + RUBBISH_BYTES, to); offset++) bytes[offset] = chance.below(256);
    return { bytes, what: `rubbish from byte ${at}` };
  }
  const bit = chance.below(8);
  bytes[at] = (bytes[at] ?? 0) ^ (1 << bit);
  return { bytes, what: `bit ${bit} of byte ${at}` };
}
