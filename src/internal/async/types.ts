/**
 * What the library needs of a runtime's async context. `#async` is the implementation for the runtime at hand.
 */

/** A captured async context. */
export interface AsyncContext {
  runInAsyncScope<Args extends Array<unknown>, A>(f: (...args: Args) => A, self?: undefined, ...args: Args): A
}

/** A value that follows the async context. */
export interface Storage<A> {
  getStore(): A | undefined
  enterWith(value: A | undefined): void
  run<B>(value: A, f: () => B): B
}
