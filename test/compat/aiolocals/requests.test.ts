import { describe, expect, it } from "@effect/vitest"
import { NoTaskError } from "aiocontext"
import { request, requestMiddleware, wrapAsync } from "aiocontext/compat/aiolocals"
import type { RequestMiddleware } from "aiocontext/compat/aiolocals"
import { Cause, Effect, Exit } from "effect"
import * as http from "node:http"
import * as net from "node:net"
import type { AddressInfo } from "node:net"
import { sleep, withResolvers } from "../../support.js"

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
    const { promise, resolve } = withResolvers()
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

describe("misuse", () => {
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
})
