/**
 * Words of a task that a repair may need: numbers and texts of the description and of the tests that may be seen. A programmer would
 * take them from there, too.
 */

/** Constants worth trying, as they are written in a program. */
export interface Hints {
  readonly numbers: readonly string[];
  readonly texts: readonly string[];
}

/** Constants of each kind: the ones that are said first. */
const NUMBERS_MAX = 16;
const TEXTS_MAX = 24;
/** Longest text of a hint. */
const TEXT_UNITS_MAX = 24;
/** Characters of the sources that are read. */
const SOURCE_UNITS_MAX = 16_384;

/** Reads them from the given texts, the most telling first. */
export function hintsOf(sources: readonly string[]): Hints {
  const numbers = new Set<string>();
  const texts = new Set<string>();
  const single = new Set<string>();
  for (const whole of sources) {
    const source = whole.slice(0, SOURCE_UNITS_MAX);
    for (const [, text = ""] of source.matchAll(/(?<![A-Za-z])(?:'([^'\n]{0,80})'|"[^"\n]{0,80}")/g)) addText(text);
    for (const [quoted] of source.matchAll(/"([^"\n]{0,80})"/g)) addText(quoted.slice(1, -1));
    for (const [number] of source.matchAll(/(?<![\w.])-?\d{1,9}(?:\.\d{1,6})?(?![\w.])/g)) numbers.add(number);
  }
  function addText(text: string): void {
    if (text.length <= TEXT_UNITS_MAX) texts.add(text);
    // What lies in a text: its characters that are no letters or digits, and its words.
    for (const sign of text) if (!/[\p{L}\p{N}]/u.test(sign)) single.add(sign);
  }
  return {
    numbers: [...numbers].slice(0, NUMBERS_MAX),
    texts: [...[...single].slice(0, TEXTS_MAX / 2), ...texts].slice(0, TEXTS_MAX).map((text) => JSON.stringify(text)),
  };
}
