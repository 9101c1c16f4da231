/**
 * What a subject is given.
 */
import type * as Effect from "effect/Effect"

/**
 * What the values of a request are made from.
 *
 * @since 1.0.0
 * @category models
 */
export interface RequestName {
  readonly id: string
  readonly index: number
  /** Put this into every string, so that the kit knows the string wherever it turns up, in a longer one too. */
  readonly mark: string
}

/**
 * The values that a request has where the test does not say otherwise.
 *
 * @since 1.0.0
 * @category models
 */
export interface DefaultValues {
  readonly request_id: string
  readonly user: string
  readonly tenant: string
}

/**
 * What a subject is given: a request with values that no other request has.
 *
 * @since 1.0.0
 * @category models
 */
export interface TestRequest<Values> {
  /** The request's name in reports, such as `r7`. */
  readonly id: string
  /** The request's number, from 0. */
  readonly index: number
  /** What the request's own strings contain, such as `~r7~`: a string with another's mark is another's value. */
  readonly mark: string
  /** The request's values. */
  readonly values: Values
  /** Looks at a value that the code under test has here, and gives it back. A leak found here names this line. */
  readonly observe: <A>(value: A) => A
  /** Suspends, in a primitive that the seed picks, until another request or the kit wakes it. */
  readonly wait: Effect.Effect<void>
  /** The same for promise code. */
  readonly waitPromise: () => Promise<void>
}

// A subject takes the values of its own type: `any` is what all of them take.
export type AnyRequest = TestRequest<any>

/**
 * What an isolation test runs: an effect or an async handler, given a request.
 *
 * @since 1.0.0
 * @category types
 */
export type Subject<Values, R> = (
  request: TestRequest<Values>
) => Effect.Effect<unknown, unknown, R> | PromiseLike<unknown>

/**
 * An `AsyncLocalStorage`, of whatever library.
 *
 * @since 1.0.0
 * @category models
 */
export interface Storage<A> {
  /** What the running code is in. */
  getStore(): A | undefined
  /** Runs a function in a store. */
  run<B>(store: A, f: () => B): B
}
