/**
 * The context maps in plain promise code: an imperative, `Map`-like API on the same data, and the bridge that makes it
 * follow fibers.
 *
 * - **Task.** Imperative code belongs to the task that runs it: the fiber that called it, or a promise task. An `async`
 *   function that is awaited is the same task; `fork`, `all`, `timeout` and `context.run` start a child.
 * - **Fork.** A child starts with its parent's map, as the context's `fork` strategy says, and cannot change it.
 * - **Left-over code.** A timer or a promise that outlives the step of the fiber that started it goes on reading the
 *   map of that moment; what it sets stays its own.
 * - **Wake-ups.** Under {@link layer} a fiber goes on in the async context that it suspended with, whoever wakes it:
 *   for every `AsyncLocalStorage` of the process.
 *
 * The model is asyncio's: a task holds its context across its awaits, and a child task copies it.
 *
 * @since 1.0.0
 * @module
 */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type * as EffectLayer from "effect/Layer"
import type * as ManagedRuntime from "effect/ManagedRuntime"
import type * as Runtime from "effect/Runtime"
import type * as Context from "./Context.js"
import { Ctx } from "./Context.js"
import { checkFunction } from "./internal/argument.js"
import { specOf } from "./internal/region/context.js"
import * as binding from "./internal/task/bind.js"
import { makeMap } from "./internal/task/contextMap.js"
import { currentOrThrow } from "./internal/task/current.js"
import { bridgeLayer } from "./internal/task/layer.js"
import { forkEffect, forkFunction, toPromise } from "./internal/task/run.js"
import type * as running from "./internal/task/run.js"
import { withDeadline } from "./internal/task/timeout.js"

/**
 * The bridge: provide it once, at the root of the app. In its region imperative code follows fibers, and fibers keep
 * their async context across every suspension.
 *
 * It wraps the scheduler in force and never replaces it, and is gone from a fiber once its region is left. On Node 20 a
 * suspension costs well under a microsecond more with it.
 *
 * @example
 * ```ts
 * import { compat, Context } from "aiocontext"
 * import { Effect } from "effect"
 *
 * class Request extends Context.Tag("app/Request")<Request, { readonly request_id: string }>() {}
 * const request = compat.make(Request)
 *
 * const legacy = async () => {
 *   await Promise.resolve()
 *   return request.get("request_id")
 * }
 *
 * const handler = Effect.promise(legacy).pipe(Request.provide({ request_id: "r-1" }))
 * console.log(await Effect.runPromise(handler.pipe(Effect.provide(compat.layer)))) // => r-1
 * ```
 *
 * @since 1.0.0
 * @category layers
 */
export const layer: EffectLayer.Layer<never> = bridgeLayer

// -----------------------------------------------------------------------------------------------------------------
// the imperative map
// -----------------------------------------------------------------------------------------------------------------

/**
 * A context that a task can be run in: a `Context` of `aiocontext/compat/contextvars`.
 *
 * @since 1.0.0
 * @category models
 */
export type TaskContext = running.TaskContext

/**
 * Options of {@link fork}.
 *
 * @since 1.0.0
 * @category options
 */
export interface ForkOptions {
  /** Runs the task in this very context, across its awaits, and not in a copy of its parent's. */
  readonly context?: TaskContext
}

/**
 * Options of {@link ContextMap.runFork} and {@link runFork}.
 *
 * @since 1.0.0
 * @category options
 */
export interface RunOptions extends ForkOptions {
  /** Interrupts the fiber when it is aborted. */
  readonly signal?: AbortSignal
}

/**
 * The same, with a runtime for the services that the effect needs besides those of the task.
 *
 * @since 1.0.0
 * @category options
 */
export interface RuntimeOptions<R> extends RunOptions {
  /**
   * Gives its services, and what its layers have set. A map of its own for a context takes the place of the task's; the
   * task fills in the rest.
   */
  readonly runtime: Runtime.Runtime<R> | ManagedRuntime.ManagedRuntime<R, any>
}

/**
 * A context's map in imperative code: that of the task that runs the call.
 *
 * All members but `peek`, `attached` and `run` throw where there is no map: `NoTaskError` outside every task,
 * `BridgeError` in a fiber outside {@link layer}, `NotAttachedError` in a task that the context is not attached
 * to. A read takes a few nanoseconds, a write in a promise task too; in a fiber's code a write is one of the fiber's own.
 *
 * @example
 * ```ts
 * import { compat, Context, KeyNotFoundError } from "aiocontext"
 *
 * class Cart extends Context.Tag("app/Cart")<Cart, { readonly id: string; readonly items?: number }>() {}
 * const cart = compat.make(Cart)
 *
 * console.log(cart.attached, cart.peek("id", "none")) // => false none
 * cart.run({ id: "c-1" }, () => {
 *   cart.set("items", 2)
 *   console.log(cart.get("items"), cart.has("items"), cart.size) // => 2 true 2
 *   console.log(cart.locally({ items: 9 }, () => cart.get("items")), cart.toObject().items) // => 9 2
 *   console.log(cart.delete("items"), cart.get("items", 0), [...cart.keys()]) // => true 0 [ 'id' ]
 *   try {
 *     cart.getOrThrow("items")
 *   } catch (error) {
 *     console.log(error instanceof KeyNotFoundError) // => true
 *   }
 * })
 * ```
 *
 * @since 1.0.0
 * @category models
 */
export interface ContextMap<Self, Shape, Seed = Shape> extends Iterable<Context.Entry<Shape>> {
  /** The value of a key; `undefined` where an optional key is absent. */
  get<K extends Context.Key<Shape>>(key: K): Shape[K]
  /** The value of a key, or the fallback where it is absent. A stored `undefined` is present. */
  get<K extends Context.Key<Shape>, B>(key: K, fallback: B): Context.Value<Shape, K> | B
  /** The value of a key; throws `KeyNotFoundError` where it is absent. */
  getOrThrow<K extends Context.Key<Shape>>(key: K): Context.Value<Shape, K>
  /** The value of a key where there is a task, a map and the key; else `undefined`. Never throws. */
  peek<K extends Context.Key<Shape>>(key: K): Context.Value<Shape, K> | undefined
  /** The value of a key where there is a task, a map and the key; else the fallback. Never throws. */
  peek<K extends Context.Key<Shape>, B>(key: K, fallback: B): Context.Value<Shape, K> | B
  /** Whether there is a map here. Never throws. */
  readonly attached: boolean
  /** Sets a key. A fiber that waits for this code sees it as soon as it goes on. */
  set<K extends Context.Key<Shape>>(key: K, value: Context.Value<Shape, K>): void
  /** Whether a key is there, a stored `undefined` too. */
  has(key: Context.Key<Shape>): boolean
  /** Removes an optional key; `true` if it was there. */
  delete<K extends Context.Key<Shape>>(key: Context.Deletable<Shape, K>): boolean
  /** Removes the optional keys, as the tag's `clear` does: `Options.required` says which those are. */
  clear(): void
  /** The number of keys. */
  readonly size: number
  /** The keys of this moment, in no particular order. O(n), as all that goes through the map. */
  keys(): IterableIterator<Context.Key<Shape>>
  /** The values of this moment, in the order of `keys`. */
  values(): IterableIterator<Shape[Context.Key<Shape>]>
  /** The entries of this moment, in the order of `keys`. */
  entries(): IterableIterator<Context.Entry<Shape>>
  /** Calls `f` with each entry of this moment; what `f` sets is not visited. */
  forEach(f: (value: Shape[Context.Key<Shape>], key: Context.Key<Shape>) => void): void
  /** The entries in a plain object, `__proto__` and its like included. */
  toObject(): Shape
  /** Runs code as a new task with the context attached and seeded; gives what the code gives. */
  run<A>(entries: Seed, f: () => A): A
  /** Runs code as a child of this task, with these entries added to the map that is there. */
  locally<A>(entries: Partial<Shape>, f: () => A): A
  /** Runs an effect that needs the context, as a child of this task. Rejects as Effect's own `runPromise` does. */
  runPromise<A, E>(effect: Effect.Effect<A, E, Self>, options?: RunOptions): Promise<A>
  /** Runs an effect that needs the context and the services of a runtime: the one line of a handler in Express. */
  runPromise<A, E, R>(effect: Effect.Effect<A, E, Self | R>, options: RuntimeOptions<R>): Promise<A>
  /** Runs an effect that needs the context, as a child of this task, and gives its fiber. */
  runFork<A, E>(effect: Effect.Effect<A, E, Self>, options?: RunOptions): Fiber.RuntimeFiber<A, E>
  /** The same, with the services of a runtime. */
  runFork<A, E, R>(effect: Effect.Effect<A, E, Self | R>, options: RuntimeOptions<R>): Fiber.RuntimeFiber<A, E>
}

/**
 * The imperative map of a context. Makes no state: every map of a context is the same one.
 *
 * @example
 * ```ts
 * import { compat, Context } from "aiocontext"
 *
 * class Request extends Context.Tag("app/Request")<Request, { readonly request_id: string }>() {}
 * const request = compat.make(Request)
 *
 * const log = (line: string) => console.log(request.peek("request_id", "-"), line)
 *
 * log("starting") // => - starting
 * await request.run({ request_id: "r-1" }, async () => {
 *   await Promise.resolve()
 *   log("handling") // => r-1 handling
 * })
 * ```
 *
 * @since 1.0.0
 * @category constructors
 */
export const make = <Self, Id extends string, Shape, Seed = Shape>(
  tag: Context.TagClass<Self, Id, Shape, Seed>
): ContextMap<Self, Shape, Seed> => {
  const { map, runnerAt } = makeMap(specOf("compat.make", tag), tag)
  const runFork = (effect: Effect.Effect<unknown, unknown, unknown>, options?: running.EffectOptions) =>
    forkEffect(runnerAt("runFork"), effect, options)
  return Object.assign(map, {
    runFork,
    runPromise: (effect: Effect.Effect<unknown, unknown, unknown>, options?: running.EffectOptions) =>
      toPromise(runFork(effect, options))
  }) as unknown as ContextMap<Self, Shape, Seed>
}

/**
 * The imperative map of the ready-made `Ctx`: a dict, for any string key.
 *
 * @example
 * ```ts
 * import { context } from "aiocontext"
 *
 * context.run({ user: "ann" }, () => {
 *   context.set("page", 2)
 *   console.log(context.toObject()) // => { user: 'ann', page: 2 }
 * })
 * ```
 *
 * @since 1.0.0
 * @category contexts
 */
export const context: ContextMap<Ctx, Context.Dict> = /* @__PURE__ */ make(Ctx)

// -----------------------------------------------------------------------------------------------------------------
// child tasks
// -----------------------------------------------------------------------------------------------------------------

/**
 * The code of a child task.
 *
 * @since 1.0.0
 * @category types
 */
export type TaskFunction<A> = (signal: AbortSignal) => A | PromiseLike<A>

/**
 * Runs code as a child of this task: asyncio's `ensure_future`. The signal is never aborted. What the code throws
 * rejects the promise.
 *
 * @example
 * ```ts
 * import { compat, context } from "aiocontext"
 *
 * await context.run({ user: "ann" }, async () => {
 *   const seen = await compat.fork(async () => {
 *     context.set("user", "bob")
 *     return context.get("user")
 *   })
 *   console.log(seen, context.get("user")) // => bob ann
 * })
 * ```
 *
 * @since 1.0.0
 * @category tasks
 */
export const fork = <A>(f: TaskFunction<A>, options?: ForkOptions): Promise<A> =>
  forkFunction("compat.fork", f, options)

/**
 * Runs each function as a child of this task and waits for all: asyncio's `gather`. Rejects with the first failure; the
 * others run on.
 *
 * @example
 * ```ts
 * import { compat, context } from "aiocontext"
 *
 * await context.run({ request_id: "r-1" }, async () => {
 *   const page = (n: number) => async () => `${context.get("request_id")}/${n}`
 *   console.log(await compat.all([page(1), page(2)])) // => [ 'r-1/1', 'r-1/2' ]
 * })
 * ```
 *
 * @since 1.0.0
 * @category tasks
 */
export const all = <const Fs extends ReadonlyArray<TaskFunction<unknown>>>(
  fs: Fs
): Promise<{ -readonly [K in keyof Fs]: Awaited<ReturnType<Fs[K]>> }> => {
  const functions = Array.from(fs)
  // each with a value of its function's
  return Promise.all(functions.map((f) => forkFunction("compat.all", f))) as Promise<never>
}

/**
 * Runs code as a child of this task for so long at most: asyncio's `wait_for`. A task that is late rejects with Effect's
 * `TimeoutException`, and its signal is aborted: code that does not heed the signal runs on, unheard.
 *
 * @example
 * ```ts
 * import { compat, context } from "aiocontext"
 * import { setTimeout } from "node:timers/promises"
 *
 * await context.run({}, async () => {
 *   const late = compat.timeout((signal) => setTimeout(60_000, "done", { signal }), "10 millis")
 *   await late.catch((error) => console.log(error.message))
 *   // => compat.timeout: the task took longer than 10ms
 * })
 * ```
 *
 * @since 1.0.0
 * @category tasks
 */
export const timeout = <A>(f: TaskFunction<A>, duration: Duration.DurationInput): Promise<A> =>
  withDeadline("compat.timeout", duration, (signal) => forkFunction("compat.timeout", f, { signal }))

// -----------------------------------------------------------------------------------------------------------------
// captured tasks
// -----------------------------------------------------------------------------------------------------------------

/**
 * The function, run in this task whoever calls it: for callbacks and event emitters. In a fiber's code the task is the
 * step that runs: once the fiber has gone on, the function is left-over code.
 *
 * @example
 * ```ts
 * import { compat, context } from "aiocontext"
 * import { EventEmitter } from "node:events"
 *
 * const socket = new EventEmitter()
 * context.run({ request_id: "r-1" }, () => {
 *   socket.on("data", compat.bind(() => console.log(context.get("request_id"))))
 * })
 * socket.emit("data") // => r-1
 * ```
 *
 * @since 1.0.0
 * @category tasks
 */
export const bind = <This, Args extends Array<unknown>, A>(
  f: (this: This, ...args: Args) => A
): (this: This, ...args: Args) => A => binding.bind("compat.bind", f)

/**
 * Keeps this task, to run other code in it later: as {@link bind}, for functions that are not known yet.
 *
 * @example
 * ```ts
 * import { compat, context } from "aiocontext"
 *
 * const inTask = context.run({ request_id: "r-1" }, () => compat.snapshot())
 * console.log(context.peek("request_id", "none")) // => none
 * console.log(inTask(() => context.get("request_id"))) // => r-1
 * ```
 *
 * @since 1.0.0
 * @category tasks
 */
export const snapshot = (): <A>(f: () => A) => A => {
  const inTask = binding.makeSnapshot("compat.snapshot")
  return (f) => {
    checkFunction("compat.snapshot()", f)
    return inTask(f)
  }
}

/**
 * Has an event emitter bind what is listened with from here on, as {@link bind} does; gives the emitter. A listener can be
 * removed by the function that it was added with, as before.
 *
 * @example
 * ```ts
 * import { compat, context } from "aiocontext"
 * import { EventEmitter } from "node:events"
 *
 * const bus = new EventEmitter()
 * const print = () => console.log(context.get("request_id"))
 * context.run({ request_id: "r-1" }, () => compat.bindEmitter(bus).on("event", print))
 * bus.emit("event") // => r-1
 * bus.off("event", print)
 * ```
 *
 * @since 1.0.0
 * @category tasks
 */
export const bindEmitter = <E extends binding.Emitter>(emitter: E): E => binding.bindEmitter(emitter)

/**
 * Runs a function outside every task, with every `AsyncLocalStorage` empty; gives what the function gives. For pools, timers
 * and clients that are made lazily, in whatever request comes first, and belong to none.
 *
 * @example
 * ```ts
 * import { compat, context } from "aiocontext"
 *
 * context.run({ request_id: "r-1" }, () => {
 *   console.log(compat.outside(() => context.peek("request_id", "none"))) // => none
 * })
 * ```
 *
 * @since 1.0.0
 * @category tasks
 */
export const outside = <A>(f: () => A): A => binding.outside(f)

/**
 * Runs an effect inside a scope that is entered with a callback: of an `AsyncLocalStorage`, of OpenTelemetry's
 * `context.with`, of Sentry's `withIsolationScope`. `enter` is called when the effect starts, and calls its argument at once.
 * What the scope sets is there in all of the effect, and gone after it. Costs two yields. A fiber outside {@link layer} dies
 * of a `BridgeError`.
 *
 * @example
 * ```ts
 * import { compat } from "aiocontext"
 * import { Effect } from "effect"
 * import { AsyncLocalStorage } from "node:async_hooks"
 *
 * const tenant = new AsyncLocalStorage<string>()
 * const program = Effect.sync(() => tenant.getStore()).pipe(compat.within((f) => tenant.run("acme", f)))
 * console.log(await Effect.runPromise(Effect.provide(program, compat.layer))) // => acme
 * ```
 *
 * @since 1.0.0
 * @category tasks
 */
export const within =
  (enter: (f: () => void) => unknown) => <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    binding.within(effect, enter)

// -----------------------------------------------------------------------------------------------------------------
// back to Effect
// -----------------------------------------------------------------------------------------------------------------

/**
 * Runs an effect as a child of this task, with everything that its fiber had: context maps, log annotations, the current
 * span, services. An effect that needs a service which is not there dies with Effect's "Service not found".
 *
 * The way back into Effect from promise code: Effect's own `runPromise` starts from nothing.
 *
 * @example
 * ```ts
 * import { compat, context, ContextLayer, Ctx } from "aiocontext"
 * import { Effect } from "effect"
 *
 * const greet = Effect.map(Ctx.get("user"), (user) => `hello ${user}`)
 *
 * const legacy = async () => {
 *   context.set("user", "ann")
 *   return compat.runPromise(greet)
 * }
 *
 * const program = Effect.promise(legacy)
 * console.log(await Effect.runPromise(Effect.provide(program, ContextLayer))) // => hello ann
 * ```
 *
 * @since 1.0.0
 * @category tasks
 */
export const runPromise = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  options?: RunOptions | RuntimeOptions<any>
): Promise<A> => toPromise(runFork(effect, options))

/**
 * Runs an effect as a child of this task, as {@link runPromise} does, and gives its fiber.
 *
 * @since 1.0.0
 * @category tasks
 */
export const runFork = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  options?: RunOptions | RuntimeOptions<any>
): Fiber.RuntimeFiber<A, E> =>
  forkEffect(currentOrThrow("compat.runFork"), effect as Effect.Effect<A, E, unknown>, options)
