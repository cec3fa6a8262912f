/**
 * The text of the audited agent, and how candidates are made from it: by replacing lines, and by wrapping handlers.
 *
 * The replaced lines carry no types, so that edits fit the sources and the built JavaScript alike.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { extname, join } from "node:path";

/** The version that serves. Beside this file, with the same extension: TypeScript in a clone, JavaScript in the package. */
const championFile: string = join(import.meta.dirname, `triage.agent${extname(import.meta.filename)}`);

/** Its text. */
export const championSource: string = readFileSync(championFile, "utf8");

/** The text with each edit made. Throws when a text to be replaced does not stand there exactly once. */
export function edited(...edits: readonly (readonly [find: string, by: string])[]): string {
  let source = championSource;
  for (const [find, by] of edits) {
    assert.equal(source.split(find).length, 2, `stands exactly once: ${find}`);
    source = source.replace(find, () => by);
  }
  return source;
}

/** The same behaviour in a text that no other candidate has, comments aside: each is judged for itself. */
export function salted(source: string, salt: string): string {
  return source.replace("let mark = 7;", () => `if (text === ${JSON.stringify(salt)}) return 0;\n  let mark = 7;`);
}

/** What a wrapped handler does besides: statements in which `ctx`, `arg`, `reply` and `method` stand for the turn's. */
export interface Wrapping {
  /** In the module, once. */
  readonly module?: string;
  /** Before the handler. */
  readonly before?: string;
  /** Behind it; may change `reply`. */
  readonly after?: string;
  /** Only handlers that may write. */
  readonly isWriting?: boolean;
}

/** The agent with every handler wrapped. */
export function wrapped({ module = "", before = "", after = "", isWriting = false }: Wrapping): string {
  return (
    championSource.replace("export default agent({", "const champion = ({") +
    `
${SHARE}
${module}
const around = (method, handle) => (ctx, arg) => {
  ${before}
  let reply = handle(ctx, arg);
  ${after}
  return reply;
};
const on = {};
for (const [method, handler] of Object.entries(champion.on)) {
  if (typeof handler === "function") on[method] = around(method, handler);
  else on[method] = ${isWriting ? "handler" : "{ ...handler, handle: around(method, handler.handle) }"};
}
export default agent({ ...champion, on });
`
  );
}

/** FNV-1a, as a number in [0, 1): chance that belongs to what was asked, so that it repeats. */
const SHARE = `
function shareOf(text) {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return ((hash ^ (hash >>> 13)) >>> 0) / 0x100000000;
}
`;
