import { heapUsed } from "../support.js"

/** Less than the smallest object that could be kept, in bytes. */
export const flatly = 16

/**
 * What the heap grows by a round, in bytes: the least of up to five windows, for what is kept grows in each of them, and
 * what a compiler or another test allocates does not.
 */
export const growth = async (rounds: number, run: (rounds: number) => Promise<unknown>): Promise<number> => {
  await run(rounds)
  let before = await heapUsed()
  let least = Infinity
  for (let window = 0; window < 5 && least >= flatly; window++) {
    await run(rounds)
    const after = await heapUsed()
    least = Math.min(least, (after - before) / rounds)
    before = after
  }
  return least
}
