/**
 * How much two texts have in common, from 64 numbers each: MinHash over runs of five tokens (Broder, "On the resemblance and
 * containment of documents", 1997).
 */

/** Numbers of a sketch. */
const HASHES = 64;
/** Tokens of a run. */
const RUN = 5;
/** A word, a number, a text, or one other sign; comments and blanks are none. No start of a match looks far for an end. */
const TOKEN =
  /\/\/.*|\/\*[^]*?(?:\*\/|$)|[\p{ID_Start}$_][\p{ID_Continue}$]*|\d[\w.]*|"(?:[^"\\\n]|\\.){0,200}"|'(?:[^'\\\n]|\\.){0,200}'|\S/gu;

/** What is kept of a text. */
export type Sketch = Uint32Array;

/** The sketch of a text; time goes with its length. */
export function sketchOf(text: string): Sketch {
  const tokens = tokensOf(text).map(hashOf);
  const sketch = new Uint32Array(HASHES).fill(0xffff_ffff);
  for (let at = 0; at === 0 || at + RUN <= tokens.length; at++) {
    let run = 0x811c_9dc5;
    for (const token of tokens.slice(at, at + RUN)) run = Math.imul(run ^ token, 0x0100_0193);
    for (let number = 0; number < HASHES; number++) {
      const value = mixed(run ^ Math.imul(number + 1, 0x9e37_79b1));
      if (value < (sketch[number] ?? 0)) sketch[number] = value;
    }
  }
  return sketch;
}

/** Which share of their runs two texts have in common, roughly (an error of 6 % is usual): 1 for equal ones. */
export function resemblance(a: Sketch, b: Sketch): number {
  let equal = 0;
  for (let number = 0; number < HASHES; number++) if (a[number] === b[number]) equal++;
  return equal / HASHES;
}

function tokensOf(text: string): readonly string[] {
  return (text.match(TOKEN) ?? []).filter((token) => !token.startsWith("//") && !token.startsWith("/*"));
}

/** FNV-1a of its units (Fowler, Noll and Vo). */
function hashOf(token: string): number {
  let hash = 0x811c_9dc5;
  for (let at = 0; at < token.length; at++) hash = Math.imul(hash ^ token.charCodeAt(at), 0x0100_0193);
  return hash;
}

/** Every bit depends on every other: the finalizer of MurmurHash3 (aappleby/smhasher src/MurmurHash3.cpp, fmix32). */
function mixed(value: number): number {
  let bits = value;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85eb_ca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2_ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}
