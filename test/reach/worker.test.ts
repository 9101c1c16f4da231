import { Worker } from "@effect/platform"
import { NodeWorker } from "@effect/platform-node"
import { describe, expect, it, layer } from "@effect/vitest"
import * as ContextSchema from "aiocontext/ContextSchema"
import * as WorkerContext from "aiocontext/propagation/Worker"
import { Cause, Chunk, Context, Effect, Fiber, Layer, Redacted, Schedule, Schema, Stream } from "effect"
import { id, otherId, Request } from "./request.js"
import { Shop } from "./shop.js"
import { type Spawn, spawners, workerFile } from "./workers/build.js"
import { Die, Fail, Hang, Hung, Meet, type Requests, Start, Started, Who, Whose } from "./workers/requests.js"

const entries = { id, tenant: "a b", locale: "de" as const, roles: ["x", "y"], token: Redacted.make("s3cret") }
const basket = { basket: "b-1", currency: "USD" }
const asCaller = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  effect.pipe(Request.provide(entries), Shop.provide(basket), Effect.scoped)

const { token: _, ...travelling } = entries
const everything = { ...travelling, ...basket }
const nothing = { id: otherId, tenant: "none", locale: "en", roles: [], basket: "empty", currency: "EUR" }

const wire = {
  "x-request-id": id,
  "x-basket": "b-1",
  baggage: "currency=USD,tenant=a%20b,locale=de,roles=[%22x%22%2C%22y%22]"
}

type Platform = Layer.Layer<Worker.PlatformWorker, never, Worker.PlatformWorker>

// a worker loads Effect anew, which takes long on a machine that is busy
const slow = 180_000

/** The platform, with what becomes of each message. */
const sending = (change: (message: ReadonlyArray<unknown>) => ReadonlyArray<unknown>): Platform =>
  Layer.effect(
    Worker.PlatformWorker,
    Effect.map(Worker.PlatformWorker, (platform) => ({
      ...platform,
      spawn: <I, O>(id: number) =>
        Effect.map(platform.spawn<I, O>(id), (worker) => ({
          ...worker,
          send: (message: I, transfers?: ReadonlyArray<unknown>) =>
            worker.send(change(message as ReadonlyArray<unknown>) as I, transfers)
        }))
    }))
  )

const untouched = sending((message) => message)

const decorated: Platform = WorkerContext.layerPlatform(Request).pipe(
  Layer.provide(WorkerContext.layerPlatform(Shop))
)

const workers = (spawn: Spawn, over: Platform = decorated, under: Platform = untouched) =>
  Worker.layerManager.pipe(
    Layer.provide(over),
    Layer.provide(under),
    Layer.provideMerge(NodeWorker.layerPlatform(spawn))
  )

const options = { size: 1, concurrency: 1000, initialMessage: () => new Start() }

/** A pool of workers of `runner.ts`. */
const pool = (
  spawner: (file: string, side?: string) => Spawn,
  { over, side, size = 1, under }: {
    readonly over?: Platform
    readonly under?: Platform
    readonly side?: string
    readonly size?: number
  } = {}
) =>
  Effect.gen(function*() {
    const file = yield* workerFile("runner")
    const services = yield* Layer.build(workers(spawner(file, side), over, under))
    return yield* Effect.provide(Worker.makePoolSerialized<Requests>({ ...options, size }), services)
  })

type Pool = Worker.SerializedWorkerPool<Requests>

/** A pool that was made outside of every context, for several tests. */
class Shared extends Context.Tag("Shared")<Shared, Pool>() {}

/** What became of the messages of a round that hang, once there is so much of it. */
const hung = (workers: Pool, round: string, count: number): Effect.Effect<ReadonlyArray<string>> =>
  Effect.orDie(workers.executeEffect(new Hung({ round }))).pipe(
    Effect.filterOrFail((hung) => hung.length >= count),
    Effect.retry(Schedule.spaced(10)),
    Effect.orDie
  )

for (const [name, spawner] of Object.entries(spawners)) {
  const shared = Layer.scoped(Shared, pool(spawner))
  layer(shared, { excludeTestServices: true, timeout: slow })(`${name}, asked by several,`, (it) => {
    it.effect("sees what the fiber has that sends it a message, of both contexts", () =>
      Effect.gen(function*() {
        const workers = yield* Shared
        expect(yield* workers.executeEffect(new Who())).toEqual(everything)
        // as it is now
        yield* Request.set("tenant", "c")
        expect(yield* workers.executeEffect(new Who())).toEqual({ ...everything, tenant: "c" })
      }).pipe(asCaller))
    it.effect("sees it at each element of a stream", () =>
      Effect.gen(function*() {
        const workers = yield* Shared
        const all = yield* Stream.runCollect(workers.execute(new Whose({ count: 3 })))
        expect(Chunk.toReadonlyArray(all)).toEqual([everything, everything, everything])
      }).pipe(asCaller))
    it.effect("sees it in a handler that fails, and in one that dies", () =>
      Effect.gen(function*() {
        const workers = yield* Shared
        expect(yield* Effect.flip(workers.executeEffect(new Fail()))).toBe("failed for a b")
        const cause = yield* Effect.flip(Effect.sandbox(workers.executeEffect(new Die())))
        expect(Cause.pretty(cause)).toContain("died for a b")
        expect(yield* workers.executeEffect(new Who())).toEqual(everything)
      }).pipe(asCaller))
    it.effect("seeds a message from outside of the context", () =>
      Effect.gen(function*() {
        const workers = yield* Shared
        expect(yield* workers.executeEffect(new Who())).toEqual(nothing)
        expect(yield* workers.executeEffect(new Who()).pipe(Request.provide(entries), Shop.provide(basket))).toEqual(
          everything
        )
        expect(yield* workers.executeEffect(new Who())).toEqual(nothing)
      }).pipe(Effect.asVoid))
    it.effect("keeps 200 concurrent messages apart that wake each other", () =>
      Effect.gen(function*() {
        const workers = yield* Shared
        const tenants = Array.from({ length: 200 }, (_, i) => `t-${i}`)
        const got = yield* Effect.forEach(
          tenants,
          (tenant) =>
            workers.executeEffect(new Meet({ round: "many", count: 200 })).pipe(Request.provide({ id, tenant })),
          { concurrency: "unbounded" }
        )
        expect(got).toEqual(tenants.map((tenant) => `${tenant} ${tenant} de`))
      }).pipe(asCaller))
    it.effect("interrupts a message in its own context, and leaves others alone", () =>
      Effect.gen(function*() {
        const workers = yield* Shared
        const hang = (tenant: string) =>
          Effect.fork(workers.executeEffect(new Hang({ round: "one of two" })).pipe(Request.provide({ id, tenant })))
        const first = yield* hang("one")
        yield* hung(workers, "one of two", 1)
        const second = yield* hang("two")
        yield* hung(workers, "one of two", 2)
        yield* Fiber.interrupt(first)
        yield* hung(workers, "one of two", 3)
        expect(yield* workers.executeEffect(new Who())).toEqual(everything)
        expect(yield* workers.executeEffect(new Hung({ round: "one of two" }))).toEqual([
          "one waits",
          "two waits",
          "one interrupted"
        ])
        // a pool waits for what is under way
        yield* Fiber.interrupt(second)
      }).pipe(asCaller))
    it.effect("whose seed dies or throws answers that message with a defect, and lives on", () =>
      Effect.gen(function*() {
        const workers = yield* Shared
        const other = yield* Effect.fork(workers.executeEffect(new Meet({ round: "two", count: 2 })))
        for (const tenant of ["throws", "dies"]) {
          const cause = yield* workers.executeEffect(new Who()).pipe(
            Request.provide({ id, tenant }),
            Effect.sandbox,
            Effect.flip
          )
          expect(Cause.pretty(cause)).toContain("no seed")
        }
        expect(yield* workers.executeEffect(new Meet({ round: "two", count: 2 }))).toBe("a b a b de")
        expect(yield* Fiber.join(other)).toBe("a b a b de")
      }).pipe(asCaller))
    it.effect("stops waiting for a seed whose message is interrupted", () =>
      Effect.gen(function*() {
        const workers = yield* Shared
        const waiting = yield* Effect.fork(
          workers.executeEffect(new Who()).pipe(Request.provide({ id, tenant: "waits" }))
        )
        yield* hung(workers, "seed", 1)
        yield* Fiber.interrupt(waiting)
        expect(yield* hung(workers, "seed", 2)).toEqual(["waits", "interrupted"])
        expect(yield* workers.executeEffect(new Who())).toEqual(everything)
      }).pipe(asCaller))
  })
  describe(name, { timeout: slow }, () => {
    it.live("seeds its first message from whoever makes the pool, and each other from its sender", () =>
      Effect.gen(function*() {
        const workers = yield* pool(spawner)
        const asOther = Request.provide({ id, tenant: "other" })
        expect(yield* asOther(workers.executeEffect(new Started()))).toBe("a b")
        expect(yield* asOther(workers.executeEffect(new Who()))).toMatchObject({ tenant: "other" })
      }).pipe(asCaller))
    it.live("that is undecorated reads on, and does not see the fifth element", () =>
      Effect.gen(function*() {
        const workers = yield* pool(spawner, { side: "older" })
        expect(yield* workers.executeEffect(new Who())).toEqual({ ...nothing, tenant: "older" })
        expect(yield* Stream.runCollect(workers.execute(new Whose({ count: 2 })))).toHaveLength(2)
      }).pipe(asCaller))
    it.live("seeds what comes from a side that is undecorated", () =>
      Effect.gen(function*() {
        const workers = yield* pool(spawner, { over: untouched })
        expect(yield* workers.executeEffect(new Who())).toEqual(nothing)
        expect(Chunk.toReadonlyArray(yield* Stream.runCollect(workers.execute(new Whose({ count: 1 }))))).toEqual([
          nothing
        ])
      }).pipe(asCaller))
    it.live("runs a message whose carrier is broken, with the seed for each key that is", () =>
      Effect.gen(function*() {
        let carrier: unknown
        const workers = yield* pool(spawner, {
          under: sending((message) => message.length < 4 ? message : [...message.slice(0, 4), carrier])
        })
        const sees = (sent: unknown, expected: object) =>
          Effect.suspend(() => {
            carrier = sent
            return Effect.map(
              workers.executeEffect(new Who()),
              (seen) => expect([sent, seen]).toEqual([sent, { ...nothing, ...expected }])
            )
          })
        // absent, and of wrong types
        for (const sent of [undefined, null, 1, true, "x", [], [["x-request-id", id]], {}]) {
          yield* sees(sent, {})
        }
        yield* sees({ "x-request-id": 1, baggage: { tenant: "evil" } }, {})
        yield* sees({ "x-request-id": { toString: id }, baggage: ["tenant=a", 7, "locale=de"] }, {
          tenant: "a",
          locale: "de"
        })
        yield* sees({ "x-request-id": [id, otherId], baggage: "tenant=a" }, { tenant: "a" })
        yield* sees(JSON.parse(`{"__proto__":{"x-request-id":"${id}"},"baggage":"__proto__=x,tenant=a"}`), {
          tenant: "a"
        })
        // keys that it does not know, and such as an older release's schema would have sent
        yield* sees({ ...wire, "x-unknown": "1", baggage: `${wire.baggage},unknown=1` }, everything)
        yield* sees({ "x-request-id": "17", baggage: "tenant=a,locale=fr,roles=x" }, { tenant: "a" })
        // oversize
        yield* sees({ "x-request-id": "x".repeat(1e6), baggage: `tenant=${"y".repeat(2000)},currency=USD` }, {
          currency: "USD"
        })
        yield* sees({ baggage: ",".repeat(1e6) }, {})
        expect(yield* workers.executeEffect(new Started())).toBe("none")
      }).pipe(asCaller))
    it.live("in a pool of several serves each message as its sender's", () =>
      Effect.gen(function*() {
        const workers = yield* pool(spawner, { size: 2 })
        const tenants = Array.from({ length: 20 }, (_, i) => `t-${i}`)
        const got = yield* Effect.forEach(
          tenants,
          (tenant) => workers.executeEffect(new Who()).pipe(Request.provide({ id, tenant })),
          { concurrency: "unbounded" }
        )
        expect(got.map(({ tenant }) => tenant)).toEqual(tenants)
      }).pipe(asCaller))
    it.live("without schemas is asked by a pool, by effect, by stream and by broadcast", () =>
      Effect.gen(function*() {
        const file = yield* workerFile("plain")
        const services = yield* Layer.build(workers(spawner(file)))
        const names = yield* Effect.provide(
          Worker.makePool<string, string, never>({ size: 1, concurrency: 10 }),
          services
        )
        expect(yield* names.executeEffect("one")).toBe("one of a b")
        expect(Chunk.toReadonlyArray(yield* Stream.runCollect(names.execute("stream")))).toEqual(
          Array.from({ length: 3 }, () => "stream of a b")
        )
        yield* names.broadcast("all")
      }).pipe(asCaller))
  })
}

describe("a message to a worker", { timeout: slow }, () => {
  /** What a platform that does nothing is given to send. */
  const sent = (over: Platform, ...messages: ReadonlyArray<unknown>) =>
    Effect.gen(function*() {
      const all: Array<unknown> = []
      const platform = Layer.succeed(Worker.PlatformWorker, {
        [Worker.PlatformWorkerTypeId]: Worker.PlatformWorkerTypeId,
        spawn: () =>
          Effect.succeed({ run: () => Effect.never, send: (message) => Effect.sync(() => all.push(message)) })
      })
      const workers = Effect.flatMap(Worker.PlatformWorker, (platform) => platform.spawn(0)).pipe(
        Effect.provide(Layer.provide(over, platform)),
        Effect.provide(Worker.layerSpawner(() => undefined))
      )
      const worker = yield* workers
      yield* Effect.forEach(messages, (message) => worker.send(message))
      return all
    })
  const message = [1, 0, "payload", undefined]

  it.live("has the entries as its fifth element, which two contexts share, and no secret", () =>
    Effect.gen(function*() {
      const messages: Array<ReadonlyArray<unknown>> = []
      const under = sending((message) => {
        messages.push(message)
        return message
      })
      const workers = yield* pool(spawners["a worker thread"]!, { under })
      yield* workers.executeEffect(new Who())
      const last = messages.at(-1)!
      expect(last).toHaveLength(5)
      expect(last.slice(0, 2)).toEqual([expect.any(Number), 0])
      expect(last[4]).toEqual(wire)
      expect(JSON.stringify(last)).not.toContain("s3cret")
    }).pipe(asCaller))
  it.effect("has four elements where no context is attached, or has nothing that travels", () =>
    Effect.gen(function*() {
      class Local extends ContextSchema.Tag<Local>("test/reach/Local")({ user: Schema.String }) {}
      expect(yield* sent(decorated, message)).toEqual([message])
      expect(yield* Local.provide(sent(WorkerContext.layerPlatform(Local), message), { user: "ann" })).toEqual([
        message
      ])
    }))
  it.effect("has what is for trusted peers, and not what is for nobody", () =>
    Effect.gen(function*() {
      class Private extends ContextSchema.Tag<Private>("test/reach/Private")({
        own: Schema.String.pipe(ContextSchema.key({ baggage: "own" })),
        kept: Schema.String.pipe(ContextSchema.key({ baggage: "kept", out: false }))
      }) {}
      const messages = sent(WorkerContext.layerPlatform(Private), message)
      expect(yield* Private.provide(messages, { own: "1", kept: "2" })).toEqual([[...message, { baggage: "own=1" }]])
    }))
  it.effect("leaves out what cannot be carried, and goes on", () =>
    Effect.gen(function*() {
      const messages = sent(decorated, message).pipe(Request.provide({ id: "a\r\nb", tenant: "ü".repeat(1000) }))
      expect(yield* messages).toEqual([[...message, { "x-basket": "b-1", baggage: "currency=USD,locale=en" }]])
    }).pipe(asCaller))
  it.effect("that is no request, as an interruption or those of RPC, is left as it is", () =>
    Effect.gen(function*() {
      const others = [[1, 1], { _tag: "Request", id: "1", headers: [] }, [1, 2, 3, 4], ["a", 0, 0, 0], "text", null]
      expect(yield* sent(decorated, ...others)).toEqual(others)
    }).pipe(asCaller))
  it.live("of NodeWorker.layer carries nothing: that closes over a platform of its own", () =>
    Effect.gen(function*() {
      const file = yield* workerFile("runner")
      const spawn = spawners["a worker thread"]!(file)
      const own = NodeWorker.layer(spawn).pipe(Layer.provide(decorated), Layer.provide(NodeWorker.layerPlatform(spawn)))
      const workers = yield* Effect.provide(Worker.makePoolSerialized<Requests>(options), yield* Layer.build(own))
      expect(yield* workers.executeEffect(new Who())).toEqual(nothing)
    }).pipe(asCaller))
})
