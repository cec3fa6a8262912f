/** Letters in a table, one row each: more of them than its heap could hold. */
import { agent } from "planaria/agent";

interface Letter {
  readonly from: string;
  readonly text: string;
}

export default agent({
  version: 1,
  state: () => ({ count: 0 }),
  on: {
    file(ctx, letters: readonly Letter[]) {
      const archive = ctx.table<Letter>("letters");
      for (const letter of letters) archive.put(`${letter.from}/${String(ctx.state.count++).padStart(6, "0")}`, letter);
    },
    count: { reads: true, handle: (ctx) => ctx.state.count },
    read: { reads: true, handle: (ctx, key: string) => ctx.table<Letter>("letters").get(key) },
    keysFrom: {
      reads: true,
      async handle(ctx, who: { readonly from: string; readonly limit: number }) {
        const keys: string[] = [];
        const range = { prefix: `${who.from}/`, limit: who.limit };
        for await (const [key] of ctx.table<Letter>("letters").range(range)) keys.push(key);
        return keys;
      },
    },
    async burn(ctx, from: string) {
      const archive = ctx.table<Letter>("letters");
      let burnt = 0;
      for await (const [key] of archive.range({ prefix: `${from}/`, limit: 100 })) {
        archive.delete(key);
        burnt++;
      }
      return burnt;
    },
  },
});
