/**
 * What a scenario is: one library, used as its users write it, by requests that each have an id.
 *
 * A library that requests call gives the code of one request: `promises` and `effects`. A library that brings the requests
 * in, a server or a queue, gives `request`, and has `run` do the work of the one that has come in.
 */
import type { Effect, Layer, ManagedRuntime } from "effect"
import type { Servers } from "../servers/servers.js"

/** What became of the ids at a place: all were right, some were missing, or some were of another request. */
export type Result = "kept" | "lost" | "mixed"

/** The columns of the table. */
export interface Results {
  /** Promise code in an `AsyncLocalStorage`. */
  readonly bare: Result
  /** An `AsyncLocalStorage` around `Effect.runPromise`. */
  readonly effect: Result
  /** The same, once the request has waited for another one. The other ways do that too: it must change nothing there. */
  readonly woken: Result
  /** The same under `compat.layer`, and the context's own map. */
  readonly bridge: Result
}

/** What is expected of a place: what is not said is the rule, that Effect alone mixes what was woken, and all else is kept. */
export interface Expectation extends Partial<Results> {
  readonly why: string
  /** The line that keeps the value with the bridge, where it is not kept there. Another place of the scenario shows it. */
  readonly mend?: string
}

/** Notes which id is in force at a place of a request's code. */
export interface Check {
  (place: string): void
  readonly id: string
  /** Notes which id the library has recorded there: a log line's, a span's. */
  readonly saw: (place: string, recorded: unknown) => void
}

/** What one request does. */
export interface Code {
  readonly promises: (check: Check) => PromiseLike<unknown>
  readonly effects: (check: Check) => Effect.Effect<unknown, unknown, any>
  /** Runs the effects, where they need services of the library's. */
  readonly runtime?: ManagedRuntime.ManagedRuntime<any, any>
}

/** What a scenario is written with. */
export interface Tools {
  readonly servers: Servers
  /** What is under the scenario's own layers: nothing, or the bridge. */
  readonly layer: Layer.Layer<never>
  /** The id in force, for loggers and the like. */
  readonly currentId: () => string | undefined
  /** Starts a request, as a middleware does: `next`, and all that it starts, has the id. */
  readonly enter: <A>(id: string, next: () => A) => A
  /** Does the work of a request: once, and again after another request has let it on. */
  readonly run: (id: string, code: Code) => Promise<void>
  readonly checkOf: (id: string) => Check
  /** `compat.bind`, or `AsyncResource.bind` where the library is not used. */
  readonly bind: <F extends (...args: Array<any>) => unknown>(f: F) => F
  /** `compat.bindEmitter`, or the same with `AsyncLocalStorage.snapshot`. */
  readonly bindEmitter: <E extends NodeJS.EventEmitter>(emitter: E) => E
  /** `compat.outside`, or the same with `AsyncLocalStorage.snapshot`. */
  readonly outside: <A>(f: () => A) => A
}

export interface Stoppable {
  /** Closes what was opened. What ran late is checked before it ends. */
  readonly stop: () => PromiseLike<unknown> | void
}

export type Started = Stoppable & (Code | { readonly request: (id: string) => PromiseLike<unknown> })

export interface Scenario {
  readonly library: string
  /** The packages whose versions the table gives. */
  readonly packages: ReadonlyArray<string>
  readonly needs?: keyof Servers
  readonly start: (tools: Tools) => Started | Promise<Started>
  /** What Effect alone finds once woken, where that is not an id of another request: those had lost theirs. */
  readonly wokenBy?: Result
  readonly expected: Readonly<Record<string, Expectation>>
}

/** What becomes of a value that Node itself does not keep. */
export const everywhere = (result: Result): Results => ({ bare: result, effect: result, woken: result, bridge: result })
