/**
 * What the librarian reads, and what it is asked.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { commentsOf, corpusOf, paragraphsOf, readCorpus, sentencesOf } from "../../../evolution/demo/corpus.ts";
import { curiousQuestion, questionAbout, requestAt } from "../../../evolution/demo/requests.ts";

const long = "This paragraph is long enough to be kept as a note.";

describe("a page of docs", () => {
  it("gives its paragraphs and list items, each in one line", () => {
    const page = `# Title\n\n${long}\nIt goes on.\n\n- First item, ${long}\n- Second item, ${long}\n`;
    assert.deepEqual(paragraphsOf(page), [`${long} It goes on.`, `- First item, ${long}`, `- Second item, ${long}`]);
  });

  it("gives no code, no table, no heading and nothing short", () => {
    const page = `## ${long}\n\n\`\`\`ts\nconst a = 1; // ${long}\n\n${long}\n\`\`\`\n\n| ${long} |\n\nShort.\n`;
    assert.deepEqual(paragraphsOf(page), []);
  });
});

describe("a source", () => {
  it("gives its documentation comments without their stars", () => {
    const source = `/**\n * ${long}\n * More.\n */\nconst a = 1; // ${long}\n/** ${long} */\n`;
    assert.deepEqual(commentsOf(source), [`${long} More.`, long]);
  });
});

describe("a corpus", () => {
  it("takes files until it has enough", () => {
    const { files, bytes, paragraphs } = corpusOf([["abc"], ["def", "ghi"], ["never"]], 4);
    assert.deepEqual({ files, bytes, paragraphs }, { files: 2, bytes: 9, paragraphs: ["abc", "def", "ghi"] });
  });

  it("of this package is real text of some size", () => {
    const { bytes, paragraphs, sentences } = readCorpus();
    assert.ok(bytes > 60_000, `${bytes} bytes`);
    assert.ok(paragraphs.length > 300, `${paragraphs.length} paragraphs`);
    assert.equal(new Set(sentences).size, sentences.length);
  });

  it("is cut into sentences that are worth keeping", () => {
    assert.deepEqual(sentencesOf(`${long} Short. And ${long}`), [long, `And ${long}`]);
  });
});

describe("a request", () => {
  const corpus = corpusOf([[`${long} Another sentence follows the first one here.`, `Something else: ${long}`]], 1_000);

  it("is the same whenever it has the same number", () => {
    for (let index = 0; index < 50; index++) {
      assert.deepEqual(requestAt(index, corpus, false), requestAt(index, corpus, false));
    }
  });

  it("adds a note, asks about that note, and asks about others", () => {
    const [add, ask, ...others] = [0, 1, 2, 3].map((index) => requestAt(index, corpus, false));
    assert.equal(add?.method, "add");
    assert.deepEqual(ask, { method: "ask", text: questionAbout(add.text) });
    assert.deepEqual(
      others.map(({ method }) => method),
      ["ask", "ask"],
    );
  });

  it("has only words of the corpus, until the client is curious", () => {
    const known = new Set(
      corpus.paragraphs
        .join(" ")
        .toLowerCase()
        .match(/[\p{L}\p{N}]+/gu),
    );
    const asked = (isCurious: boolean): readonly string[] =>
      Array.from({ length: 200 }, (_, index) => requestAt(index, corpus, isCurious)).flatMap(
        ({ text }) => text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [],
      );
    assert.deepEqual(
      asked(false).filter((word) => !known.has(word)),
      [],
    );
    assert.ok(asked(true).length < asked(false).length);
  });

  it("asks another question without a word each time it is curious", () => {
    assert.notEqual(curiousQuestion(3), curiousQuestion(11));
    assert.doesNotMatch(curiousQuestion(11), /[\p{L}\p{N}]/u);
  });

  it("asks by the longest words of a text, each once", () => {
    assert.equal(
      questionAbout("An owl, an OWL and a nightingale met the cuckoo's uncle."),
      "nightingale cuckoo uncle owl",
    );
  });
});
