/**
 * Logs that say which request, or job, they are of.
 *
 * @since 1.0.0
 * @module
 */
import * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as HashMap from "effect/HashMap"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Option from "effect/Option"
import { describe, invalidArgument } from "../../internal/argument.js"
import { valueOf } from "../../internal/effect3/state.js"
import { locate } from "../../internal/task/current.js"
import { valueIn } from "../../internal/task/local.js"
import * as bags from "../../internal/task/properties.js"
import { contexts, type States } from "./locals.js"
import { requestKey } from "./requests.js"

/**
 * The levels of {@link Log}.
 *
 * @since 1.0.0
 * @category types
 */
export type Level = "debug" | "info" | "warn" | "error"

/**
 * What is used of a `pino` logger.
 *
 * @since 1.0.0
 * @category models
 */
export type PinoLogger = {
  readonly [Method in Level | "trace" | "fatal"]: (fields: object, message: string) => void
}

/**
 * How logs are written.
 *
 * @since 1.0.0
 * @category options
 */
export interface LoggingOptions {
  /** The name that every line begins with. A `pino` instance has a name of its own, and goes without. */
  readonly service: string
  /** The least level that is written. Default: `"debug"`, as in aiolocals. */
  readonly level?: Level
  /** Writes to this instance, with the request's `path` and `id` and the log annotations as fields. */
  readonly pino?: PinoLogger
}

/**
 * The log of promise code. It never throws, and may be used outside every task.
 *
 * @since 1.0.0
 * @category models
 */
export type Log = {
  readonly [Method in Level]: (...message: ReadonlyArray<unknown>) => void
}

/**
 * The same log for both worlds.
 *
 * @since 1.0.0
 * @category models
 */
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
 *
 * @since 1.0.0
 * @category constructors
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
      console.log(`${service}: [${field(path)}#${field(id)}] ${logLevel.label} - ${text}`)
    } else {
      const tracked = id === undefined && path === undefined ? {} : { path, id }
      pino[methodOf(logLevel)]({ ...annotations(), ...tracked }, text)
    }
  }

  const logger = Logger.make<unknown, void>(({ annotations, cause, context, logLevel, message }) => {
    const failure = Cause.prettyErrors(cause).map(renderError)
    const text = [Arr.ensure(message).map(render).join(" "), ...failure].filter((part) => part !== "").join("\n")
    write(logLevel, valueOf(context, contexts), text, () => Object.fromEntries(annotations))
  })

  const logAt = (method: Level) => (...message: ReadonlyArray<unknown>): void => {
    if (LogLevel.greaterThanEqual(levels[method], minimum)) {
      const runner = locate()
      const states: States = runner === undefined ? HashMap.empty() : valueIn(runner, contexts)
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
    throw invalidArgument(
      `configureLogging takes the service's name, as in configureLogging({ service: "shop" })`,
      service
    )
  }
  if (!Object.hasOwn(levels, level)) {
    throw invalidArgument(`configureLogging: level is "debug", "info", "warn" or "error"`, level)
  }
  if (pino !== undefined && typeof (pino as Partial<PinoLogger> | null)?.info !== "function") {
    throw new TypeError("configureLogging: pino is an instance, as in configureLogging({ service, pino: pino() })")
  }
  return { service, level, ...(pino === undefined ? {} : { pino }) }
}

// A line of the log is one request's, and what is logged may come from a stranger. What would end the line, or hide it on a
// terminal, is printed as an escape.
const printable = (text: string): string => text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, escaped)

const escaped = (character: string): string => {
  const short = JSON.stringify(character).slice(1, -1)
  return short.startsWith("\\") ? short : `\\u${character.codePointAt(0)!.toString(16).padStart(4, "0")}`
}

const field = (value: unknown): string =>
  value === undefined ? "-" : describe(value).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "?")

/** An error with its stack, whose lines are its own; those of its message are not. */
const renderError = ({ message, stack }: Error): string =>
  (stack ?? message).replace(message, () => printable(message)).split("\n").map(printable).join("\n")

const render = (part: unknown): string => {
  try {
    return part instanceof Error ? renderError(part) : printable(typeof part === "string" ? part : describe(part))
  } catch {
    return printable(describe(part))
  }
}

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
