/**
 * Chance that a seed gives, and the choices of a schedule: drawn from a seed, or given.
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

/** Draws of each owner's own, so that in a run with fewer requests those that are left have the same ones. */
export const perOwner = (stream: (owner: number | undefined) => Draws): (owner: number | undefined) => Draws => {
  const streams = new Map<number | undefined, Draws>()
  return (owner) => {
    const draws = streams.get(owner) ?? stream(owner)
    streams.set(owner, draws)
    return draws
  }
}

/** Something that can go first. */
export interface Ranked {
  readonly rank: number
}

/** Makes the choices of a schedule. */
export interface Choices {
  /** The rank of something that becomes ready: of all that is ready, the highest goes first. */
  rank(owner: number | undefined): number
  /** Which of some that are ready goes first. */
  first(ready: ReadonlyArray<Ranked>): number
  /** A number from 0 to `bound - 1`, in a step of an owner's. */
  next(bound: number, owner: number | undefined): number
}

/** The choices of a seed. */
export const seededChoices = (drawsOf: (owner: number | undefined) => Draws): Choices => ({
  rank: (owner) => drawsOf(owner).next(2 ** 30),
  first: (ready) => ready.reduce((best, { rank }, index) => rank > ready[best]!.rank ? index : best, 0),
  next: (bound, owner) => drawsOf(owner).next(bound)
})

/** Choices that are given, and 0, the plainest one, once those are used up. */
export const givenChoices = (choices: ReadonlyArray<number>): Choices => {
  let position = 0
  const next = (bound: number): number => (choices[position++] ?? 0) % bound
  return { rank: () => 0, first: (ready) => next(ready.length), next }
}

/** Keeps what was chosen. */
export const recorded = (choices: Choices, into: Array<number>): Choices => {
  const keep = (choice: number): number => {
    into.push(choice)
    return choice
  }
  return {
    rank: (owner) => choices.rank(owner),
    first: (ready) => keep(choices.first(ready)),
    next: (bound, owner) => keep(choices.next(bound, owner))
  }
}
