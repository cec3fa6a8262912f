/** An agent with good memory and two ways to ruin itself. */
import { agent } from "planaria/agent";

export default agent({
  version: 1,
  state: () => ({ notes: [] as string[] }),
  on: {
    remember(ctx, note: string): number {
      return ctx.state.notes.push(note);
    },
    /** Takes memory until there is none. */
    exhaust(): void {
      const hoard: number[][] = [];
      for (;;) hoard.push(Array<number>(32_768).fill(hoard.length));
    },
    /** Never comes back by itself. */
    spin(): void {
      for (;;);
    },
  },
});
