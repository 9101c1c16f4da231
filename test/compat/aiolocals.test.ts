import {
  HttpApp,
  HttpMiddleware,
  HttpRouter,
  HttpServer,
  HttpServerRequest,
  HttpServerResponse
} from "@effect/platform"
import { NodeHttpServer } from "@effect/platform-node"
import { describe, expect, it } from "@effect/vitest"
import { BridgeError, compat, context, NoTaskError } from "aiocontext"
import {
  configureLogging,
  jobContext,
  Local,
  request,
  requestMiddleware,
  withContext,
  wrapAsync,
  wrapGather
} from "aiocontext/compat/aiolocals"
import type { LoggingOptions, PinoLogger, RequestMiddleware } from "aiocontext/compat/aiolocals"
import { Cause, Effect, Exit, Fiber, Layer, Option, Queue } from "effect"
import { readFileSync } from "node:fs"
import * as http from "node:http"
import type { AddressInfo } from "node:net"
import * as net from "node:net"
import { pino } from "pino"
import { vi } from "vitest"

// the tests of this file share one event loop with its storms
vi.setConfig({ testTimeout: 60_000 })

const sleep = (millis: number) => new Promise<void>((resolve) => setTimeout(resolve, millis))

const bridged = Effect.provide(compat.layer)

const gate = () => {
  let resolve = () => {}
  const promise = new Promise<void>((done) => {
    resolve = done
  })
  return { promise, resolve }
}

// -----------------------------------------------------------------------------------------------------------------
// locals and contexts: the documented behaviour, case by case
// -----------------------------------------------------------------------------------------------------------------

describe("the documentation's examples", () => {
  it("a simple example: state is tracked across all functions of the task", async () => {
    const lines: Array<string> = []
    const foo = new Local<{ bar: string }>()
    const doNothing = async () => {
      await sleep(1)
      lines.push(`foo.bar is ${foo.bar}`)
    }
    await withContext({ locals: [foo] }, async () => {
      foo.bar = "baz"
      await doNothing()
    })
    expect(lines).toEqual(["foo.bar is baz"])
  })

  it("the same, in a fiber", () => {
    const lines: Array<string> = []
    const foo = new Local<{ bar: string }>()
    const doNothing = Effect.gen(function*() {
      yield* Effect.sleep(1)
      lines.push(`foo.bar is ${foo.bar}`)
    })
    return withContext(
      { locals: [foo] },
      Effect.gen(function*() {
        foo.bar = "baz"
        yield* doNothing
      })
    ).pipe(bridged, Effect.runPromise).then(() => expect(lines).toEqual(["foo.bar is baz"]))
  })

  it("job tracking: every run of a job has an id", async () => {
    const lines: Array<string> = []
    const myjob = jobContext("myjob")(async () => {
      await sleep(1)
      lines.push(`job complete: ${request.id}`)
    })
    await Promise.all([myjob(), myjob()])
    expect(lines[0]).toMatch(/^job complete: JOB[A-Za-z0-9]{6}$/)
    expect(lines[1]).toMatch(/^job complete: JOB[A-Za-z0-9]{6}$/)
    expect(lines[0]).not.toBe(lines[1])
  })

  it("state tracking across tasks: wrapAsync and wrapGather hand the context on", () => {
    const foo = new Local<{ bar: string }>()
    const read = async () => {
      await sleep(1)
      return foo.bar
    }
    return withContext({ locals: [foo] }, async () => {
      foo.bar = "baz"
      expect(await wrapAsync(read)).toBe("baz")
      expect(await wrapGather(read, () => foo.bar, async () => 3)).toEqual(["baz", "baz", 3])
    })
  })
})

describe("a local", () => {
  it("keeps attributes, and a missing one is undefined", () => {
    const foo = new Local<{ bar: string; other: number }>()
    withContext({ locals: [foo] }, () => {
      expect(foo.bar).toBeUndefined()
      foo.bar = "baz"
      expect(["bar" in foo, "other" in foo, Object.keys(foo), { ...foo }]).toEqual([true, false, ["bar"], {
        bar: "baz"
      }])
      delete foo.bar
      expect([foo.bar, Object.keys(foo)]).toEqual([undefined, []])
    })
  })

  it("throws outside a context, and says how to enter one", () => {
    const foo = new Local<{ bar: string }>()
    expect(() => foo.bar).toThrow(NoTaskError)
    expect(() => foo.bar).toThrow(
      "Local[\"bar\"]: it runs in no context of this local. Enter one with withContext({ locals: [theLocal] }, fn)."
    )
    expect(() => {
      foo.bar = "baz"
    }).toThrow(/^Local\["bar"\] = value: /)
    expect(() => delete foo.bar).toThrow(NoTaskError)
    expect(() => Object.keys(foo)).toThrow(NoTaskError)
  })

  it("throws in a task without a context, in one of other locals, and after the context", async () => {
    const foo = new Local<{ bar: string }>()
    const other = new Local()
    context.run({}, () => expect(() => foo.bar).toThrow(NoTaskError))
    withContext({ locals: [other] }, () => expect(() => foo.bar).toThrow(NoTaskError))
    await withContext({ locals: [foo] }, async () => sleep(1))
    expect(() => foo.bar).toThrow(NoTaskError)
  })

  it("throws a BridgeError in a fiber outside compat.layer", () => {
    const foo = new Local<{ bar: string }>()
    const program = withContext({ locals: [foo] }, Effect.try({ try: () => foo.bar, catch: (error) => error }))
    expect(Effect.runSync(Effect.flip(program))).toBeInstanceOf(BridgeError)
  })

  it("may be subclassed, as a class of Python may", () => {
    class Session extends Local<{ user: string }> {
      get greeting() {
        return `hello ${(this as { user?: string }).user ?? "stranger"}`
      }
      set name(name: string) {
        ;(this as { user?: string }).user = name.toLowerCase()
      }
    }
    const session = new Session()
    expect(session).toBeInstanceOf(Session)
    withContext({ locals: [session] }, () => {
      expect(session.greeting).toBe("hello stranger")
      session.name = "ANN"
      expect(session.greeting).toBe("hello ann")
      expect(Object.keys(session)).toEqual(["user"])
    })
  })

  it("can neither be frozen nor given another prototype", () => {
    const foo = new Local()
    expect(() => Object.freeze(foo)).toThrow(/A Local cannot be frozen/)
    expect(() => Object.setPrototypeOf(foo, null)).toThrow(/A Local has no prototype/)
  })
})

describe("a context", () => {
  it("gives what the code gives, and its exception", async () => {
    expect(withContext({ locals: [] }, () => 1)).toBe(1)
    expect(() =>
      withContext({ locals: [] }, () => {
        throw new Error("inside")
      })
    ).toThrow("inside")
    expect(await withContext({ locals: [] }, Effect.succeed(2)).pipe(Effect.runPromise)).toBe(2)
  })

  it("inside another has a state of its own for what it lists, and sees the other's for the rest", () => {
    const foo = new Local<{ n: number }>()
    const bar = new Local<{ n: number }>()
    withContext({ locals: [foo, bar] }, () => {
      foo.n = 1
      bar.n = 1
      withContext({ locals: [foo] }, () => {
        expect([foo.n, bar.n]).toEqual([undefined, 1])
        foo.n = 2
        bar.n = 2
      })
      expect([foo.n, bar.n]).toEqual([1, 2])
    })
  })

  it("of an effect leaves the fiber as it was, however it ends, and is fresh at each run", () =>
    Effect.gen(function*() {
      const foo = new Local<{ n: number }>()
      const inner = withContext(
        { locals: [foo] },
        Effect.sync(() => {
          const before = foo.n
          foo.n = 2
          return before
        })
      )
      yield* withContext(
        { locals: [foo] },
        Effect.gen(function*() {
          foo.n = 1
          expect(yield* inner).toBeUndefined()
          expect(yield* inner).toBeUndefined()
          yield* Effect.exit(withContext({ locals: [foo] }, Effect.die("broken")))
          yield* withContext({ locals: [foo] }, Effect.never).pipe(Effect.timeoutOption(1))
          expect(foo.n).toBe(1)
        })
      )
      expect(() => foo.n).toThrow(NoTaskError)
    }).pipe(bridged, Effect.runPromise))

  it("shares its state with every child task, both ways", () => {
    const foo = new Local<Record<string, number>>()
    return withContext({ locals: [foo] }, async () => {
      await wrapAsync(async () => {
        foo["wrapAsync"] = 1
      })
      await compat.fork(async () => {
        foo["fork"] = 1
      })
      await compat.all([async () => {
        foo["all"] = 1
      }])
      await compat.timeout(async () => {
        foo["timeout"] = 1
      }, "1 second")
      await compat.runPromise(Effect.gen(function*() {
        foo["runPromise"] = 1
        yield* Effect.fork(Effect.sync(() => {
          foo["Effect.fork"] = 1
        })).pipe(Effect.flatMap(Fiber.join))
        yield* Effect.timeout(
          Effect.promise(async () => {
            await sleep(1)
            foo["Effect.timeout"] = 1
          }),
          "1 second"
        )
      }))
      context.run({}, () => {
        foo["context.run"] = 1
      })
      expect(Object.keys(foo).toSorted()).toEqual(
        [
          "Effect.fork",
          "Effect.timeout",
          "all",
          "context.run",
          "fork",
          "runPromise",
          "timeout",
          "wrapAsync"
        ].toSorted()
      )
    })
  })

  it("is kept by left-over code", () =>
    Effect.gen(function*() {
      const foo = new Local<{ n: number }>()
      const { promise, resolve } = gate()
      let leftOver: Promise<unknown> = Promise.resolve()
      yield* withContext(
        { locals: [foo] },
        Effect.promise(async () => {
          foo.n = 1
          leftOver = promise.then(() => foo.n)
        })
      )
      resolve()
      expect(yield* Effect.promise(() => leftOver)).toBe(1)
    }).pipe(bridged, Effect.runPromise))
})

describe("wrapAsync and wrapGather", () => {
  it("start tasks outside every context too", async () => {
    const foo = new Local<{ n: number }>()
    expect(await wrapAsync(async () => 1)).toBe(1)
    expect(await wrapGather()).toEqual([])
    await wrapAsync(async () => {
      await sleep(1)
      expect(() => foo.n).toThrow(NoTaskError)
      expect(context.attached).toBe(false)
    })
  })

  it("reject with the first failure, and the others run on", () => {
    const foo = new Local<{ done: boolean }>()
    const { promise, resolve } = gate()
    return withContext({ locals: [foo] }, async () => {
      const all = wrapGather(
        async () => {
          throw new Error("first")
        },
        async () => {
          await promise
          foo.done = true
        }
      )
      await expect(all).rejects.toThrow("first")
      resolve()
      await sleep(1)
      expect(foo.done).toBe(true)
    })
  })
})

describe("jobContext", () => {
  it("has the job's name in request.path, and hands arguments, this and the result through", async () => {
    const worker = {
      factor: 2,
      run: jobContext("double")(async function(this: { factor: number }, n: number) {
        await sleep(1)
        return `${request.path} ${n * this.factor}`
      })
    }
    expect(await worker.run(21)).toBe("double 42")
    expect(() => request.id).toThrow(NoTaskError)
  })

  it("of an effect has a fresh id at each run", () =>
    Effect.gen(function*() {
      const job = jobContext("nightly")(Effect.gen(function*() {
        yield* Effect.sleep(1)
        return [request.id, request.path]
      }))
      const [[one, path], [two]] = yield* Effect.all([job, job], { concurrency: 2 })
      expect(path).toBe("nightly")
      expect(one).toMatch(/^JOB[A-Za-z0-9]{6}$/)
      expect(two).not.toBe(one)
    }).pipe(bridged, Effect.runPromise))
})

// -----------------------------------------------------------------------------------------------------------------
// requests, node:http
// -----------------------------------------------------------------------------------------------------------------

type Handler = (req: http.IncomingMessage, res: http.ServerResponse) => unknown

const withServer = async <A>(handler: Handler, use: (url: string, port: number) => Promise<A>): Promise<A> => {
  const server = http.createServer(handler)
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const { port } = server.address() as AddressInfo
  try {
    return await use(`http://127.0.0.1:${port}`, port)
  } finally {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
}

const unsafeIds: Record<string, string> = {
  "a line break": "a\r\nSet-Cookie: owned=1",
  "a line feed at the end": "abc\n",
  "a control character": "a\u0000b",
  "an escape": "\u001b[31mred",
  "a space": "a b",
  "quotes": "a\"b'c",
  "markup": "<script>",
  "another alphabet": "идентификатор",
  "201 characters": "x".repeat(201),
  "no character": ""
}

const safeIds = ["abc", "A.b:c/d+e=f-g_1", "x".repeat(200), "550e8400-e29b-41d4-a716-446655440000"]

const serveOnce = (track: RequestMiddleware, headers: Record<string, string | Array<string>>, url = "/") => {
  const echoed: Record<string, string> = {}
  const seen = track(
    { headers, method: "GET", url },
    { setHeader: (name, value) => echoed[name] = value },
    () => ({ id: request.id!, path: request.path, method: request.method })
  )
  return { ...seen, echoed }
}

describe("requestMiddleware, with node:http", () => {
  const track = requestMiddleware()

  it("takes the incoming id, echoes it, and has the path without the query, and the method", () =>
    withServer(
      (req, res) =>
        track(req, res, async () => {
          await sleep(1)
          res.end(JSON.stringify({ ...request }))
        }),
      async (url) => {
        const response = await fetch(`${url}/carts/7?token=secret`, {
          method: "POST",
          headers: { "x-request-id": "abc-1" },
          body: "x"
        })
        expect(await response.json()).toEqual({ id: "abc-1", path: "/carts/7", method: "POST" })
        expect(response.headers.get("x-request-id")).toBe("abc-1")
      }
    ))

  it("makes an id where none comes in", () =>
    withServer((req, res) => track(req, res, () => res.end(request.id)), async (url) => {
      const response = await fetch(url)
      const id = await response.text()
      expect(id).toMatch(/^REQ[A-Za-z0-9]{6}$/)
      expect(response.headers.get("x-request-id")).toBe(id)
    }))

  for (const id of safeIds) {
    it(`takes a safe id: ${id.slice(0, 40)}`, () => {
      expect(serveOnce(track, { "x-request-id": id })).toMatchObject({ id, echoed: { "X-REQUEST-ID": id } })
    })
  }

  for (const [title, id] of Object.entries(unsafeIds)) {
    it(`replaces an id with ${title}, and does not echo it`, () => {
      const seen = serveOnce(track, { "x-request-id": id })
      expect(seen.id).toMatch(/^REQ[A-Za-z0-9]{6}$/)
      expect(seen.echoed).toEqual({ "X-REQUEST-ID": seen.id })
    })
  }

  it("replaces an id that comes twice", () =>
    withServer((req, res) => track(req, res, () => res.end("body")), async (_url, port) => {
      const raw = await exchange(port, "GET / HTTP/1.1\r\nHost: x\r\nX-Request-Id: a\r\nX-Request-Id: b\r\n\r\n")
      expect(raw).toMatch(/X-REQUEST-ID: REQ[A-Za-z0-9]{6}\r\n/)
      expect(serveOnce(track, { "x-request-id": ["a", "b"] }).id).toMatch(/^REQ/)
    }))

  it("replaces raw bytes that a client sends", () =>
    withServer((req, res) => track(req, res, () => res.end("body")), async (_url, port) => {
      const raw = await exchange(port, "GET / HTTP/1.1\r\nHost: x\r\nX-Request-Id: a\t\u00ff\u0085b\r\n\r\n")
      expect(raw).toMatch(/X-REQUEST-ID: REQ[A-Za-z0-9]{6}\r\n/)
      expect(raw).not.toContain("\u00ff")
    }))

  const exchange = (port: number, text: string) =>
    new Promise<string>((resolve, reject) => {
      let received = ""
      const socket = net.connect(port, "127.0.0.1", () => socket.write(Buffer.from(text, "latin1")))
      socket.setEncoding("latin1")
      socket.on("data", (chunk) => {
        received += chunk
        if (received.includes("body")) {
          socket.destroy()
          resolve(received)
        }
      })
      socket.on("error", reject)
    })

  it("has the path of the whole app in an Express-style app that is mounted, and of an absolute target", () => {
    const seen = track(
      { headers: {}, method: "GET", url: "/7?x=1", originalUrl: "/carts/7?x=1" },
      { setHeader: () => {} },
      () => request.path
    )
    expect(seen).toBe("/carts/7")
    expect(serveOnce(track, {}, "http://shop.example:80/a/b?c#d").path).toBe("/a/b")
    expect(serveOnce(track, {}, "*").path).toBe("*")
  })

  it("takes another header, other ids, and no echo", () => {
    const silent = requestMiddleware({ header: "X-Trace", makeId: () => "made-1", echo: false })
    expect(serveOnce(silent, { "x-trace": "t-1", "x-request-id": "no" })).toMatchObject({ id: "t-1", echoed: {} })
    expect(serveOnce(silent, { "x-request-id": "no" })).toMatchObject({ id: "made-1", echoed: {} })
    expect(serveOnce(requestMiddleware({ header: "X-Trace" }), { "x-trace": "t-2" }).echoed).toEqual({
      "X-Trace": "t-2"
    })
  })

  it("keeps the context in listeners of the request and the response", () =>
    withServer(
      (req, res) =>
        track(req, res, () => {
          const id = request.id
          const seen: Array<boolean> = []
          req.on("data", () => seen.push(request.id === id))
          req.on("end", () => {
            seen.push(request.id === id)
            res.write(JSON.stringify(seen))
            res.on("finish", () => finished(request.id))
            res.end()
          })
        }),
      async (url) => {
        const response = await fetch(url, { method: "POST", body: "text", headers: { "x-request-id": "listened" } })
        expect(await response.text()).toBe("[true,true]")
        expect(await finish).toBe("listened")
      }
    ))

  let finished: (id: string | undefined) => void = () => {}
  const finish = new Promise<string | undefined>((resolve) => {
    finished = resolve
  })

  it("keeps concurrent requests that wake each other apart", () => {
    let arrived = 0
    const { promise, resolve } = gate()
    return withServer(
      (req, res) =>
        track(req, res, async () => {
          const before = request.id
          if (++arrived === 50) {
            resolve()
          }
          await promise
          const child = await wrapAsync(async () => {
            await sleep(1)
            return request.id
          })
          res.end([before, request.id, child].join(" "))
        }),
      async (url) => {
        const ids = Array.from({ length: 50 }, (_, n) => `c-${n}`)
        const bodies = await Promise.all(
          ids.map(async (id) => (await fetch(url, { headers: { "x-request-id": id } })).text())
        )
        expect(bodies).toEqual(ids.map((id) => `${id} ${id} ${id}`))
      }
    )
  })

  it("hands what next gives, and throws, to the caller", () => {
    const call = (next: () => unknown) => track({ headers: {} }, { setHeader: () => {} }, next)
    expect(call(() => 7)).toBe(7)
    expect(() =>
      call(() => {
        throw new Error("handler")
      })
    ).toThrow("handler")
    expect(() => request.id).toThrow(NoTaskError)
  })
})

// -----------------------------------------------------------------------------------------------------------------
// requests, @effect/platform
// -----------------------------------------------------------------------------------------------------------------

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

const show = Effect.gen(function*() {
  const first = { ...request }
  yield* Effect.sleep(1)
  const later = yield* Effect.promise(async () => {
    await sleep(1)
    return request.id
  })
  return HttpServerResponse.unsafeJson({ ...first, later }, { headers: { "x-own": "1" } }).pipe(
    HttpServerResponse.unsafeSetCookie("c", "v")
  )
})

describe("requestMiddleware, with an HttpApp of @effect/platform", () => {
  const track = requestMiddleware()
  const router = HttpRouter.empty.pipe(
    HttpRouter.get("/carts/:id", show),
    HttpRouter.get("/fail", Effect.fail("no")),
    HttpRouter.get("/die", Effect.die("no"))
  )

  for (const place of ["as the server's middleware", "around the app"]) {
    const serve = <A>(use: (url: string) => Promise<A>) =>
      place === "around the app" ? withPlatform(track(router), undefined, use) : withPlatform(router, track, use)

    it(`takes the incoming id and echoes it, ${place}`, () =>
      serve(async (url) => {
        const response = await fetch(`${url}/carts/7?token=secret`, { headers: { "x-request-id": "abc-1" } })
        expect(await response.json()).toEqual({ id: "abc-1", path: "/carts/7", method: "GET", later: "abc-1" })
        expect(response.headers.get("x-request-id")).toBe("abc-1")
        expect(response.headers.get("x-own")).toBe("1")
        expect(response.headers.get("set-cookie")).toBe("c=v")
        expect(response.headers.get("content-type")).toBe("application/json")
      }))

    it(`makes an id where none, or an unsafe one, comes in, ${place}`, () =>
      serve(async (url) => {
        for (const headers of [{}, { "x-request-id": "a b" }, { "x-request-id": "x".repeat(201) }]) {
          const response = await fetch(`${url}/carts/7`, { headers })
          const { id } = await response.json() as { id: string }
          expect(id).toMatch(/^REQ[A-Za-z0-9]{6}$/)
          expect(response.headers.get("x-request-id")).toBe(id)
        }
      }))

    it(`echoes the id of a request that fails, ${place}`, () =>
      serve(async (url) => {
        for (const path of ["/fail", "/die", "/missing"]) {
          const response = await fetch(url + path, { headers: { "x-request-id": "bad-1" } })
          expect(response.status).toBe(path === "/missing" ? 404 : 500)
          expect(response.headers.get("x-request-id")).toBe("bad-1")
        }
      }))
  }

  it("keeps 50 requests that queue for one semaphore apart", async () => {
    const semaphore = Effect.unsafeMakeSemaphore(1)
    const app = track(semaphore.withPermits(1)(show))
    await withPlatform(app, undefined, async (url) => {
      const ids = Array.from({ length: 50 }, (_, n) => `q-${n}`)
      const bodies = await Promise.all(
        ids.map(async (id) => (await fetch(url, { headers: { "x-request-id": id } })).json())
      )
      expect(bodies).toEqual(ids.map((id) => ({ id, path: "/", method: "GET", later: id })))
    })
  })

  it("does not echo where it is told so, and knows another header", () =>
    withPlatform(requestMiddleware({ echo: false, header: "X-Trace" })(show), undefined, async (url) => {
      const response = await fetch(url, { headers: { "x-trace": "t-1" } })
      expect(await response.json()).toMatchObject({ id: "t-1" })
      expect(response.headers.get("x-trace")).toBeNull()
    }))

  it("fits HttpMiddleware, and leaves a web handler's response one of the platform", async () => {
    const middleware: HttpMiddleware.HttpMiddleware = track
    const app = middleware(Effect.succeed(HttpServerResponse.text("hi")))
    const seen: Array<boolean> = []
    const handler = HttpApp.toWebHandler(
      Effect.tap(app, (response) => Effect.sync(() => seen.push(HttpServerResponse.isServerResponse(response))))
    )
    const response = await handler(new Request("http://x/y", { headers: { "x-request-id": "web-1" } }))
    expect([await response.text(), response.headers.get("x-request-id"), seen]).toEqual(["hi", "web-1", [true]])
  })

  it("leaves no handler of responses in a fiber that runs the app many times", () =>
    Effect.gen(function*() {
      const app = track(Effect.succeed(HttpServerResponse.empty()))
      const before = yield* Effect.getFiberRefs
      for (let n = 0; n < 3; n++) {
        expect((yield* app).headers["x-request-id"]).toMatch(/^REQ/)
      }
      const handlers = yield* Effect.map(Effect.getFiberRefs, (refs) => {
        const held = Array.from(refs.locals.keys()).filter((ref) => !before.locals.has(ref))
        return held.map((ref) => refs.locals.get(ref)![0][1]).filter((value) => Option.isOption(value))
      })
      expect(handlers).toEqual([Option.none()])
    }).pipe(
      Effect.provideService(HttpServerRequest.HttpServerRequest, HttpServerRequest.fromWeb(new Request("http://x/"))),
      Effect.runPromise
    ))
})

// -----------------------------------------------------------------------------------------------------------------
// logs
// -----------------------------------------------------------------------------------------------------------------

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

// -----------------------------------------------------------------------------------------------------------------
// many tasks
// -----------------------------------------------------------------------------------------------------------------

describe("1,000 contexts with 10 children", () => {
  const roots = Array.from({ length: 1000 }, (_, n) => `r-${n}`)
  const children = Array.from({ length: 10 }, (_, n) => n)
  const foo = new Local<{ id: string; count: number }>()

  it("see their own state only, in promise tasks", async () => {
    const child = async () => {
      const before = foo.id
      await sleep(Math.random() * 10)
      foo.count!++
      return before === foo.id ? before : "mixed up"
    }
    const root = (id: string) =>
      withContext({ locals: [foo] }, async () => {
        foo.id = id
        foo.count = 0
        const seen = await wrapGather(...children.map(() => child))
        return [id, new Set(seen).size, seen[0], foo.count]
      })
    expect(await Promise.all(roots.map(root))).toEqual(roots.map((id) => [id, 1, id, 10]))
  })

  it("see their own state only, in fibers that wake each other", () =>
    Effect.gen(function*() {
      const queue = yield* Queue.unbounded<number>()
      const child = Effect.gen(function*() {
        const before = foo.id
        yield* Queue.take(queue)
        const middle = foo.id
        yield* Queue.offer(queue, 1)
        yield* Effect.promise(() => Promise.resolve())
        foo.count!++
        return before === middle && middle === foo.id ? before : "mixed up"
      })
      const root = (id: string) =>
        withContext(
          { locals: [foo] },
          Effect.gen(function*() {
            foo.id = id
            foo.count = 0
            const seen = yield* Effect.forEach(children, () => child, { concurrency: "unbounded" })
            return [id, new Set(seen).size, seen[0], foo.count]
          })
        )
      const storm = yield* Effect.fork(Effect.forEach(roots, root, { concurrency: "unbounded" }))
      yield* Queue.offer(queue, 1)
      expect(yield* Fiber.join(storm)).toEqual(roots.map((id) => [id, 1, id, 10]))
    }).pipe(bridged, Effect.runPromise))
})

// -----------------------------------------------------------------------------------------------------------------
// misuse
// -----------------------------------------------------------------------------------------------------------------

describe("misuse", () => {
  const foo = new Local<{ n: number }>()

  it("of withContext is told before the code runs, and loses nothing", () =>
    withContext({ locals: [foo] }, () => {
      foo.n = 1
      const fail = () => {
        throw new Error("must not run")
      }
      expect(() => withContext(undefined as never, fail)).toThrow(/withContext takes its locals/)
      expect(() => withContext({ locals: foo as never }, fail)).toThrow(/withContext takes its locals/)
      expect(() => withContext({ locals: [{}] }, fail)).toThrow(/made with new Local\(\)/)
      expect(() => withContext({ locals: [undefined as never] }, fail)).toThrow(/made with new Local\(\)/)
      expect(() => withContext({ locals: [foo] }, 7 as never)).toThrow(/withContext takes a function or an effect/)
      expect(foo.n).toBe(1)
    }))

  it("of wrapAsync and wrapGather starts nothing", () => {
    let started = 0
    expect(() => wrapAsync(undefined as never)).toThrow(TypeError)
    expect(() => wrapGather(async () => started++, 7 as never)).toThrow(/wrapGather takes functions/)
    expect(started).toBe(0)
  })

  it("of jobContext says what it takes", () => {
    expect(() => jobContext(7 as never)).toThrow(/jobContext takes the job's name/)
    expect(() => jobContext("job")(7 as never)).toThrow(/jobContext takes a function or an effect/)
  })

  it("of the middleware's options is told when it is made", () => {
    expect(() => requestMiddleware(null as never)).toThrow(/requestMiddleware takes options/)
    expect(() => requestMiddleware({ header: "a b" })).toThrow(/header is the name of a header/)
    expect(() => requestMiddleware({ header: 7 as never })).toThrow(/header is the name of a header/)
    expect(() => requestMiddleware({ makeId: "id" as never })).toThrow(/makeId is a function/)
    expect(() => requestMiddleware({ echo: 1 as never })).toThrow(/echo is true or false/)
  })

  it("of makeId is told at the request, and its id goes nowhere", () => {
    for (const id of ["a\r\nb", "", 7 as never]) {
      const echoed: Array<string> = []
      const track = requestMiddleware({ makeId: () => id })
      expect(() => track({ headers: {} }, { setHeader: (_, value) => echoed.push(value) }, () => 1)).toThrow(
        /makeId returns 1 to 200 characters/
      )
      expect(echoed).toEqual([])
    }
  })

  it("of the middleware says what it is called with", async () => {
    const track = requestMiddleware()
    expect(() => track(undefined as never, undefined as never, () => 1)).toThrow(/called as \(req, res, next\)/)
    expect(() => track({ headers: {} }, { setHeader: () => {} }, undefined as never)).toThrow(/\(req, res, next\)/)
    const exit = await Effect.runPromiseExit(track(Effect.void))
    expect(Exit.isFailure(exit) && Cause.pretty(exit.cause)).toMatch(/wraps an HttpApp/)
  })

  it("of configureLogging says what it takes", () => {
    expect(() => configureLogging({} as never)).toThrow(/configureLogging takes the service's name/)
    expect(() => configureLogging(undefined as never)).toThrow(/configureLogging takes the service's name/)
    expect(() => configureLogging({ service: "s", level: "loud" as never })).toThrow(/level is "debug", "info"/)
    expect(() => configureLogging({ service: "s", level: "toString" as never })).toThrow(/level is "debug", "info"/)
    expect(() => configureLogging({ service: "s", pino: {} as never })).toThrow(/pino is an instance/)
  })
})

describe("the module", () => {
  it("imports nothing of @effect/platform, nor of pino", () => {
    const modules = ["src/compat/aiolocals.ts", "src/internal/bag.ts", "src/internal/engine.ts"]
    for (const module of modules) {
      expect(readFileSync(module, "utf8")).not.toMatch(/(from|import\() ?"(@effect\/|pino)/)
    }
  })
})

// The library has no published test suite; its documentation (https://docs.atlassian.com/aiolocals/: Usage, API, Changelog)
// is translated above. Of its behaviours these have no counterpart:
//
// - preserve_context_in_threads: JavaScript runs promise code and fibers on one thread, and a worker shares no objects.
// - Context as a value, with ident, parent, cleanup and `with`: what a context covers is the code it is given.
// - Local.noisy and Context.noisy, which log every entry and exit.
// - AttributeError for a missing attribute: it is `undefined`. ValueError outside a context: NoTaskError.
// - a local that the context does not list: the library lets it be used and keeps what it holds for good (its own changelog
//   has such a leak); here it throws, as outside a context.
// - leaving a nested context ends the outer one's tracking in the library; here the outer state is there again.
// - wrap_gather's return_exceptions and cancel(): Promise.allSettled and an AbortSignal are JavaScript's.
// - LogConfiguration, syslog, process titles: `pino`, or a Logger of Effect, stands for them.
