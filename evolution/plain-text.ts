/**
 * Texts of a candidate, made safe for a terminal: what would move the cursor, change colours, ring, or turn the direction of
 * writing is shown as its code instead. Pure, linear in the text.
 */

/** C0 and C1 controls, DEL, marks and overrides of direction, separators of lines and paragraphs, invisible joiners, BOM. */
// oxlint-disable-next-line no-control-regex -- control characters are what is looked for
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/gu;

/** One line, whatever its length. */
function plainText(text: string): string {
  return text.toWellFormed().replaceAll(UNSAFE, shown);
}

/** One line of at most so many characters; a longer one says how long it is. */
export function clipped(text: string, charactersMax: number): string {
  if (text.length <= charactersMax) return plainText(text);
  return `${plainText(text.slice(0, charactersMax))}… (${text.length} characters)`;
}

function shown(character: string): string {
  if (character === "\t") return "  ";
  if (character === "\n") return "\\n";
  return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
}
