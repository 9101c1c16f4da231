/**
 * What is thrown where an argument is not what the types say.
 */
import * as Inspectable from "effect/Inspectable"

/** A value in the words of a message. Gives words for every value, also for one that cannot be printed. */
export const describe = (value: unknown): string => {
  if (typeof value === "function") {
    return `the function ${value.name || "without a name"}`
  }
  try {
    return typeof value === "object" && value !== null ? Inspectable.toStringUnknown(value, 0) : String(value)
  } catch {
    return "a value that cannot be printed"
  }
}

/** The error for an argument: what was expected, with an example, and what came. */
export const invalidArgument = (expected: string, got: unknown): TypeError =>
  new TypeError(`${expected}, and got ${describe(got)}`)

/** Checks that an argument is a function. `example` is a call that would do. */
export const checkFunction = (operation: string, f: unknown, example: string = `${operation}(() => { … })`): void => {
  if (typeof f !== "function") {
    throw invalidArgument(`${operation} takes a function, as in ${example}`, f)
  }
}
