/**
 * Holds what was measured against what a scenario expects.
 */
import type { Measured } from "./run-scenario.js"
import { requests } from "./run-scenario.js"
import type { Result, Results, Scenario } from "./scenario.js"
import type { Count } from "./tally.js"
import { resultOf } from "./tally.js"

export const columns = ["bare", "effect", "woken", "bridge"] as const satisfies ReadonlyArray<keyof Results>

/** What a value that nobody loses gives: Effect alone goes on in whoever woke it. */
const ruleOf = ({ wokenBy = "mixed" }: Scenario): Results => ({
  bare: "kept",
  effect: "kept",
  woken: wokenBy,
  bridge: "kept"
})

export const placesOf = (measured: Measured): ReadonlyArray<string> =>
  Array.from(new Set(columns.flatMap((column) => Object.keys(measured[column]))))

export const countOf = (measured: Measured, column: keyof Results, place: string): Count | undefined =>
  measured[column][place]

const differencesAt = (scenario: Scenario, measured: Measured, place: string): ReadonlyArray<string> =>
  columns.flatMap((column) => {
    const count = countOf(measured, column, place)
    // what is outside of `run` is not done again, and promise code has no streams of Effect's
    if (count === undefined) {
      return column === "woken" || column === "bare" ? [] : [`${column}, ${place}: never checked`]
    }
    const expected: Result = scenario.expected[place]?.[column] ?? ruleOf(scenario)[column]
    const result = resultOf(count)
    const { checks, foreign, missing } = count
    return [
      ...(checks < requests ? [`${column}, ${place}: ${checks} checks for ${requests} requests`] : []),
      ...(result === expected
        ? []
        : [`${column}, ${place}: ${result}, not ${expected} (${missing} missing, ${foreign} foreign of ${checks})`])
    ]
  })

/** All that is not as expected. */
export const differences = (scenario: Scenario, measured: Measured): ReadonlyArray<string> => {
  const places = placesOf(measured)
  const unmet = Object.keys(scenario.expected).filter((place) => !places.includes(place))
  return [
    ...places.flatMap((place) => differencesAt(scenario, measured, place)),
    ...unmet.map((place) => `${place}: expected, and never checked`)
  ].map((difference) => `${scenario.library}: ${difference}`)
}
