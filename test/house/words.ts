/**
 * Public words: error codes and event names. Callers switch on them, so they follow one pattern, are explained where
 * they are declared, and each refusal is shown by a test.
 */
import { basename } from "node:path";
import { folderOf, isOnFloor, literalText, place, walk, type House, type Node, type Source } from "./house.ts";
import type { Rule } from "./rule.ts";

interface Word {
  readonly text: string;
  readonly node: Node;
  readonly source: Source;
}

/** The string literals that appear as types in the floors' files of this name. */
function literalTypes(house: House, fileName: string): readonly Word[] {
  return house.sources
    .filter(({ path }) => isOnFloor(path) && basename(path) === fileName)
    .flatMap((source) =>
      [...walk(source.program)]
        .filter((node) => node.type === "TSLiteralType")
        .flatMap((node) => {
          const text = literalText(node.literal);
          return text === undefined ? [] : [{ text, node, source }];
        }),
    );
}

function codesOf(house: House): readonly Word[] {
  return literalTypes(house, "errors.ts").filter(({ text }) => /^[A-Z]+_/.test(text));
}

/** FLOOR_NOUN_CONDITION; where the noun is the floor itself, it is said once (RUNTIME_CLOSED). */
function isCode(text: string, floor: string): boolean {
  return new RegExp(`^${floor.toUpperCase()}(?:_[A-Z][A-Z0-9]*)+$`).test(text);
}

const codePattern: Rule = {
  title: "an error code reads FLOOR_NOUN_CONDITION and is explained where it is declared",
  findings: (house) =>
    codesOf(house).flatMap(({ text, node, source }) => {
      const findings: string[] = [];
      if (!isCode(text, folderOf(source.path))) findings.push(`${place(source, node.start)} ${text} does not fit`);
      if (!hasComment(source, node)) findings.push(`${place(source, node.start)} ${text} has no line of doc`);
      return findings;
    }),
  refuses: [
    {
      shows: "another floor's name",
      files: { "vault/errors.ts": 'export type C =\n  /** X. */\n  | "SANDBOX_HEAP_FULL";' },
    },
    { shows: "small letters", files: { "vault/errors.ts": 'export type C =\n  /** X. */\n  | "VAULT_wal_torn";' } },
    { shows: "no explanation", files: { "vault/errors.ts": 'export type C = "VAULT_WAL_TORN";' } },
  ],
  accepts: [{ shows: "a code", files: { "vault/errors.ts": 'export type C =\n  /** X. */\n  | "VAULT_WAL_TORN";' } }],
};

/** A comment that ends right before the literal, or follows it on its line. */
function hasComment({ text, comments }: Source, node: Node): boolean {
  return comments.some(({ start, end }) => {
    const isBefore = end <= node.start && /^[\s|]*$/.test(text.slice(end, node.start));
    return isBefore || (start >= node.end && !text.slice(node.end, start).includes("\n"));
  });
}

const codesTested: Rule = {
  title: "every error code is mentioned by a test",
  findings: (house) => {
    const tests = house.sources.filter(({ path }) => path.startsWith("test/") && !path.startsWith("test/house/"));
    return codesOf(house)
      .filter(({ text }) => !tests.some((test) => new RegExp(`\\b${text}\\b`).test(test.text)))
      .map(({ text, node, source }) => `${place(source, node.start)} ${text} is in no test`);
  },
  refuses: [{ shows: "an untested code", files: { "vault/errors.ts": 'export type C = "VAULT_WAL_TORN";' } }],
  accepts: [
    {
      shows: "a tested code",
      files: {
        "vault/errors.ts": 'export type C = "VAULT_WAL_TORN";',
        "test/vault/wal.test.ts": 'assert.equal(error.code, "VAULT_WAL_TORN");',
      },
    },
  ],
};

/** Past participles that do not end in -ed. */
const irregular = new Set([
  "lost",
  "sent",
  "torn",
  "run",
  "begun",
  "set",
  "found",
  "hit",
  "left",
  "kept",
  "put",
  "stuck",
  "frozen",
  "withheld",
]);

/** Words that belong to the verb before them: "handed over", "set aside". */
const particles = new Set(["over", "aside"]);

/** Names that are no verb in the past, each with its reason. */
const namedEvents: Readonly<Record<string, string>> = {
  "cell.stderr": "what a cell's process printed, under the stream's own name",
  "sandbox.layer_missing": "a layer was looked for and is missing",
};

const pastTense: Rule = {
  title: "an event is named noun.verb, in the past tense",
  findings: (house) =>
    literalTypes(house, "events.ts")
      .filter(({ text }) => text.includes(".") && !isPast(text) && !(text in namedEvents))
      .map(({ text, node, source }) => `${place(source, node.start)} "${text}" does not say what has happened`),
  refuses: ["cell.spawn", "agent.restarting", "Agent.exited", "agent.exited.twice"].map((name) => ({
    shows: name,
    files: { "vault/events.ts": `export type E = { readonly type: "${name}" };` },
  })),
  accepts: ["cell.spawned", "turn.lost", "agent.heap_exceeded", "agent.handed_over"].map((name) => ({
    shows: name,
    files: { "vault/events.ts": `export type E = { readonly type: "${name}" };` },
  })),
};

function isPast(name: string): boolean {
  const [, verb] = /^[a-z_]+\.([a-z_]+)$/.exec(name) ?? [];
  const last = verb?.split("_").findLast((word) => !particles.has(word)) ?? "";
  return last.endsWith("ed") || irregular.has(last);
}

/** All rules about public words. */
export const wordRules: readonly Rule[] = [codePattern, codesTested, pastTense];
