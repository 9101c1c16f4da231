/**
 * The choices of a run: drawn from a seed, or given.
 */
import { PCGRandom } from "effect/Utils"

/** A source of whole numbers. */
export interface Draws {
  /** A number from 0 to `bound - 1`. */
  next(bound: number): number
}

/** Numbers that depend on a seed and a stream alone: each user of chance has a stream of its own. */
export const seeded = (seed: number, stream: number): Draws => {
  const random = new PCGRandom(seed, 0, stream, 0)
  return { next: (bound) => random.integer(bound) }
}

/** Keeps what a source drew. */
export const recorded = (source: Draws, into: Array<number>): Draws => ({
  next: (bound) => {
    const drawn = source.next(bound)
    into.push(drawn)
    return drawn
  }
})

/** Draws what is given, and 0, the plainest choice, once that is used up. */
export const given = (choices: ReadonlyArray<number>): Draws => {
  let position = 0
  return { next: (bound) => (choices[position++] ?? 0) % bound }
}
