import { Headers, HttpRouter, HttpServer, HttpServerRequest } from "@effect/platform"
import { NodeHttpServer } from "@effect/platform-node"
import { Rpc, RpcClient, RpcGroup, RpcMiddleware, RpcSerialization, RpcServer, RpcTest } from "@effect/rpc"
import { describe, expect, it } from "@effect/vitest"
import { InboundError } from "aiocontext/Propagation"
import * as HttpServerContext from "aiocontext/propagation/HttpServer"
import * as RpcContext from "aiocontext/propagation/Rpc"
import {
  Cause,
  Chunk,
  Context,
  Deferred,
  Effect,
  Exit,
  Fiber,
  Layer,
  Logger,
  LogLevel,
  Metric,
  Option,
  Schedule,
  Schema,
  Stream,
  Tracer
} from "effect"
import { createServer } from "node:http"
import { id, otherId, Request, seed } from "./request.js"
import { openHttp, openSocket, protocols, serveHttp } from "./rpc-protocols.js"
import { Api, client, handlers, server, trusted } from "./rpc.js"
import { urlOf } from "./servers.js"
import { Shop } from "./shop.js"

const entries = { id, tenant: "a b", locale: "de" as const, roles: ["x"] }
const basket = { basket: "b-1", currency: "USD" }
const asCaller = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  effect.pipe(Request.provide(entries), Shop.provide(basket), Effect.scoped)

const everything = { ...entries, ...basket }
const nothing = { id: otherId, tenant: "none", locale: "en", roles: [], basket: "empty", currency: "EUR" }

for (const [name, start] of Object.entries(protocols)) {
  describe(`RPC over ${name}`, () => {
    it.live("gives an effect's handler what its caller has, of both contexts of the group", () =>
      Effect.gen(function*() {
        const api = yield* start(trusted)
        expect(yield* api.Who()).toEqual(everything)
        // as it is now
        yield* Request.set("tenant", "c")
        expect(yield* api.Who()).toEqual({ ...everything, tenant: "c" })
      }).pipe(asCaller))
    it.live("gives it to each element of a stream, and to a mailbox", () =>
      Effect.gen(function*() {
        const api = yield* start(trusted)
        const all = yield* Stream.runCollect(api.Whose({ count: 3 }))
        expect(Chunk.toReadonlyArray(all)).toEqual([everything, everything, everything])
        expect(Chunk.toReadonlyArray(yield* Stream.runCollect(api.Mailed()))).toEqual(["a b", "a b"])
      }).pipe(asCaller))
    it.live("gives it to a handler that fails", () =>
      Effect.gen(function*() {
        const api = yield* start(trusted)
        expect(yield* Effect.flip(api.Fail())).toMatchObject({ _tag: "Oops", tenant: "a b" })
      }).pipe(asCaller))
    it.live("gives it to a handler that dies", () =>
      Effect.gen(function*() {
        const api = yield* start(trusted)
        const cause = yield* Effect.flip(Effect.sandbox(api.Die()))
        expect(Cause.pretty(cause)).toContain("died for a b")
      }).pipe(asCaller))
    it.live("with public peers, the default, crosses with public keys only", () =>
      Effect.gen(function*() {
        // locale may come from anybody, and is sent to nobody
        const mine = { ...nothing, id, basket: "b-1" }
        for (const sides of [{}, { client: trusted.client! }, { server: trusted.server! }]) {
          const api = yield* start(sides)
          expect([sides, yield* api.Who()]).toEqual([
            sides,
            sides.client ? { ...mine, locale: "de" } : mine
          ])
        }
      }).pipe(asCaller))
    it.live("seeds a call from outside of the context", () =>
      Effect.gen(function*() {
        const api = yield* start(trusted)
        expect(yield* api.Who()).toEqual(nothing)
        expect(yield* api.Who().pipe(Request.provide(entries), Shop.provide(basket))).toEqual(everything)
        expect(yield* api.Who()).toEqual(nothing)
      }).pipe(Effect.scoped))
    it.live("keeps 200 concurrent calls apart that wake each other", () =>
      Effect.gen(function*() {
        const api = yield* start(trusted)
        const calls = Array.from({ length: 200 }, (_, i) => `t-${i}`)
        const got = yield* Effect.forEach(
          calls,
          (tenant) => api.Meet({ round: "r", count: calls.length }).pipe(Request.provide({ id, tenant })),
          { concurrency: "unbounded" }
        )
        expect(got).toEqual(calls.map((tenant) => `${tenant} ${tenant} de`))
      }).pipe(asCaller))
    it.live("carries what a handler set into the calls that it makes, and nothing back", () =>
      Effect.gen(function*() {
        const api = yield* start(trusted)
        expect(yield* api.Nested({ depth: 2 })).toEqual([
          "a b",
          "a b.2",
          "a b.2.1",
          "a b.2.1",
          "a b.2"
        ])
        expect(yield* Request.get("tenant")).toBe("a b")
      }).pipe(asCaller))
    it.live("interrupts a call in its own context, and leaves others alone", () =>
      Effect.gen(function*() {
        const api = yield* start(trusted)
        const hang = (tenant: string) => Effect.fork(api.Hang().pipe(Request.provide({ id, tenant })))
        const hung = (count: number) =>
          Effect.repeat(api.Hung(), { until: (hung) => hung.length >= count, schedule: Schedule.spaced(10) })
        const first = yield* hang("one")
        yield* hung(1)
        const second = yield* hang("two")
        yield* hung(2)
        yield* Fiber.interrupt(first)
        yield* hung(3)
        expect(yield* api.Who()).toEqual(everything)
        expect(yield* api.Hung()).toEqual(["one waits", "two waits", "one interrupted"])
        yield* Fiber.interrupt(second)
      }).pipe(asCaller))
    it.live("fails a call with InboundError under invalid: \"reject\", and no other one of the client", () =>
      Effect.gen(function*() {
        const api = yield* start({ server: { trust: "trusted", invalid: "reject" }, client: { trust: "trusted" } })
        const others = yield* Effect.fork(
          Effect.forEach(
            ["one", "two"],
            (tenant) => api.Meet({ round: "m", count: 3 }).pipe(Request.provide({ id, tenant })),
            { concurrency: "unbounded" }
          )
        )
        const bad = { "x-request-id": "s3cret" }
        const error = yield* Effect.flip(api.Who(undefined, { headers: bad }))
        expect(error).toBeInstanceOf(InboundError)
        expect({ ...error }).toEqual({
          _tag: "InboundError",
          context: "test/reach/Request",
          key: "id",
          reason: "schema"
        })
        expect(JSON.stringify(error) + String(error)).not.toContain("s3cret")
        const stream = yield* Effect.flip(Stream.runCollect(api.Whose({ count: 1 }, { headers: bad })))
        expect(stream).toBeInstanceOf(InboundError)
        expect(yield* api.Meet({ round: "m", count: 3 })).toBe("a b a b de")
        expect(yield* Fiber.join(others)).toEqual(["one one de", "two two de"])
      }).pipe(asCaller))
  })
}
