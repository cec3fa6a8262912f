/**
 * The agent that the suites measure: it does next to nothing, so that what is timed is the runtime, and it can fail.
 */
import { agent } from "planaria/agent";

type Memory = { count: number; [block: `block${number}`]: string };

/** Turns of this isolate. A new isolate starts at 0, so a reply of 1 proves that somebody new answered. */
let turns = 0;

export default agent({
  version: 1,
  state: (): Memory => ({ count: 0 }),
  on: {
    /** Writes one key; what it returns tells who answered and what is remembered. */
    add(ctx, by: number): { turns: number; count: number } {
      ctx.state.count += by;
      turns += 1;
      return { turns, count: ctx.state.count };
    },
    /** Adds keys of `bytes` each to the state, numbered from `from` up to before `to`. */
    fill(ctx, { from, to, bytes }: { from: number; to: number; bytes: number }): void {
      for (let number = from; number < to; number++) ctx.state[`block${number}`] = "x".repeat(bytes);
    },
    /** Never ends. */
    spin(): void {
      for (;;);
    },
    /** Takes memory until the isolate is thrown away. */
    exhaust(): void {
      const hoard: number[][] = [];
      for (;;) hoard.push(Array<number>(32_768).fill(hoard.length));
    },
  },
});
