import { HttpApp, HttpMiddleware, HttpServer, HttpServerResponse } from "@effect/platform"
import { NodeHttpServer } from "@effect/platform-node"
import { describe, expect, it } from "@effect/vitest"
import { compat } from "aiocontext"
import { configureLogging, jobContext, request, requestMiddleware, withContext } from "aiocontext/compat/aiolocals"
import type { LoggingOptions, PinoLogger } from "aiocontext/compat/aiolocals"
import { Cause, Effect, Fiber, Layer } from "effect"
import * as http from "node:http"
import { pino } from "pino"
import { vi } from "vitest"
import { bridged, sleep } from "../../support.js"

const withPlatform = <A>(
  app: HttpApp.Default<unknown>,
  middleware: HttpMiddleware.HttpMiddleware | undefined,
  use: (url: string) => Promise<A>
): Promise<A> =>
  Effect.gen(function*() {
    const { address } = yield* HttpServer.HttpServer
    // what a middleware may need besides is `any` in its type
    yield* middleware === undefined
      ? HttpServer.serveEffect(app)
      : HttpServer.serveEffect(app, middleware) as Effect.Effect<void, never, HttpServer.HttpServer>
    const port = address._tag === "TcpAddress" ? address.port : 0
    return yield* Effect.promise(() => use(`http://127.0.0.1:${port}`))
  }).pipe(
    Effect.scoped,
    Effect.provide(NodeHttpServer.layer(() => http.createServer(), { port: 0, host: "127.0.0.1" })),
    bridged,
    Effect.runPromise
  )

// Standard output is one for the process, so these run one after the other.
describe.sequential("configureLogging", () => {
  const written = async (f: () => Promise<unknown>): Promise<Array<string>> => {
    const lines: Array<string> = []
    const console_ = vi.spyOn(console, "log").mockImplementation((line: string) => {
      lines.push(line)
    })
    try {
      await f()
      return lines.filter((line) => line.startsWith("shop: ") || line.startsWith("other: "))
    } finally {
      console_.mockRestore()
    }
  }

  const logs = (options: Omit<LoggingOptions, "service"> = {}) => configureLogging({ service: "shop", ...options })

  it("writes the path and id of a request, and - where there is none, in promise code", async () => {
    const { log } = logs()
    const lines = await written(async () => {
      log.info("starting")
      requestMiddleware()(
        { headers: { "x-request-id": "r-1" }, url: "/carts/7?x=1", method: "GET" },
        { setHeader: () => {} },
        () => {
          log.debug("debugging")
          log.info("handling", { n: 1 }, 2)
          log.warn("slow")
          log.error("broken")
        }
      )
      await jobContext("nightly")(async () => {
        await sleep(1)
        log.info(request.id!.slice(0, 3))
      })()
    })
    expect(lines.map((line) => line.replace(/JOB\w{6}/, "JOBid"))).toEqual([
      "shop: [-#-] INFO - starting",
      "shop: [/carts/7#r-1] DEBUG - debugging",
      "shop: [/carts/7#r-1] INFO - handling {\"n\":1} 2",
      "shop: [/carts/7#r-1] WARN - slow",
      "shop: [/carts/7#r-1] ERROR - broken",
      "shop: [nightly#JOBid] INFO - JOB"
    ])
  })

  it("writes the same lines in Effect code, under the bridge and without it", async () => {
    const { layer } = logs()
    const program = Effect.gen(function*() {
      yield* Effect.logInfo("starting")
      yield* jobContext("nightly")(Effect.gen(function*() {
        yield* Effect.logDebug("debugging")
        yield* Effect.sleep(1)
        yield* Effect.logWarning("slow", { n: 1 })
        yield* Effect.fork(Effect.logFatal("child")).pipe(Effect.flatMap(Fiber.join))
      }))
    })
    const expected = [
      "shop: [-#-] INFO - starting",
      "shop: [nightly#JOBid] DEBUG - debugging",
      "shop: [nightly#JOBid] WARN - slow {\"n\":1}",
      "shop: [nightly#JOBid] FATAL - child"
    ]
    for (const provided of [layer, Layer.merge(layer, compat.layer)]) {
      const lines = await written(() => Effect.runPromise(Effect.provide(program, provided)))
      expect(lines.map((line) => line.replace(/JOB\w{6}/, "JOBid"))).toEqual(expected)
    }
  })

  it("writes the cause of a failure, and an error's stack", async () => {
    const { layer, log } = logs()
    const lines = await written(async () => {
      await Effect.runPromise(Effect.provide(Effect.logError("failed", Cause.fail(new Error("why"))), layer))
      log.error("failed", new Error("why"))
    })
    expect(lines[0]).toMatch(/^shop: \[-#-\] ERROR - failed\nError: why\n/)
    expect(lines[1]).toMatch(/^shop: \[-#-\] ERROR - failed Error: why\n/)
  })

  it("leaves out what is below the level, in both worlds", async () => {
    const { layer, log } = logs({ level: "warn" })
    const lines = await written(async () => {
      log.debug("no")
      log.info("no")
      log.warn("yes")
      await Effect.runPromise(Effect.provide(
        Effect.all([Effect.logDebug("no"), Effect.logInfo("no"), Effect.logError("yes")]),
        layer
      ))
    })
    expect(lines).toEqual(["shop: [-#-] WARN - yes", "shop: [-#-] ERROR - yes"])
  })

  it("logs which request it is across a server, its fibers and its promise code, and never an unsafe id", async () => {
    const { layer, log } = configureLogging({ service: "other" })
    const app = requestMiddleware()(Effect.gen(function*() {
      yield* Effect.logInfo("fiber")
      yield* Effect.promise(async () => {
        await sleep(1)
        log.info("promise")
        await compat.runPromise(Effect.logInfo("fiber of the promise"))
      })
      return HttpServerResponse.empty()
    }))
    const lines = await written(() =>
      withPlatform(Effect.provide(app, layer), undefined, async (url) => {
        await fetch(`${url}/a`, { headers: { "x-request-id": "r-1" } })
        await fetch(`${url}/b`, { headers: { "x-request-id": "<script>" } })
      })
    )
    expect(lines.map((line) => line.replace(/REQ\w{6}/, "REQid"))).toEqual([
      "other: [/a#r-1] INFO - fiber",
      "other: [/a#r-1] INFO - promise",
      "other: [/a#r-1] INFO - fiber of the promise",
      "other: [/b#REQid] INFO - fiber",
      "other: [/b#REQid] INFO - promise",
      "other: [/b#REQid] INFO - fiber of the promise"
    ])
  })

  it("keeps a path, or an id that code sets, from ending the line", async () => {
    const { log } = logs()
    const lines = await written(async () =>
      withContext({ locals: [request] }, () => {
        request.path = "/a\nshop: [/#forged] INFO - forged"
        request.id = "x\u001b[2J\u2028\u202e"
        log.info("true")
      })
    )
    expect(lines).toEqual(["shop: [/a?shop: [/#forged] INFO - forged#x?[2J??] INFO - true"])
  })

  it("never throws: not in a fiber outside compat.layer, nor for what cannot be printed", async () => {
    const { log } = logs()
    const cycle: { self?: unknown } = {}
    cycle.self = cycle
    const hostile = {
      toJSON() {
        throw new Error("no")
      }
    }
    const lines = await written(async () => {
      Effect.runSync(Effect.sync(() => log.info("unbridged")))
      log.info(cycle, undefined, null, Symbol("s"), 1n, () => 1)
      log.info(hostile)
    })
    expect(lines[0]).toBe("shop: [-#-] INFO - unbridged")
    expect(lines).toHaveLength(3)
  })

  it("writes to pino, with path and id as fields, in both worlds", async () => {
    const records: Array<Record<string, unknown>> = []
    const instance = pino({ level: "trace", name: "shop" }, { write: (line: string) => records.push(JSON.parse(line)) })
    const { layer, log } = logs({ pino: instance })
    const lines = await written(async () => {
      log.info("starting")
      await withContext({ locals: [request] }, async () => {
        request.id = "r-1"
        request.path = "/a"
        log.error("promise", new RangeError("far"))
        await compat.runPromise(
          Effect.logWarning("fiber").pipe(Effect.annotateLogs("cart", 7), Effect.provide(layer))
        )
      })
    })
    expect(lines).toEqual([])
    expect(records).toMatchObject([
      { level: 30, name: "shop", msg: "starting" },
      { level: 50, path: "/a", id: "r-1", msg: expect.stringMatching(/^promise RangeError: far/) },
      { level: 40, path: "/a", id: "r-1", cart: 7, msg: "fiber" }
    ])
    expect(records[0]).not.toHaveProperty("id")
  })

  it("writes every level of Effect to a method that pino has", async () => {
    const calls: Array<string> = []
    const instance = Object.fromEntries(
      ["trace", "debug", "info", "warn", "error", "fatal"].map((method) => [
        method,
        (_fields: object, message: string) => calls.push(`${method} ${message}`)
      ])
    ) as unknown as PinoLogger
    const { layer } = logs({ pino: instance })
    await Effect.runPromise(Effect.provide(
      Effect.all([
        Effect.logDebug("a"),
        Effect.logInfo("b"),
        Effect.logWarning("c"),
        Effect.logError("d"),
        Effect.logFatal("e")
      ]),
      layer
    ))
    expect(calls).toEqual(["debug a", "info b", "warn c", "error d", "fatal e"])
  })
})

describe("misuse", () => {
  it("of configureLogging says what it takes", () => {
    expect(() => configureLogging({} as never)).toThrow(/configureLogging takes the service's name/)
    expect(() => configureLogging(undefined as never)).toThrow(/configureLogging takes the service's name/)
    expect(() => configureLogging({ service: "s", level: "loud" as never })).toThrow(/level is "debug", "info"/)
    expect(() => configureLogging({ service: "s", level: "toString" as never })).toThrow(/level is "debug", "info"/)
    expect(() => configureLogging({ service: "s", pino: {} as never })).toThrow(/pino is an instance/)
  })
})
