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
import { request, requestMiddleware } from "aiocontext/compat/aiolocals"
import { Effect, Option } from "effect"
import { readFileSync } from "node:fs"
import * as http from "node:http"
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

describe("the module", () => {
  it("imports nothing of @effect/platform, nor of pino", () => {
    const modules = ["src/compat/aiolocals.ts", "src/internal/bag.ts", "src/internal/engine.ts"]
    for (const module of modules) {
      expect(readFileSync(module, "utf8")).not.toMatch(/(from|import\() ?"(@effect\/|pino)/)
    }
  })
})
