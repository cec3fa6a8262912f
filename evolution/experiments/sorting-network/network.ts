/**
 * Sorting networks, and the judge that says whether one sorts.
 *
 * A network of n wires sorts every input when it sorts each of the 2^n inputs of zeros and ones (Knuth, The Art of Computer
 * Programming 3, 5.3.4, theorem Z). So 32 inputs run at once: one word holds one wire's bit of each, a comparator is one AND
 * and one OR.
 *
 *   word w of wire i: bits of inputs 32 w .. 32 w + 31          [i * words + w]
 */

/** Pairs of wires, flat: comparator k puts the smaller of wires [2 k] and [2 k + 1] on the first; first < second. */
export type Network = Uint8Array;

/** Inputs of zeros and ones, sliced by wire. Of the last word's bits the spare ones repeat the last input. */
export interface Inputs {
  readonly wires: number;
  readonly words: number;
  readonly bits: Uint32Array;
}

/** Slices inputs, each given as a number whose bit i is what wire i carries. There is at least one. */
export function inputsOf(wires: number, inputs: readonly number[]): Inputs {
  const words = Math.ceil(inputs.length / 32);
  const bits = new Uint32Array(wires * words);
  for (let at = 0; at < words * 32; at++) {
    const input = inputs[Math.min(at, inputs.length - 1)]!;
    for (let wire = 0; wire < wires; wire++)
      if ((input >>> wire) & 1) bits[wire * words + (at >>> 5)]! |= 1 << (at & 31);
  }
  return { wires, words, bits };
}

/** Every input of zeros and ones. */
export function allInputs(wires: number): readonly number[] {
  return Array.from({ length: 2 ** wires }, (_, input) => input);
}

/** What comes out of a network for each of the inputs, each output once. */
export function outputsOf(network: Network, inputs: readonly number[]): readonly number[] {
  return [...new Set(inputs.map((input) => runOne(network, input)))];
}

/** One input of zeros and ones through the network. */
export function runOne(network: Network, input: number): number {
  let state = input;
  for (let at = 0; at < network.length; at += 2) {
    const [low, high] = [network[at]!, network[at + 1]!];
    // The smaller goes first: what must change is a one before a zero.
    const isOut = (state >>> low) & ~(state >>> high) & 1;
    state ^= (isOut << low) | (isOut << high);
  }
  return state;
}

/** Room for a run, to be used again and again. */
export interface Bench {
  readonly inputs: Inputs;
  readonly state: Uint32Array;
  /** One word of each wire. */
  readonly wire: Uint32Array;
  /** The word that the last network failed at. */
  hardest: number;
}

/** A bench for these inputs. */
export function benchOf(inputs: Inputs): Bench {
  return { inputs, state: new Uint32Array(inputs.bits.length), wire: new Uint32Array(inputs.wires), hardest: 0 };
}

/**
 * Whether the network sorts all inputs of the bench. Word by word, as most networks that are tried fail at the first; it begins where the
 * network before failed.
 */
export function sorts(network: Network, bench: Bench): boolean {
  const { words } = bench.inputs;
  for (let turn = 0; turn < words; turn++) {
    const word = (bench.hardest + turn) % words;
    if (sortsWord(network, bench, word)) continue;
    bench.hardest = word;
    return false;
  }
  return true;
}

function sortsWord(network: Network, { inputs: { wires, words, bits }, wire: state }: Bench, word: number): boolean {
  for (let wire = 0; wire < wires; wire++) state[wire] = bits[wire * words + word]!;
  for (let at = 0; at < network.length; at += 2) {
    const [low, high] = [network[at]!, network[at + 1]!];
    const [a, b] = [state[low]!, state[high]!];
    state[low] = a & b;
    state[high] = a | b;
  }
  for (let wire = 1; wire < wires; wire++) if ((state[wire - 1]! & ~state[wire]!) !== 0) return false;
  return true;
}

/** Per word, the inputs that are not sorted, as bits. */
export function failures(network: Network, bench: Bench): Uint32Array {
  run(network, bench);
  const { wires, words } = bench.inputs;
  const failed = new Uint32Array(words);
  for (let at = 0; at < (wires - 1) * words; at++) failed[at % words]! |= bench.state[at]! & ~bench.state[at + words]!;
  return failed;
}

function run(network: Network, { inputs, state }: Bench): void {
  const { words } = inputs;
  state.set(inputs.bits);
  for (let at = 0; at < network.length; at += 2) {
    let low = network[at]! * words;
    let high = network[at + 1]! * words;
    for (const end = low + words; low < end; low++, high++) {
      const [a, b] = [state[low]!, state[high]!];
      state[low] = a & b;
      state[high] = a | b;
    }
  }
}

/** The network without the comparators that never exchange anything on the bench's inputs. Sorts what it sorted. */
export function pruned(network: Network, { inputs, state }: Bench): Network {
  const { words } = inputs;
  const kept: number[] = [];
  state.set(inputs.bits);
  for (let at = 0; at < network.length; at += 2) {
    const [low, high] = [network[at]! * words, network[at + 1]! * words];
    let exchanges = 0;
    for (let word = 0; word < words; word++) {
      const [a, b] = [state[low + word]!, state[high + word]!];
      exchanges |= a & ~b;
      state[low + word] = a & b;
      state[high + word] = a | b;
    }
    if (exchanges !== 0) kept.push(network[at]!, network[at + 1]!);
  }
  return Uint8Array.from(kept);
}

/** The longest way through the network, in comparators. */
export function depthOf(network: Network): number {
  const depths = new Uint8Array(256);
  for (let at = 0; at < network.length; at += 2) {
    const [low, high] = [network[at]!, network[at + 1]!];
    depths[low] = depths[high] = 1 + Math.max(depths[low]!, depths[high]!);
  }
  return Math.max(0, ...depths);
}
