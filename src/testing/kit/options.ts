/**
 * The options of an isolation test, and what a run makes of them.
 */
import * as Layer from "effect/Layer"
import type * as Context from "../../Context.js"
import type { AnyRequest, DefaultValues, RequestName, Storage, TestRequest } from "./request.js"

/**
 * Options of {@link isolationTest}.
 *
 * @since 1.0.0
 * @category options
 */
export interface IsolationOptions<Self, Values, ROut> {
  /** The number of concurrent requests. Default: 200. */
  readonly requests?: number
  /**
   * How many seeds to go through, from 1, or which. Default: 20. The environment variable `AIOCONTEXT_SEEDS` replaces a
   * number, for a longer run in CI.
   */
  readonly seeds?: number | ReadonlyArray<number>
  /** One seed: the one that a failure printed, say. */
  readonly seed?: number
  /** A shrunk run, as a failure printed it: runs that one and nothing else. */
  readonly replay?: string
  /** The values of a request. Values that two requests share are not watched. Default: {@link DefaultValues}. */
  readonly values?: (request: RequestName) => Values
  /** The context to watch: attached to each request, with its values. */
  readonly context?: Context.TagClass<Self, string, Values>
  /**
   * The `AsyncLocalStorage` instances to watch, any library's: each request enters them with its values, or with what
   * the function beside the storage makes of the request.
   */
  readonly storages?: ReadonlyArray<
    Storage<unknown> | readonly [storage: Storage<unknown>, store: (request: TestRequest<Values>) => unknown]
  >
  /** The services of the subject: built once a run, shared by its requests. */
  readonly layer?: Layer.Layer<ROut, unknown>
  /** Whether `compat.layer` is there. Default: true. */
  readonly bridge?: boolean
  /** Puts back what the subject keeps outside of itself; called before each run, so that runs do not see each other. */
  readonly reset?: () => void | PromiseLike<void>
  /** How long one run may work, and a tenth of it wait with nothing to do, in milliseconds. Default: 5,000. */
  readonly timeLimit?: number
}

/** The seeds to go through. */
export const seedsOf = ({ seed, seeds = 20 }: IsolationOptions<any, any, any>): ReadonlyArray<number> => {
  if (seed !== undefined) {
    return [seed]
  }
  if (typeof seeds !== "number") {
    return seeds
  }
  const length = Number(process.env["AIOCONTEXT_SEEDS"] ?? seeds)
  if (!Number.isInteger(length) || length < 1) {
    throw new TypeError(
      `AIOCONTEXT_SEEDS takes a number of seeds, as in AIOCONTEXT_SEEDS=1000, and got "${
        process.env["AIOCONTEXT_SEEDS"]
      }"`
    )
  }
  return Array.from({ length }, (_, index) => index + 1)
}

type AnySubject = (request: AnyRequest) => unknown

const makers = new WeakMap<AnySubject, () => AnySubject>()

/**
 * A subject that is made anew for each run: what `make` makes besides (a cache, a queue, a semaphore) no run shares with
 * another. For state in a module, which no function can make anew, there is the option `reset`.
 *
 * @since 1.0.0
 * @category testing
 */
export const perRun = <S extends AnySubject>(make: () => S): S => {
  const subject = (() => {
    throw new Error("perRun: this subject is for isolationTest alone, which makes it")
  }) as unknown as S
  makers.set(subject, make)
  return subject
}

/** What to run, and what to look at. */
export interface Setup {
  readonly makeSubject: () => AnySubject
  readonly context: Context.TagClass<any, string, any> | undefined
  readonly storages: ReadonlyArray<Watched>
  readonly values: (request: RequestName) => object
  readonly layer: Layer.Layer<any, any, never>
  readonly bridge: boolean
  readonly reset: () => unknown
  readonly limit: number
  /** How often a run may have nothing to do, a millisecond apart. */
  readonly patience: number
}

/** A storage to watch, and what a request enters it with. */
export interface Watched {
  readonly storage: Storage<unknown>
  readonly store: (request: AnyRequest) => unknown
}

const defaultValues = ({ mark }: RequestName): DefaultValues => ({
  request_id: `request_id${mark}`,
  user: `user${mark}`,
  tenant: `tenant${mark}`
})

/** What the options of a test say. */
export const setupOf = (subject: AnySubject, options: IsolationOptions<any, any, any>): Setup => {
  const { bridge = true, context, layer = Layer.empty, reset = () => {}, storages = [], timeLimit = 5_000 } = options
  return {
    makeSubject: makers.get(subject) ?? (() => subject),
    context,
    storages: storages.map((watched): Watched =>
      "getStore" in watched
        ? { storage: watched, store: (request) => request.values }
        : { storage: watched[0], store: watched[1] }
    ),
    values: options.values ?? defaultValues,
    layer: layer as Layer.Layer<any, any, never>,
    bridge,
    reset,
    limit: timeLimit,
    patience: timeLimit / 10
  }
}
