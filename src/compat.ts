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
 * @module
 */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as HashMap from "effect/HashMap"
import type * as EffectLayer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Context from "./Context.js"
import { Ctx } from "./Context.js"
import { KeyNotFoundError, NotAttachedError } from "./errors.js"
import * as attachments from "./internal/attachment.js"
import type * as bags from "./internal/bag.js"
import * as engine from "./internal/engine.js"
import * as specs from "./internal/spec.js"
import * as tasks from "./internal/task.js"

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
 */
export const layer: EffectLayer.Layer<never> = /* @__PURE__ */ engine.bridgeLayer(tasks.hooks)

// -----------------------------------------------------------------------------------------------------------------
// the imperative map
// -----------------------------------------------------------------------------------------------------------------

/** A context that a task can be run in: a `Context` of `aiocontext/compat/contextvars`. */
export type TaskContext = tasks.TaskContext

/** Options of {@link fork}. */
export interface ForkOptions {
  /** Runs the task in this very context, across its awaits, and not in a copy of its parent's. */
  readonly context?: TaskContext
}

/** Options of {@link ContextMap.runFork} and {@link runFork}. */
export interface RunOptions extends ForkOptions {
  /** Interrupts the fiber when it is aborted. */
  readonly signal?: AbortSignal
}

/**
 * A context's map in imperative code: that of the task that runs the call.
 *
 * All members but `peek`, `attached` and `run` throw where there is no map: `NoTaskError` outside every task,
 * `BridgeError` in a fiber outside {@link layer}, {@link NotAttachedError} in a task that the context is not attached
 * to.
 */
export interface ContextMap<Self, Shape> extends Iterable<readonly [Context.Key<Shape>, Shape[Context.Key<Shape>]]> {
  /** The value of a key; `undefined` where an optional key is absent. */
  get<K extends Context.Key<Shape>>(key: K): Shape[K]
  /** The value of a key, or the fallback where it is absent. A stored `undefined` is present. */
  get<K extends Context.Key<Shape>, B>(key: K, fallback: B): Context.Value<Shape, K> | B
  /** The value of a key; throws {@link KeyNotFoundError} where it is absent. */
  getOrThrow<K extends Context.Key<Shape>>(key: K): Context.Value<Shape, K>
  /** The value of a key where there is a task, a map and the key; else `undefined`. Never throws. */
  peek<K extends Context.Key<Shape>>(key: K): Context.Value<Shape, K> | undefined
  /** The value of a key where there is a task, a map and the key; else the fallback. Never throws. */
  peek<K extends Context.Key<Shape>, B>(key: K, fallback: B): Context.Value<Shape, K> | B
  /** Whether there is a map here. Never throws. */
  readonly attached: boolean
  /** Sets a key. A fiber that waits for this code sees it as soon as it goes on. */
  set<K extends Context.Key<Shape>>(key: K, value: Context.Value<Shape, K>): void
  /** Whether a key is there. */
  has(key: Context.Key<Shape>): boolean
  /** Removes an optional key; `true` if it was there. */
  delete<K extends Context.OptionalKey<Shape>>(key: K): boolean
  /** Removes the optional keys, as the tag's `clear` does. */
  clear(): void
  /** The number of keys. */
  readonly size: number
  /** The keys of this moment, in no particular order. */
  keys(): IterableIterator<Context.Key<Shape>>
  /** The values of this moment, in the order of `keys`. */
  values(): IterableIterator<Shape[Context.Key<Shape>]>
  /** The entries of this moment, in the order of `keys`. */
  entries(): IterableIterator<[Context.Key<Shape>, Shape[Context.Key<Shape>]]>
  /** Calls `f` with each entry of this moment; what `f` sets is not visited. */
  forEach(f: (value: Shape[Context.Key<Shape>], key: Context.Key<Shape>) => void): void
  /** The entries in a plain object, `__proto__` and its like included. */
  toObject(): Shape
  /** Runs code as a new task with the context attached and seeded; gives what the code gives. */
  run<A>(entries: Shape, f: () => A): A
  /** Runs an effect that needs the context, as a child of this task. */
  runPromise<A, E>(effect: Effect.Effect<A, E, Self>, options?: RunOptions): Promise<A>
  /** Runs an effect that needs the context, as a child of this task, and gives its fiber. */
  runFork<A, E>(effect: Effect.Effect<A, E, Self>, options?: RunOptions): Fiber.RuntimeFiber<A, E>
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
 */
export const make = <Self, Id extends string, Shape>(
  tag: Context.TagClass<Self, Id, Shape>
): ContextMap<Self, Shape> => {
  const spec = specs.specOf(tag)
  const { definition, ref } = spec
  const id = definition.key
  const { all, entry, modify, value } = specs.mapIn(spec, tasks.places)

  const attachmentOf = (place: tasks.Place, operation: string): attachments.Attachment => {
    const attachment = tasks.serviceOf(place, id) as attachments.Attachment | undefined
    if (!attachment) {
      throw new NotAttachedError({ context: id, operation: `context.${operation}` })
    }
    return attachment
  }

  /** The running task, if the context is attached to it. */
  const attachedPlace = (): tasks.Place | undefined => {
    const place = tasks.locate()
    return place && (tasks.indexOf(place, ref) ?? tasks.serviceOf(place, id))
      ? place
      : undefined
  }

  const at = <A>(
    operation: string,
    f: (place: tasks.Place, attachment: attachments.Attachment) => A
  ): A => {
    const place = tasks.currentOrThrow(`context.${operation}`)
    return f(place, attachmentOf(place, operation))
  }

  const entryAt = (operation: string, key: string): Option.Option<unknown> =>
    at(operation, (place, attachment) => entry(place, attachment, key))

  const modifyAt = (operation: string, f: attachments.Modify): boolean =>
    at(operation, (place, attachment) => {
      tasks.settle(place)
      return modify(place, attachment, f)
    })

  const flush = (task: tasks.Task, index: bags.Bag): void => {
    modify(task, attachmentOf(task, "set"), HashMap.union(HashMap.fromIterable(Object.entries(index))))
  }

  const allAt = (operation: string): attachments.Entries => at(operation, all)

  const read = (place: tasks.Place, key: string, fallback: unknown): unknown => {
    const index = tasks.indexOf(place, ref)
    if (index) {
      return readIndex(index, key, fallback)
    }
    const attachment = attachmentOf(place, "get")
    const own = value(place, attachment)
    const whole = attachments.wholeOf(own, attachment)
    if (whole) {
      tasks.countRead(place, ref, whole)
    }
    const found = attachments.getEntry(own, attachment, key)
    return found._tag === "Some" ? found.value : fallback
  }

  const runFork = <A, E>(
    effect: Effect.Effect<A, E, never>,
    options?: RunOptions
  ): Fiber.RuntimeFiber<A, E> => at("runFork", (place) => start(place, effect, options))

  const entries = (): IterableIterator<[string, unknown]> => HashMap.entries(allAt("entries"))

  // in an object that has accessors of its own, the JavaScript engine looks up each member by its name
  const accessors = {
    get attached() {
      return !!attachedPlace()
    },
    get size() {
      return HashMap.size(allAt("size"))
    }
  }

  const map = {
    get(key: string, fallback?: unknown) {
      const index = tasks.currentIndex(ref)
      return index === undefined
        ? read(tasks.currentOrThrow("context.get"), key, fallback)
        : readIndex(index, key, fallback)
    },
    getOrThrow: (key: string) =>
      Option.getOrThrowWith(
        entryAt("getOrThrow", key),
        () => new KeyNotFoundError({ context: id, key })
      ),
    peek(key: string, fallback?: unknown) {
      const place = attachedPlace()
      return place ? read(place, key, fallback) : fallback
    },
    set(key: string, value: unknown) {
      if (!tasks.setIndexed(ref, key, value, flush)) {
        modifyAt("set", HashMap.set(key, value))
      }
    },
    has: (key: string) => Option.isSome(entryAt("has", key)),
    delete: (key: string) => modifyAt("delete", specs.remove(key)),
    clear() {
      modifyAt("clear", specs.clear(spec))
    },
    keys: () => HashMap.keys(allAt("keys")),
    values: () => HashMap.values(allAt("values")),
    entries,
    [Symbol.iterator]: entries,
    forEach: (f: (value: unknown, key: string) => void) => HashMap.forEach(allAt("forEach"), f),
    toObject: () => Object.fromEntries(allAt("toObject")),
    run<A>(entries: object, f: () => A): A {
      checkFunction("context.run", f)
      const seed = specs.bagOf("context.run", entries)
      const parent = tasks.childState()
      const task = tasks.make(() =>
        engine.attachState(
          parent,
          ref,
          attachments.makeAttachment(
            definition,
            HashMap.fromIterable(Object.entries(seed)),
            engine.serviceOf(parent, id),
            false,
            tag
          )
        )
      )
      if (!attachments.isLinked(spec)) {
        tasks.startReading(task, ref, seed)
      }
      return tasks.runIn(task, f)
    },
    runPromise: <A, E>(effect: Effect.Effect<A, E, never>, options?: RunOptions): Promise<A> =>
      toPromise(runFork(effect, options)),
    runFork
  }
  return Object.assign(Object.create(accessors), map)
}

const readIndex = (index: bags.Bag, key: string, fallback: unknown): unknown => {
  const value = index[key]
  return value !== undefined || key in index ? value : fallback
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
 */
export const context: ContextMap<Ctx, Context.Dict> = /* @__PURE__ */ make(Ctx)

// -----------------------------------------------------------------------------------------------------------------
// child tasks
// -----------------------------------------------------------------------------------------------------------------

/** The code of a child task. */
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
 */
export const fork = <A>(f: TaskFunction<A>, options?: ForkOptions): Promise<A> => forkWith("compat.fork", f, options)

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
 */
export const all = <const Fs extends ReadonlyArray<TaskFunction<unknown>>>(
  fs: Fs
): Promise<{ -readonly [K in keyof Fs]: Awaited<ReturnType<Fs[K]>> }> => {
  const functions = Array.from(fs)
  functions.forEach((f) => checkFunction("compat.all", f))
  return Promise.all(functions.map((f) => forkWith("compat.all", f))) as Promise<any>
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
 */
export const timeout = <A>(f: TaskFunction<A>, duration: Duration.DurationInput): Promise<A> => {
  const millis = Duration.toMillis(Option.getOrThrowWith(
    Number.isNaN(duration) ? Option.none() : Duration.decodeUnknown(duration),
    () => specs.mistake(`compat.timeout takes a duration, as in compat.timeout(fn, "2 seconds")`, duration)
  ))
  const controller = new AbortController()
  const result = forkWith("compat.timeout", f, undefined, controller)
  if (millis >= 2 ** 31) {
    // a longer timer would fire at once
    return result
  }
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      const late = new Cause.TimeoutException(`compat.timeout: the task took longer than ${Duration.format(duration)}`)
      controller.abort(late)
      reject(late)
    }, millis)
    result.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}

const checkFunction = (operation: string, f: unknown): void => {
  if (typeof f !== "function") {
    throw specs.mistake(`${operation} takes a function, as in ${operation}(async () => { … })`, f)
  }
}

type Install = TaskContext["~aiocontext/install"]

const installOf = (operation: string, options: ForkOptions | undefined): Install => {
  const context = options?.context
  if (context !== undefined && !context?.["~aiocontext/install"]) {
    throw specs.mistake(
      `${operation} takes a context of contextvars, as in { context: copyContext() }`,
      context
    )
  }
  return (state) => context ? context["~aiocontext/install"](state) : state
}

const forkWith = <A>(
  operation: string,
  f: TaskFunction<A>,
  options?: ForkOptions,
  { signal } = new AbortController()
): Promise<A> => {
  checkFunction(operation, f)
  const install = installOf(operation, options)
  const child = tasks.fork(tasks.currentOrThrow(operation), install)
  return tasks.runIn(child, async () => f(signal))
}

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
 */
export const bind = <Args extends Array<unknown>, A>(f: (...args: Args) => A): (...args: Args) => A => {
  checkFunction("compat.bind", f)
  const inTask = capture("compat.bind")
  return function(this: unknown, ...args) {
    return inTask(() => f.apply(this, args))
  }
}

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
 */
export const snapshot = (): <A>(f: () => A) => A => {
  const inTask = capture("compat.snapshot")
  return (f) => {
    checkFunction("compat.snapshot()", f)
    return inTask(f)
  }
}

const capture = (operation: string) => {
  const task = tasks.capture(tasks.currentOrThrow(operation))
  return <A>(f: () => A): A => tasks.runIn(task, f)
}

// -----------------------------------------------------------------------------------------------------------------
// back to Effect
// -----------------------------------------------------------------------------------------------------------------

const start = <A, E>(
  place: tasks.Place,
  effect: Effect.Effect<A, E, unknown>,
  options: RunOptions | undefined
): Fiber.RuntimeFiber<A, E> => {
  const install = installOf("compat.runFork", options)
  const fiber = engine.runFork<A, E>(engine.withBridge(tasks.stateOf(place)), effect, install)
  const signal = options?.signal
  if (signal) {
    const abort = () => fiber.unsafeInterruptAsFork(fiber.id())
    signal.addEventListener("abort", abort)
    fiber.addObserver(() => signal.removeEventListener("abort", abort))
    if (signal.aborted) {
      abort()
    }
  }
  return fiber
}

const toPromise = <A, E>(fiber: Fiber.RuntimeFiber<A, E>): Promise<A> =>
  new Promise((resolve, reject) =>
    fiber.addObserver((exit) => exit._tag === "Success" ? resolve(exit.value) : reject(engine.toError(exit.cause)))
  )

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
 */
export const runPromise = <A, E, R>(effect: Effect.Effect<A, E, R>, options?: RunOptions): Promise<A> =>
  toPromise(runFork(effect, options))

/**
 * Runs an effect as a child of this task, as {@link runPromise} does, and gives its fiber.
 */
export const runFork = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  options?: RunOptions
): Fiber.RuntimeFiber<A, E> => start(tasks.currentOrThrow("compat.runFork"), effect, options)
