import { HttpRouter, HttpServer, HttpServerRequest, HttpServerResponse } from "@effect/platform"
import { NodeHttpServer } from "@effect/platform-node"
import { describe, expect, it } from "@effect/vitest"
import * as HttpServerContext from "aiocontext/propagation/HttpServer"
import { Effect, Layer, Schedule } from "effect"
import { createServer } from "node:http"
import { WebSocket } from "undici"
import { id, otherId, Request, seed } from "./request.js"
import { urlOf } from "./servers.js"

const text = (data: string | Uint8Array): string => typeof data === "string" ? data : new TextDecoder().decode(data)

/** Answers each message with the request that the socket was opened by. */
const router = HttpRouter.empty.pipe(
  HttpRouter.get(
    "/socket",
    Effect.gen(function*() {
      const socket = yield* HttpServerRequest.upgrade
      const write = yield* socket.writer
      yield* socket.run((data) =>
        Effect.flatMap(
          Effect.all([Request.get("id"), Request.get("tenant")]),
          (all) => Effect.orDie(write(`${text(data)}: ${all.join(" ")}`))
        )
      )
      return HttpServerResponse.empty()
    }).pipe(Effect.scoped)
  )
)

const open = (url: string, headers: Record<string, string>) =>
  Effect.acquireRelease(
    Effect.promise(() => {
      const socket = new WebSocket(url, { headers })
      return new Promise<WebSocket>((resolve, reject) => {
        socket.addEventListener("open", () => resolve(socket), { once: true })
        socket.addEventListener("error", ({ error }) => reject(error), { once: true })
      })
    }),
    (socket) => Effect.sync(() => socket.close())
  )

/** Sends a message, and waits for its answer. */
const say = (socket: WebSocket, message: string) =>
  Effect.promise(() =>
    new Promise<unknown>((resolve) => {
      socket.addEventListener("message", ({ data }) => resolve(data), { once: true })
      socket.send(message)
    })
  )

describe("a WebSocket", () => {
  it.live("has the map of its handshake for the life of the socket", () => {
    const server = createServer()
    const ctx = HttpServerContext.middleware(Request, {
      seed,
      trusted: ({ headers }) => headers["x-peer"] === "trusted"
    })
    return Effect.gen(function*() {
      yield* HttpServer.serve(router, ctx).pipe(
        Layer.provide(NodeHttpServer.layer(() => server, { port: 0, host: "127.0.0.1" })),
        Layer.launch,
        Effect.forkScoped
      )
      yield* Effect.suspend(() => server.listening ? Effect.void : Effect.fail("not yet")).pipe(
        Effect.retry(Schedule.spaced(5))
      )
      const url = `${urlOf(server).replace("http", "ws")}/socket`
      const friend = yield* open(url, { "x-request-id": id, "x-peer": "trusted", baggage: "tenant=acme" })
      const stranger = yield* open(url, { "x-request-id": otherId, baggage: "tenant=evil" })
      for (const round of [1, 2, 3]) {
        expect(yield* say(friend, `f${round}`)).toBe(`f${round}: ${id} acme`)
        expect(yield* say(stranger, `s${round}`)).toBe(`s${round}: ${otherId} none`)
      }
    }).pipe(Effect.scoped)
  })
})
