/**
 * Which run: a seed, the requests that take part, and the choices where they are not the seed's.
 */

import { readFileSync, writeFileSync } from "node:fs"
import { deflateRawSync, inflateRawSync } from "node:zlib"

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

// -----------------------------------------------------------------------------------------------------------------
// as text
// -----------------------------------------------------------------------------------------------------------------

/** Numbers, with those that follow each other as `3-9` and those that are the same as `0*7`. */
const numbersToText = (numbers: ReadonlyArray<number>): string => {
  const parts: Array<string> = []
  for (let start = 0, end = 1; start < numbers.length; start = end, end = start + 1) {
    const first = numbers[start]!
    while (numbers[end] === first) {
      end++
    }
    if (end - start > 1) {
      parts.push(`${first}*${end - start}`)
      continue
    }
    while (numbers[end] === first + end - start) {
      end++
    }
    parts.push(end - start > 1 ? `${first}-${numbers[end - 1]}` : `${first}`)
  }
  return parts.join(".")
}

const textToNumbers = (text: string): ReadonlyArray<number> =>
  text === "" ? [] : text.split(".").flatMap((part) => {
    const [, first, sign, second] = /^(\d+)(?:([*-])(\d+))?$/.exec(part)!
    const [from, to] = [Number(first), Number(second)]
    return sign === undefined
      ? [from]
      : sign === "*"
      ? Array<number>(to).fill(from)
      : Array.from({ length: to - from + 1 }, (_, index) => from + index)
  })

// longer ones are packed, and what is still longer goes into a file
const readable = 80
const pasted = 400

const textOf = ({ choices, requests, seed, shift, waiting }: Plan): string => {
  const text = [
    seed,
    shift,
    numbersToText(requests),
    numbersToText(waiting),
    ...choices === undefined ? [] : [numbersToText(choices)]
  ].join(":")
  return text.length <= readable ? text : `z${deflateRawSync(text).toString("base64url")}`
}

/** A plan as a failure prints it: a few characters, or the name of a file that is written beside the test. */
export const encode = (plan: Plan, test: string | undefined): string => {
  const text = textOf(plan)
  if (text.length <= pasted || test === undefined) {
    return text
  }
  const file = `${test}.seed-${plan.seed}.replay`
  writeFileSync(file, text)
  return `file:${file}`
}

const unpacked = (replay: string): string => {
  const text = replay.startsWith("file:") ? readFileSync(replay.slice("file:".length), "utf8").trim() : replay
  return text.startsWith("z") ? inflateRawSync(Buffer.from(text.slice(1), "base64url")).toString() : text
}

/** The plan that a failure printed. */
export const decode = (replay: string): Plan => {
  try {
    const parts = unpacked(replay).split(":").map(textToNumbers)
    const [[seed], [shift], requests, waiting, choices] = parts as [
      [number],
      [number],
      Array<number>,
      Array<number>,
      Array<number>?
    ]
    if (parts.length === 4 || parts.length === 5) {
      return { seed, shift, requests, waiting, choices, explain: true }
    }
  } catch {
    // a file that is not there, a text that was cut
  }
  throw new TypeError(
    `isolationTest: replay takes what a failed test printed, as in "4:0:3.7::0.1", and got ${JSON.stringify(replay)}`
  )
}
