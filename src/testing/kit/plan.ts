/**
 * Which run: a seed, the requests that take part, and the choices where they are not the seed's.
 */

/** Which requests to run, and in what order. */
export interface Plan {
  readonly seed: number
  readonly requests: ReadonlyArray<number>
  /** The requests that wait for others before and after the subject. */
  readonly waiting: ReadonlyArray<number>
  /** Another schedule for the same seed: that of fewer requests is another one anyway. */
  readonly shift: number
  /** The schedule, choice by choice; without it the seed's. */
  readonly choices: ReadonlyArray<number> | undefined
  /** Whether to note where things happen, which costs time. */
  readonly explain: boolean
}

/** The run of a seed with so many requests. */
export const planOf = (seed: number, requests: number): Plan => {
  const all = Array.from({ length: requests }, (_, index) => index)
  return { seed, requests: all, waiting: all, shift: 0, choices: undefined, explain: false }
}

/** A plan as a failure prints it. */
export const encode = ({ choices, requests, seed, shift, waiting }: Plan): string =>
  [seed, shift, requests.join("."), waiting.join("."), choices === undefined ? "seed" : choices.join(".")].join(":")

/** The plan that a failure printed. */
export const decode = (replay: string): Plan => {
  const [seed, shift, requests, waiting, choices] = replay.split(":")
  const numbers = (text: string | undefined) => text === undefined || text === "" ? [] : text.split(".").map(Number)
  const plan: Plan = {
    seed: Number(seed),
    shift: Number(shift),
    requests: numbers(requests),
    waiting: numbers(waiting),
    choices: choices === "seed" ? undefined : numbers(choices),
    explain: true
  }
  if ([plan.seed, plan.shift, ...plan.requests, ...plan.waiting, ...plan.choices ?? []].some(Number.isNaN)) {
    throw new TypeError(
      `isolationTest: replay takes what a failed test printed, as in "4:0:3.7::0.1", and got ${JSON.stringify(replay)}`
    )
  }
  return plan
}
