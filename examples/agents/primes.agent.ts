/** An agent that knows primes, slowly: it tries every divisor there is. `evolve.ts` proposes better, and worse. */
import { agent } from "planaria/agent";

function isPrime(n: number): boolean {
  for (let divisor = 2; divisor < n; divisor++) if (n % divisor === 0) return false;
  return n >= 2;
}

export default agent({
  version: 1,
  state: () => ({ asked: 0 }),
  on: {
    /** How many primes there are up to `n`. */
    count(ctx, n: number): number {
      ctx.state.asked += 1;
      let primes = 0;
      for (let candidate = 2; candidate <= n; candidate++) if (isPrime(candidate)) primes += 1;
      return primes;
    },
    asked: { reads: true, handle: (ctx): number => ctx.state.asked },
  },
});
