/** Server-sent events out of a body's chunks: the door to eventsource-parser. */
import { createParser } from "eventsource-parser";
import { RuntimeError } from "../errors.ts";

/** Letters of one event at most. */
const EVENT_LENGTH_MAX = 1 << 20;

/**
 * The data of the events, those of one chunk together.
 * @throws {RuntimeError} RUNTIME_CAPABILITY_TOO_LARGE for an event without an end. What the chunks throw comes through.
 */
export async function* eventData(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<readonly string[], void, void> {
  let waiting: string[] = [];
  let isTooLarge = false;
  const parser = createParser({
    onEvent: ({ data }) => void waiting.push(data),
    onError: ({ type }) => (isTooLarge ||= type === "max-buffer-size-exceeded"), // other lines are ignored, as the standard says
    maxBufferSize: EVENT_LENGTH_MAX,
  });
  const take = (): readonly string[] => {
    if (isTooLarge) {
      throw new RuntimeError(
        "RUNTIME_CAPABILITY_TOO_LARGE",
        `An event of the stream is longer than ${EVENT_LENGTH_MAX}.`,
      );
    }
    const taken = waiting;
    waiting = [];
    return taken;
  };
  const decoder = new TextDecoder();
  for await (const chunk of chunks) {
    parser.feed(decoder.decode(chunk, { stream: true }));
    const taken = take();
    if (taken.length > 0) yield taken;
  }
  parser.feed(`${decoder.decode()}\n\n`); // an event that the server did not end with an empty line
  const rest = take();
  if (rest.length > 0) yield rest;
}
