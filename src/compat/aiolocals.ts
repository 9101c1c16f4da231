/**
 * aiolocals, the Python library: locals whose attributes are per context, and the tracking of requests and jobs in logs.
 *
 * - **A context** is what {@link withContext}, {@link jobContext} and {@link requestMiddleware} run code in. It has a fresh
 *   state for the locals that it lists; those of an enclosing context are seen through it.
 * - **Child tasks see the same state**, whatever starts them: {@link wrapAsync}, `compat.fork`, `Effect.fork`, a race or a
 *   timeout. What one sets, all see.
 * - **Joins** bring nothing, as it is there already, and a context's end takes its state with it.
 *
 * @see https://docs.atlassian.com/aiolocals/
 * @module
 */
import * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as HashMap from "effect/HashMap"
import { toStringUnknown } from "effect/Inspectable"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Option from "effect/Option"
import { fork } from "../compat.js"
import type { TaskFunction } from "../compat.js"
import { NoTaskError } from "../errors.js"
import * as bags from "../internal/bag.js"
import * as engine from "../internal/engine.js"
import * as locals from "../internal/local.js"
import * as tasks from "../internal/task.js"

// -----------------------------------------------------------------------------------------------------------------
// locals and contexts
// -----------------------------------------------------------------------------------------------------------------

/** What all tasks of a context have of one local. */
interface State {
  bag: bags.Bag
}

// Keyed by an object of each local's own.
type States = HashMap.HashMap<object, State>

const contexts = locals.makeLocal<States>("aiocontext/compat/aiolocals", HashMap.empty(), { fork: (states) => states })

const keys = new WeakMap<object, object>()

const stateOf = (key: object, operation: string): State => {
  const states = tasks.isOutside() ? HashMap.empty() : locals.valueOf(tasks.currentOrThrow(operation), contexts)
  return Option.getOrThrowWith(HashMap.get(states, key), () =>
    new NoTaskError({
      operation,
      advice: "it runs in no context of this local. Enter one with withContext({ locals: [theLocal] }, fn)."
    }))
}

/**
 * An object that has other attributes in each context.
 *
 * A missing attribute is `undefined`. Outside a context that lists the local, reading and writing throw `NoTaskError`; in a
 * fiber outside `compat.layer` they throw `BridgeError`. A read costs O(1), a write O(n) in the number of the attributes. A
 * subclass may have methods and accessors of its own.
 */
export type Local<Shape extends object = Record<string, unknown>> = Partial<Shape>

class LocalObject {
  constructor() {
    const key = {}
    const local = bags.makeObject<object>("Local", {
      read: (operation) => stateOf(key, operation).bag,
      write: (operation, bag) => {
        stateOf(key, operation).bag = bag
      }
    }, new.target.prototype)
    keys.set(local, key)
    return local
  }
}

/** Makes a local: `new Local<Shape>()`. */
export const Local: new<Shape extends object = Record<string, unknown>>() => Local<Shape> = LocalObject as never

/** What a context manages. */
export interface ContextOptions {
  readonly locals: ReadonlyArray<object>
}

/**
 * Runs code as a new task in a context of its own; gives what the code gives. A task, as `context.run` is one, keeps two
 * contexts apart that run at once; with Python's `with` they would need tasks of their own.
 *
 * Given an effect it gives one that runs in such a context, in the fiber that runs it, with a fresh state at each run.
 *
 * @example
 * ```ts
 * import { Local, withContext } from "aiocontext/compat/aiolocals"
 *
 * const foo = new Local<{ bar: string }>()
 *
 * const print = async () => console.log(`foo.bar is ${foo.bar}`)
 *
 * await withContext({ locals: [foo] }, async () => {
 *   foo.bar = "baz"
 *   await print() // => foo.bar is baz
 * })
 * ```
 */
export const withContext: {
  <A>(options: ContextOptions, f: () => A): A
  <A, E, R>(options: ContextOptions, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R>
} = (options: ContextOptions, code: Code): any => {
  const locals = listed(options)
  return enter("withContext", code, () => locals.map((key) => [key, { bag: bags.empty }]))
}

const listed = (options: ContextOptions): ReadonlyArray<object> => {
  const locals: unknown = options?.locals
  if (!Array.isArray(locals)) {
    throw new TypeError(`withContext takes its locals, as in withContext({ locals: [foo] }, fn), and got ${locals}`)
  }
  return locals.map((local) => {
    const key = keys.get(local)
    if (key === undefined) {
      throw new TypeError("withContext: each of the locals is made with new Local(), and one is not")
    }
    return key
  })
}

type Code = (() => unknown) | Effect.Effect<unknown, unknown, unknown>

/** Runs code with these states beside those that are there. */
const enter = (operation: string, code: Code, make: () => Iterable<readonly [object, State]>): unknown => {
  if (typeof code === "function") {
    return tasks.runIn(startWith(make()), code)
  }
  if (Effect.isEffect(code)) {
    return within(code, make)
  }
  throw new TypeError(`${operation} takes a function or an effect, and got ${String(code)}`)
}

const startWith = (states: Iterable<readonly [object, State]>): tasks.Task => {
  const task = tasks.start()
  locals.write(task, contexts, HashMap.union(locals.valueOf(task, contexts), HashMap.fromIterable(states)))
  return task
}

const within = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  make: () => Iterable<readonly [object, State]>
): Effect.Effect<A, E, R> =>
  engine.withFiber((fiber) =>
    engine.locally(
      effect,
      contexts,
      HashMap.union(engine.valueOfFiber(fiber, contexts), HashMap.fromIterable(make()))
    )
  )

/**
 * Runs code as a child of this task, with the same state; outside every task, as a task of its own. The same as
 * `compat.fork`, which may be used in its place.
 */
export const wrapAsync = <A>(f: TaskFunction<A>): Promise<A> =>
  tasks.isOutside() ? tasks.runIn(tasks.start(), () => fork(f)) : fork(f)

/**
 * Runs each function as a child of this task, with the same state, and waits for all. Rejects with the first failure; the
 * others run on.
 */
export const wrapGather = <const Fs extends ReadonlyArray<TaskFunction<unknown>>>(
  ...fs: Fs
): Promise<{ -readonly [K in keyof Fs]: Awaited<ReturnType<Fs[K]>> }> => {
  const wrong = fs.find((f) => typeof f !== "function")
  if (wrong !== undefined) {
    throw new TypeError(`wrapGather takes functions, as in wrapGather(one, two), and got ${String(wrong)}`)
  }
  return Promise.all(fs.map((f) => wrapAsync(f))) as Promise<any>
}

// -----------------------------------------------------------------------------------------------------------------
// requests and jobs
// -----------------------------------------------------------------------------------------------------------------

/** What is known of the request, or job, that runs. */
export interface Request {
  id: string
  /** The path, without the query; the name of a job. */
  path: string
  method: string
}

/**
 * The request, or job, that runs.
 */
export const request: Local<Request> = new Local<Request>()

const requestKey = keys.get(request)!

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

const randomId = (prefix: string): string =>
  prefix + Array.from({ length: 6 }, () => alphabet[Math.floor(Math.random() * alphabet.length)]).join("")

/** What {@link jobContext} makes of a function, or of an effect. */
export interface Job {
  <Args extends ReadonlyArray<unknown>, A>(f: (...args: Args) => A): (...args: Args) => A
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R>
}

/**
 * Gives every run of a function, or of an effect, a context in which `request.id` is `JOB` and six characters and
 * `request.path` is the job's name.
 */
export const jobContext = (name: string): Job => {
  if (typeof name !== "string") {
    throw new TypeError(`jobContext takes the job's name, as in jobContext("nightly")(fn), and got ${String(name)}`)
  }
  const make = (): Iterable<readonly [object, State]> => [
    [requestKey, { bag: bags.fromObject({ id: randomId("JOB"), path: name }) }]
  ]
  return ((code: Code | ((...args: Array<unknown>) => unknown)): unknown =>
    typeof code === "function"
      ? function(this: unknown, ...args: Array<unknown>) {
        return enter("jobContext", () => (code as Function).apply(this, args), make)
      }
      : enter("jobContext", code, make)) as Job
}

// -----------------------------------------------------------------------------------------------------------------
// the middleware
// -----------------------------------------------------------------------------------------------------------------

/** How requests are tracked. */
export interface MiddlewareOptions {
  /** The header with the request's id. Default: `X-REQUEST-ID`. */
  readonly header?: string
  /** Makes the id of a request that comes without a safe one. Default: `REQ` and six characters. */
  readonly makeId?: () => string
  /** Whether the response has the id in the same header. Default: `true`. */
  readonly echo?: boolean
}

/** What the middleware uses of a request of `node:http`, or of an app built on it. */
export interface IncomingRequest {
  readonly headers: { readonly [name: string]: string | ReadonlyArray<string> | undefined }
  readonly method?: string | undefined
  readonly url?: string | undefined
  /** Express has here what `url` was before an app was mounted. */
  readonly originalUrl?: string | undefined
}

/** What the middleware uses of a response of `node:http`. */
export interface OutgoingResponse {
  /** Sets a header of the response, before its head is sent. */
  setHeader(name: string, value: string): unknown
}

/** Middleware of two kinds, told apart by its argument. The last form fits `HttpMiddleware` of `@effect/platform`. */
export interface RequestMiddleware {
  /** For `node:http` and Express-style apps. What `next` starts, and the listeners of both objects, run in the context. */
  <A>(incoming: IncomingRequest, outgoing: OutgoingResponse, next: () => A): A
  /** For an `HttpApp`. The context is there outside `compat.layer` too, for the logger, but imperative code needs the bridge. */
  <A, E, R>(app: Effect.Effect<A, E, R>): Effect.Effect<A, E, R>
}

/**
 * Tracks requests: each runs in a context of its own, with the id, path and method in `request`.
 *
 * The incoming id is taken when it is safe to log: at most 200 characters of `[\w.:/+=-]`. Another one is neither echoed nor
 * logged, and replaced.
 *
 * @example
 * ```ts
 * import { request, requestMiddleware } from "aiocontext/compat/aiolocals"
 * import { createServer } from "node:http"
 *
 * const track = requestMiddleware()
 * const server = createServer((req, res) => track(req, res, () => res.end(`${request.path} ${request.id}`)))
 * ```
 */
export const requestMiddleware = (options: MiddlewareOptions = {}): RequestMiddleware => {
  const { echo, header, makeId } = checkedOptions(options)
  const name = header.toLowerCase()

  const track = (incoming: IncomingRequest): Request => {
    const given = incoming.headers[name]
    return {
      id: typeof given === "string" && isSafe(given) ? given : checkedId(makeId()),
      path: pathOf(incoming.originalUrl ?? incoming.url ?? ""),
      method: incoming.method ?? ""
    }
  }

  const serve = (incoming: IncomingRequest, outgoing: OutgoingResponse, next: () => unknown): unknown => {
    if (typeof incoming?.headers !== "object" || typeof next !== "function") {
      throw new TypeError("what requestMiddleware() returns is called as (req, res, next), or with an HttpApp")
    }
    const tracked = track(incoming)
    if (echo) {
      outgoing.setHeader(header, tracked.id)
    }
    const task = startWith([[requestKey, { bag: bags.fromObject(tracked) }]])
    follow(incoming, task)
    follow(outgoing, task)
    return tasks.runIn(task, () => next())
  }

  const wrap = <A, E, R>(app: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    engine.withFiber((fiber) => {
      const incoming = engine.serviceOfFiber(fiber, serverRequest) as IncomingRequest | undefined
      if (incoming === undefined) {
        throw new TypeError("requestMiddleware() wraps an HttpApp, and this effect runs outside every HTTP request")
      }
      const tracked = track(incoming)
      return within(
        echo ? engine.onResponse(app, (response) => withHeader(response, name, tracked.id)) : app,
        () => [[requestKey, { bag: bags.fromObject(tracked) }]]
      )
    })

  // a caller of the form with one argument passes an effect
  return ((
    first: IncomingRequest | Effect.Effect<unknown, unknown, unknown>,
    ...rest: [OutgoingResponse, () => unknown]
  ) => Effect.isEffect(first) ? wrap(first) : serve(first, ...rest)) as RequestMiddleware
}

// the tag of `HttpServerRequest` in `@effect/platform`, which is an optional companion and not imported
const serverRequest = "@effect/platform/HttpServerRequest"

const isSafe = (id: string): boolean => /^[\w.:/+=-]{1,200}$/.test(id)

const checkedId = (id: unknown): string => {
  if (typeof id === "string" && isSafe(id)) {
    return id
  }
  throw new TypeError(
    "requestMiddleware: makeId returns 1 to 200 characters of [\\w.:/+=-], as in makeId: () => crypto.randomUUID(), and" +
      ` returned ${JSON.stringify(id)}`
  )
}

const checkedOptions = (options: MiddlewareOptions): Required<MiddlewareOptions> => {
  if (typeof options !== "object" || options === null) {
    throw new TypeError(
      `requestMiddleware takes options, as in requestMiddleware({ echo: false }), and got ${String(options)}`
    )
  }
  const { echo = true, header = "X-REQUEST-ID", makeId = () => randomId("REQ") } = options
  if (typeof header !== "string" || !/^[\w!#$%&'*+.^`|~-]+$/.test(header)) {
    throw new TypeError(
      `requestMiddleware: header is the name of a header, as in "X-REQUEST-ID", and got ${String(header)}`
    )
  }
  if (typeof makeId !== "function") {
    throw new TypeError(
      `requestMiddleware: makeId is a function, as in makeId: () => crypto.randomUUID(), and got ${String(makeId)}`
    )
  }
  if (typeof echo !== "boolean") {
    throw new TypeError(`requestMiddleware: echo is true or false, and got ${String(echo)}`)
  }
  return { echo, header, makeId }
}

/** The path of a request target, absolute ones included. */
const pathOf = (target: string): string => target.replace(/^[a-z][a-z\d+.-]*:\/\/[^/?#]*/i, "").replace(/[?#].*$/s, "")

// A socket emits from where it was opened, which is no request's task.
const follow = (emitter: object, task: tasks.Task): void => {
  const { emit } = emitter as { readonly emit?: unknown }
  if (typeof emit === "function") {
    Object.defineProperty(emitter, "emit", {
      value: function(this: unknown, ...args: Array<unknown>) {
        return tasks.runIn(task, () => emit.apply(this, args))
      },
      writable: true,
      configurable: true
    })
  }
}

/** A copy of an `HttpServerResponse` with one more header. */
const withHeader = <A>(response: A, name: string, value: string): A => {
  if (typeof response !== "object" || response === null || !("headers" in response)) {
    return response
  }
  return copyWith(response, { headers: copyWith(response.headers as object, { [name]: value }) })
}

const copyWith = <A extends object>(original: A, properties: object): A =>
  Object.assign(Object.create(Object.getPrototypeOf(original)), original, properties)

// -----------------------------------------------------------------------------------------------------------------
// logs
// -----------------------------------------------------------------------------------------------------------------

/** The levels of {@link Log}. */
export type Level = "debug" | "info" | "warn" | "error"

/** What is used of a `pino` logger. */
export type PinoLogger = {
  readonly [Method in Level | "trace" | "fatal"]: (fields: object, message: string) => void
}

/** How logs are written. */
export interface LoggingOptions {
  /** The name that every line begins with. A `pino` instance has a name of its own, and goes without. */
  readonly service: string
  /** The least level that is written. Default: `"debug"`, as in aiolocals. */
  readonly level?: Level
  /** Writes to this instance, with the request's `path` and `id` and the log annotations as fields. */
  readonly pino?: PinoLogger
}

/** The log of promise code. It never throws, and may be used outside every task. */
export type Log = {
  readonly [Method in Level]: (...message: ReadonlyArray<unknown>) => void
}

/** The same log for both worlds. */
export interface Logging {
  /** Replaces Effect's default logger. */
  readonly layer: Layer.Layer<never>
  /** For promise code. */
  readonly log: Log
}

const levels: { readonly [Method in Level]: LogLevel.LogLevel } = {
  debug: LogLevel.Debug,
  info: LogLevel.Info,
  warn: LogLevel.Warning,
  error: LogLevel.Error
}

/**
 * Logs that say which request, or job, they are of, in both worlds: `service: [path#id] LEVEL - message` on standard output,
 * with `-` where there is none.
 *
 * @example
 * ```ts
 * import { configureLogging, jobContext, request } from "aiocontext/compat/aiolocals"
 *
 * const { log } = configureLogging({ service: "shop" })
 *
 * const nightly = jobContext("nightly")(async () => {
 *   request.id = "JOBq3Zx0a"
 *   log.info("done")
 * })
 * await nightly() // => shop: [nightly#JOBq3Zx0a] INFO - done
 * ```
 */
export const configureLogging = (options: LoggingOptions): Logging => {
  const { level, pino, service } = checkedLogging(options)
  const minimum = levels[level]

  const write = (
    logLevel: LogLevel.LogLevel,
    states: States,
    text: string,
    annotations: () => object
  ): void => {
    const { id, path } = Option.match(HashMap.get(states, requestKey), {
      onNone: () => bags.empty,
      onSome: ({ bag }) => bag
    })
    if (pino === undefined) {
      console.log(`${service}: [${printable(path)}#${printable(id)}] ${logLevel.label} - ${text}`)
    } else {
      const tracked = id === undefined && path === undefined ? {} : { path, id }
      pino[methodOf(logLevel)]({ ...annotations(), ...tracked }, text)
    }
  }

  const logger = Logger.make<unknown, void>(({ annotations, cause, context, logLevel, message }) => {
    const failure = Cause.isEmpty(cause) ? [] : [Cause.pretty(cause, { renderErrorCause: true })]
    const text = [Arr.ensure(message).map(render).join(" "), ...failure].filter((part) => part !== "").join("\n")
    write(logLevel, engine.valueOf(context, contexts), text, () => Object.fromEntries(annotations))
  })

  const logAt = (method: Level) => (...message: ReadonlyArray<unknown>): void => {
    if (LogLevel.greaterThanEqual(levels[method], minimum)) {
      const place = tasks.locate()
      const states: States = place ? locals.valueOf(place, contexts) : HashMap.empty()
      write(levels[method], states, message.map(render).join(" "), () => ({}))
    }
  }

  return {
    layer: Layer.merge(Logger.replace(Logger.defaultLogger, logger), Logger.minimumLogLevel(minimum)),
    log: { debug: logAt("debug"), info: logAt("info"), warn: logAt("warn"), error: logAt("error") }
  }
}

const checkedLogging = (options: LoggingOptions): LoggingOptions & { readonly level: Level } => {
  const { level = "debug", pino, service } = options ?? {}
  if (typeof service !== "string") {
    throw new TypeError(
      `configureLogging takes the service's name, as in configureLogging({ service: "shop" }), and got ${
        String(service)
      }`
    )
  }
  if (!Object.hasOwn(levels, level)) {
    throw new TypeError(`configureLogging: level is "debug", "info", "warn" or "error", and got ${String(level)}`)
  }
  if (pino !== undefined && typeof (pino as Partial<PinoLogger> | null)?.info !== "function") {
    throw new TypeError("configureLogging: pino is an instance, as in configureLogging({ service, pino: pino() })")
  }
  return { service, level, ...(pino === undefined ? {} : { pino }) }
}

// a line of the log is one request's: what would end it, or hide it on a terminal, is not printed
const printable = (field: unknown): string =>
  field === undefined ? "-" : String(field).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "?")

const render = (part: unknown): string => part instanceof Error ? part.stack ?? String(part) : toStringUnknown(part, 0)

const methodOf = ({ _tag }: LogLevel.LogLevel): keyof PinoLogger => {
  switch (_tag) {
    case "All":
    case "Trace":
      return "trace"
    case "Debug":
      return "debug"
    case "Warning":
      return "warn"
    case "Error":
      return "error"
    case "Fatal":
      return "fatal"
    default:
      return "info"
  }
}
