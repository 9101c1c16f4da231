/**
 * Counts what was seen at each place.
 */
import type { Check, Result } from "./scenario.js"

export interface Count {
  readonly checks: number
  readonly missing: number
  readonly foreign: number
}

export type Counts = Readonly<Record<string, Count>>

export const resultOf = ({ foreign, missing }: Count): Result => {
  if (foreign > 0) {
    return "mixed"
  }
  return missing > 0 ? "lost" : "kept"
}

export class Tally {
  readonly counts: Record<string, Count> = {}

  /** The checks of a request, of which `seen` gives the ids in force. */
  checkOf(id: string, seen: () => ReadonlyArray<string | undefined>): Check {
    return Object.assign((place: string) => this.note(place, id, seen()), {
      id,
      saw: (place: string, recorded: unknown) => this.note(place, id, [recorded])
    })
  }

  private note(place: string, id: string, seen: ReadonlyArray<unknown>): void {
    const { checks, foreign, missing } = this.counts[place] ?? { checks: 0, missing: 0, foreign: 0 }
    const isMissing = (value: unknown) => value === undefined || value === null
    const isForeign = (value: unknown) => !isMissing(value) && value !== id
    this.counts[place] = {
      checks: checks + 1,
      missing: missing + Number(seen.some(isMissing)),
      foreign: foreign + Number(seen.some(isForeign))
    }
  }
}
