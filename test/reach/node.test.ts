import { describe, expect, it } from "@effect/vitest"
import { getRequestListener } from "@hono/node-server"
import { compat } from "aiocontext"
import * as NodeContext from "aiocontext/propagation/Node"
import { Effect, type Scope } from "effect"
import Fastify from "fastify"
import { Hono } from "hono"
import { type IncomingMessage, request as httpRequest, type RequestListener, type ServerResponse } from "node:http"
import { createRequire } from "node:module"
import { sleep } from "../support.js"
import { id, otherId, Request, seed } from "./request.js"
import { serve } from "./servers.js"

// these two bring no types of their own
const require = createRequire(import.meta.url)
// the runner's conditions have Express's CommonJS require an ES module here, whose namespace is no function
const isPromise = require("is-promise")
require.cache[require.resolve("is-promise")]!.exports = isPromise.default ?? isPromise
const express = require("express")
const Koa = require("koa")

const request = compat.make(Request)
const third = "11111111-2222-4333-8444-555555555555"

/** What a handler sees after it waited. */
const who = async (): Promise<string> => {
  await sleep(1)
  return `${request.get("id")} ${request.get("tenant")} ${request.get("locale")}`
}
const change = (): void => request.set("id", third)

type Settings = Pick<NodeContext.Options<any, any, any>, "invalid">
type Start = (settings?: Settings) => Effect.Effect<string, never, Scope.Scope>

const options = { seed, echo: ["id" as const] }
const isInternal = (headers: { readonly [name: string]: unknown }): boolean => headers["x-peer"] === "trusted"

const plain: RequestListener = async (request, response) => {
  if (request.url === "/set") {
    change()
  }
  if (request.url === "/own") {
    response.setHeader("x-request-id", "own")
  }
  const text = await who()
  if (request.url === "/stream") {
    response.writeHead(200)
    response.write(text)
    await sleep(1)
    response.end(await who())
  } else {
    response.end(text)
  }
}

const servers: Record<string, Start> = {
  "node:http": (settings) =>
    serve(
      NodeContext.listener(Request, {
        ...options,
        ...settings,
        trusted: ({ headers }) => isInternal(headers)
      })(plain)
    ),
  Express: (settings) => {
    const app = express()
    app.use(NodeContext.middleware(Request, { ...options, ...settings, trusted: ({ headers }) => isInternal(headers) }))
    app.use(express.json())
    app.get("/fails", async () => {
      throw new Error("no")
    })
    app.get("/nowhere", (_: never, __: never, next: () => void) => next())
    app.post("/who", async (_: never, response: any) => response.send(await who()))
    app.get("/*path", (request: IncomingMessage, response: ServerResponse) => plain(request, response))
    return serve(app)
  },
  Koa: (settings) => {
    const app = new Koa()
    app.silent = true
    app.use(NodeContext.koa(Request, { ...options, ...settings, trusted: ({ req }) => isInternal(req.headers) }))
    app.use(async (ctx: any) => {
      switch (ctx.url) {
        case "/fails":
          throw new Error("no")
        case "/nowhere":
          return
        case "/set":
          change()
          break
        case "/own":
          ctx.set("x-request-id", "own")
      }
      ctx.body = await who()
    })
    return serve(app.callback())
  },
  Hono: (settings) => {
    const app = new Hono()
    app.use(NodeContext.hono(Request, {
      ...options,
      ...settings,
      trusted: ({ req }) => req.raw.headers.get("x-peer") === "trusted"
    }))
    app.get("/fails", () => {
      throw new Error("no")
    })
    app.onError((_, c) => c.text("no", 500))
    app.get("/set", async (c) => {
      change()
      return c.text(await who())
    })
    app.get("/own", async (c) => c.text(await who(), 200, { "x-request-id": "own" }))
    app.get("/fetched", async () => new Response(await who()))
    app.on(["GET", "POST"], "/who", async (c) => {
      await c.req.text()
      return c.text(await who())
    })
    return serve(getRequestListener(app.fetch) as RequestListener)
  },
  Fastify: (settings) =>
    Effect.promise(async () => {
      const app = Fastify()
      app.register(NodeContext.fastify(Request, {
        ...options,
        ...settings,
        trusted: ({ raw }) => isInternal(raw.headers)
      }))
      app.get("/fails", async () => {
        throw new Error("no")
      })
      app.get("/set", async () => {
        change()
        return who()
      })
      app.get("/own", async (_, reply) => reply.header("x-request-id", "own").send(await who()))
      app.get("/who", who)
      app.post("/who", who)
      await app.ready()
      return app.routing as RequestListener
    }).pipe(Effect.flatMap(serve))
}

const ask = (url: string, headers: Record<string, string> = {}, init?: RequestInit) =>
  Effect.promise(async () => {
    const response = await fetch(url, { headers, ...init })
    return { status: response.status, id: response.headers.get("x-request-id"), text: await response.text() }
  })

for (const [name, start] of Object.entries(servers)) {
  describe(name, () => {
    it.live("seeds the context from the request, and by trust", () =>
      Effect.gen(function*() {
        const url = yield* start()
        const headers = { "x-request-id": id, baggage: "tenant=evil,locale=de" }
        expect((yield* ask(`${url}/who`)).text).toBe(`${otherId} none en`)
        expect((yield* ask(`${url}/who`, headers)).text).toBe(`${id} none de`)
        expect((yield* ask(`${url}/who`, { ...headers, "x-peer": "trusted" })).text).toBe(`${id} evil de`)
        expect((yield* ask(`${url}/who`, { "x-request-id": "no uuid" })).text).toBe(`${otherId} none en`)
      }).pipe(Effect.scoped))
    it.live("echoes on 200, 404 and 500, with the value of then; what is set by hand stays", () =>
      Effect.gen(function*() {
        const url = yield* start()
        const headers = { "x-request-id": id }
        expect(yield* ask(`${url}/who`, headers)).toMatchObject({ status: 200, id })
        expect(yield* ask(`${url}/set`, headers)).toMatchObject({ status: 200, id: third })
        expect(yield* ask(`${url}/own`, headers)).toMatchObject({ status: 200, id: "own" })
        if (name !== "node:http") {
          expect(yield* ask(`${url}/nowhere`, headers)).toMatchObject({ id })
          expect(yield* ask(`${url}/fails`, headers)).toMatchObject({ status: 500, id })
        }
      }).pipe(Effect.scoped))
    it.live("answers 400 where input is rejected, with the key and the reason", () =>
      Effect.gen(function*() {
        const url = yield* start({ invalid: "reject" })
        const answer = yield* ask(`${url}/who`, { "x-request-id": "s3cret" })
        expect([answer.status, answer.id]).toEqual([400, otherId])
        expect(JSON.parse(answer.text)).toEqual({
          _tag: "InboundError",
          context: Request.key,
          key: "id",
          reason: "schema"
        })
        expect((yield* ask(`${url}/who`, { "x-request-id": id })).status).toBe(200)
      }).pipe(Effect.scoped))
    it.live("keeps a thousand requests apart", () =>
      Effect.gen(function*() {
        const url = yield* start()
        const ids = Array.from({ length: 1000 }, (_, i) => `3f6f6d6e-6c0e-4d0e-9b0a-${String(i).padStart(12, "0")}`)
        const post = name !== "node:http"
        const answers = yield* Effect.forEach(ids, (id, i) =>
          ask(
            `${url}/who`,
            { "x-request-id": id, "content-type": "application/json" },
            post && i % 2 === 0 ? { method: "POST", body: JSON.stringify({ i }) } : {}
          ), { concurrency: 50 })
        expect(answers).toEqual(ids.map((id) => ({ status: 200, id, text: `${id} none en` })))
      }).pipe(Effect.scoped))
    if (name !== "Hono") {
      it.live("sees that a header was sent twice", () =>
        Effect.gen(function*() {
          const url = yield* start({ invalid: "reject" })
          const text = yield* Effect.async<string>((resume) => {
            httpRequest(`${url}/who`, { headers: { "x-request-id": [id, otherId] } }, (response) => {
              response.setEncoding("utf8").once("data", (text) => resume(Effect.succeed(text)))
            }).end()
          })
          expect(JSON.parse(text)).toMatchObject({ key: "id", reason: "ambiguous" })
        }).pipe(Effect.scoped))
    }
  })
}

describe("a response", () => {
  it.live("that is streamed has its echo, and its task to the end", () =>
    Effect.gen(function*() {
      const url = yield* servers["node:http"]!()
      expect(yield* ask(`${url}/stream`, { "x-request-id": id })).toEqual({
        status: 200,
        id,
        text: `${id} none en`.repeat(2)
      })
    }).pipe(Effect.scoped))
  it.live("of another server, which Hono hands on, has its echo", () =>
    Effect.gen(function*() {
      const url = yield* servers["Hono"]!()
      expect(yield* ask(`${url}/fetched`, { "x-request-id": id })).toMatchObject({ status: 200, id })
    }).pipe(Effect.scoped))
})
