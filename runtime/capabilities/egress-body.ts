/**
 * The body of an answer, unpacked under two caps: bytes on the wire, and bytes after decompression, so that a few bytes that
 * unpack to gigabytes are cut off where the cap is and never exist. Nothing is read ahead of the reader but a buffer.
 *
 *     wire -> count -> gunzip | brotli -> count -> scrub -> reader
 */
import { Readable, Transform, pipeline } from "node:stream";
import { constants, createBrotliDecompress, createGunzip } from "node:zlib";
import { RuntimeError } from "../errors.ts";
import type { Scrubber } from "./egress-scrub.ts";

/** What is asked for. No deflate, of which servers know two kinds; no zstd, whose window a server may make 128 MiB large. */
export const ACCEPT_ENCODING = "gzip, br";

/** The caps of one body, in bytes; each is the whole of it. */
export interface BodyLimits {
  readonly bytesMax: number;
  readonly encoding: string | undefined;
  readonly scrubber: Scrubber;
}

/**
 * The chunks of a body. Ending the loop early ends the source.
 * @throws {RuntimeError} RUNTIME_CAPABILITY_TOO_LARGE beyond a cap; RUNTIME_CAPABILITY_FAILED for an encoding that was not
 *   asked for or data that does not unpack. What the source throws comes through.
 */
export async function* readBody(
  source: AsyncIterable<Uint8Array>,
  limits: BodyLimits,
): AsyncGenerator<Uint8Array, void, void> {
  const { bytesMax, scrubber } = limits;
  const unpack = decompressor(limits.encoding);
  const wire = unpack === undefined ? source : unpacked(source, unpack, bytesMax);
  const count = counter(bytesMax);
  for await (const chunk of wire) {
    count(chunk.byteLength);
    const shown = scrubber.push(chunk);
    if (shown.byteLength > 0) yield shown;
  }
  const rest = scrubber.end();
  if (rest.byteLength > 0) yield rest;
}

function decompressor(encoding: string | undefined): Transform | undefined {
  switch (encoding?.trim().toLowerCase() ?? "") {
    case "":
    case "identity":
      return undefined;
    case "gzip":
    case "x-gzip":
      return createGunzip();
    case "br":
      // The format's large windows stay off: 16 MiB of memory at most.
      return createBrotliDecompress({ params: { [constants.BROTLI_DECODER_PARAM_LARGE_WINDOW]: 0 } });
    default: {
      const name = JSON.stringify(String(encoding).slice(0, 64));
      throw new RuntimeError("RUNTIME_CAPABILITY_FAILED", `The answer is packed as ${name}, which nobody asked for.`);
    }
  }
}

function unpacked(source: AsyncIterable<Uint8Array>, unpack: Transform, bytesMax: number): AsyncIterable<Uint8Array> {
  const count = counter(bytesMax);
  const counting = new Transform({
    transform(chunk: Uint8Array, _encoding, done) {
      try {
        count(chunk.byteLength);
        done(null, chunk);
      } catch (error) {
        done(error as Error); // the counter throws nothing else
      }
    },
  });
  // The loop that reads `unpack` is told of every error here: a pipeline destroys its end with it.
  return pipeline(Readable.from(source), counting, unpack, () => undefined);
}

function counter(bytesMax: number): (bytes: number) => void {
  let total = 0;
  return (bytes) => {
    total += bytes;
    if (total <= bytesMax) return;
    throw new RuntimeError("RUNTIME_CAPABILITY_TOO_LARGE", `The answer is longer than ${bytesMax} bytes.`);
  };
}
