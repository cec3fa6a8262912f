/** An agent that grows: it starts subagents with its own code. */
import { agent } from "planaria/agent";

export default agent({
  version: 1,
  state: () => ({}),
  on: {
    async grow(ctx, ids: readonly string[]) {
      for (const id of ids) await ctx.spawn({ id });
    },
  },
});
