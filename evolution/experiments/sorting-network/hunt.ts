/**
 * The search for small networks: one that sorts everything is edited, and a child that sorts everything too and is no larger takes its
 * place (as in bertdobbelaere/SorterHunter). Children of equal size are taken, so it drifts over a plateau until a comparator is idle.
 * After long without a smaller one it begins anew.
 *
 *   prefix + network -> edits -> sorts all? -> without idle comparators -> no larger? -> network
 *
 * The prefix is given, not found: a first layer, or the first four layers of Green's network for 16 wires, with
 * which Hillis began too. A network is a list of comparators, no program text, so this search has its own loop.
 */
import { seededRandom, type Random } from "../../../runtime/index.ts";
import { seedOf } from "../draws.ts";
import { edited, firstLayer, greenPrefix, randomSorter } from "./edits.ts";
import { allInputs, benchOf, inputsOf, outputsOf, pruned, sorts, type Bench, type Network } from "./network.ts";

/** Children without a smaller network before it begins anew, the first time; each time it waits longer, as a long search may need. */
const STALE_FIRST = 300_000;
const STALE_GROWTH = 1.5;
/** Edits of one child, at most. */
const EDITS_AT_ONCE = 4;

/** See the header. */
export class NetworkHunt {
  readonly wires: number;
  readonly prefix: Network;
  readonly #bench: Bench;
  readonly #random: Random;
  /** Where the search is; it may have begun anew. */
  #network: Network;
  #best: Network;
  #stale = 0;
  #staleMax = STALE_FIRST;
  #children = 0;
  #foundAt = 0;

  constructor(wires: number, seed: number) {
    this.wires = wires;
    this.prefix = wires === 16 ? greenPrefix(wires, 4) : firstLayer(wires);
    // Only what comes out of the prefix has to be sorted by the rest.
    this.#bench = benchOf(inputsOf(wires, outputsOf(this.prefix, allInputs(wires))));
    this.#random = seededRandom(seedOf(seed, wires));
    this.#network = this.#begun();
    this.#best = this.#network;
  }

  #begun(): Network {
    return pruned(randomSorter(this.#bench, this.#random), this.#bench);
  }

  /** Networks that were tested. */
  get children(): number {
    return this.#children;
  }

  /** The child that first had the best size. */
  get foundAt(): number {
    return this.#foundAt;
  }

  /** The best so far, prefix and all. It sorts every input. */
  get network(): Network {
    return Uint8Array.from([...this.prefix, ...this.#best]);
  }

  /** Comparators of the best so far. */
  get size(): number {
    return (this.prefix.length + this.#best.length) / 2;
  }

  /** Tests so many children. */
  step(count: number): void {
    for (let at = 0; at < count; at++) {
      this.#children += 1;
      this.#stale += 1;
      this.#settle(edited(this.#network, this.wires, EDITS_AT_ONCE, this.#random));
      if (this.#stale < this.#staleMax) continue;
      this.#network = this.#begun();
      this.#stale = 0;
      this.#staleMax *= STALE_GROWTH;
    }
  }

  #settle(child: Network): void {
    if (!sorts(child, this.#bench)) return;
    const lean = pruned(child, this.#bench);
    if (lean.length > this.#network.length) return;
    if (lean.length < this.#network.length) this.#stale = 0;
    this.#network = lean;
    if (lean.length >= this.#best.length) return;
    this.#best = lean;
    this.#foundAt = this.#children;
  }
}
