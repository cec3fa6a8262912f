/** An agent that counts. It sees the language and `ctx`, nothing else; `ctx.state` is what it remembers. */
import { agent } from "planaria/agent";

export default agent({
  version: 1,
  state: () => ({ count: 0 }),
  on: {
    add(ctx, by: number): number {
      ctx.state.count += by;
      return ctx.state.count;
    },
    read: { reads: true, handle: (ctx): number => ctx.state.count },
  },
});
