/** The messages of one runner: who reads what, of whom. */
import {
  ClusterSchema,
  DeliverAt,
  Entity,
  EntityAddress,
  EntityId,
  Envelope,
  Message,
  Sharding,
  Singleton,
  TestRunner
} from "@effect/cluster"
import { Headers } from "@effect/platform"
import { Rpc, RpcClient } from "@effect/rpc"
import { describe, expect, it } from "@effect/vitest"
import { compat } from "aiocontext"
import * as ContextLayer from "aiocontext/Layer"
import * as Propagation from "aiocontext/Propagation"
import * as Cluster from "aiocontext/propagation/Cluster"
import {
  Chunk,
  Context,
  DateTime,
  Deferred,
  Effect,
  Layer,
  Mailbox,
  Option,
  PrimaryKey,
  Redacted,
  Schema,
  Stream,
  Tracer
} from "effect"
import { id, otherId, Request, seed } from "./request.js"

/** What a handler sees of its context. */
const Seen = Schema.Record({ key: Schema.String, value: Schema.Unknown })

const seen = Effect.map(Request.data, (entries): typeof Seen.Type => Object.fromEntries(entries))

const a = { id, tenant: "a", roles: ["x"], retries: 3, token: Redacted.make("secret-of-a") }
const b = { id: otherId, tenant: "b", locale: "de" as const }

const travelsOfA = { id, tenant: "a", roles: ["x"], locale: "en", retries: 0 }
const travelsOfB = { id: otherId, tenant: "b", locale: "de", retries: 0 }
/** What a message without a carrier is handled with. */
const nobody = { id: otherId, tenant: "none", locale: "en", retries: 0 }

class Once extends Schema.Class<Once>("Once")({ key: Schema.String }) {
  [PrimaryKey.symbol]() {
    return this.key
  }
}

class Later extends Schema.Class<Later>("Later")({ at: Schema.DateTimeUtc }) {
  [DeliverAt.symbol]() {
    return this.at
  }
}

const Thing = Entity.make("Thing", [
  Rpc.make("See", { success: Seen }),
  Rpc.make("SeeForked", { success: Seen }),
  Rpc.make("SeeUninterruptible", { success: Seen }),
  Rpc.make("Stream", { success: Seen, stream: true }),
  Rpc.make("StreamOfMailbox", { success: Seen, stream: true }),
  Rpc.make("Nested", { success: Schema.Array(Seen) }),
  Rpc.make("Built", { success: Schema.Array(Schema.Option(Schema.String)) }),
  Rpc.make("Write", { payload: { tenant: Schema.String }, success: Schema.String }),
  Rpc.make("Saved", { payload: Once, success: Seen }).annotate(ClusterSchema.Persisted, true),
  Rpc.make("SavedForLater", { payload: Later, success: Seen }).annotate(ClusterSchema.Persisted, true),
  Rpc.make("Headers", { success: Seen })
])

const whatIsThere = Request.peek("tenant")

const ThingLive = Thing.toLayer(Effect.gen(function*() {
  const built = yield* whatIsThere
  const forked = yield* Deferred.make<Option.Option<string>>()
  yield* Effect.forkScoped(Effect.intoDeferred(Effect.delay(whatIsThere, "1 millis"), forked))
  const client = yield* Thing.client
  return Thing.of({
    See: () => seen,
    SeeForked: () => Rpc.fork(seen),
    SeeUninterruptible: () => Rpc.uninterruptible(seen),
    Stream: () => Stream.concat(Stream.fromEffect(seen), Stream.mapEffect(Stream.make(1, 2), () => seen)),
    StreamOfMailbox: () =>
      Effect.gen(function*() {
        const mailbox = yield* Mailbox.make<typeof Seen.Type>()
        yield* mailbox.offer(yield* seen)
        yield* Effect.forkScoped(Effect.zipRight(Effect.flatMap(seen, (seen) => mailbox.offer(seen)), mailbox.end))
        return mailbox
      }),
    Nested: () =>
      Effect.gen(function*() {
        yield* Request.set("tenant", "changed here")
        return [yield* client("nested-1").See(), yield* client("nested-2").See().pipe(Request.provide(b)), yield* seen]
      }).pipe(Effect.orDie),
    Built: () => Effect.map(Deferred.await(forked), (forked) => [built, forked]),
    Write: ({ payload }) =>
      Effect.gen(function*() {
        const before = yield* Request.get("tenant")
        yield* Request.set("tenant", payload.tenant)
        return before
      }),
    Saved: () => seen,
    SavedForLater: () => seen,
    Headers: ({ headers }) => Effect.succeed({ ...headers })
  })
}))

type Options = Cluster.Options<typeof Request.schema.Type, Schema.Struct.Constructor<typeof Request.schema.fields>>

const runner = (options: Partial<Options> = {}) =>
  Cluster.layer(Request, { seed, ...options }).pipe(Layer.provideMerge(TestRunner.layer))

const live = <A, E>(entities: Layer.Layer<A, E, Request | Sharding.Sharding>, options?: Partial<Options>) =>
  entities.pipe(Layer.provide(ContextLayer.late(Request)), Layer.provideMerge(runner(options)))

const things = live(ThingLive)

const asA = Request.provide(a)
const asB = Request.provide(b)

describe("an ask", () => {
  it.scopedLive("is handled with the sender's travelling keys over the seed, and no secret", () =>
    Effect.gen(function*() {
      const thing = yield* Thing.client
      expect(yield* thing("1").See().pipe(asA)).toEqual(travelsOfA)
      expect(yield* thing("1").See().pipe(asB)).toEqual(travelsOfB)
    }).pipe(Effect.provide(things)))
  it.scopedLive("that is sent outside of the context is handled with the seed", () =>
    Effect.gen(function*() {
      const thing = yield* Thing.client
      expect(yield* thing("1").See()).toEqual(nobody)
    }).pipe(Effect.provide(things)))
  it.scopedLive("sends the values of the fiber that makes it, as they are then", () =>
    Effect.gen(function*() {
      const thing = yield* Thing.client
      const ask = thing("1").See()
      yield* Request.set("tenant", "later")
      const { tenant } = yield* ask
      expect(tenant).toBe("later")
    }).pipe(asA, Effect.provide(things)))
  it.scopedLive("carries the keys of `keys` and no others", () =>
    Effect.gen(function*() {
      const thing = yield* Thing.client
      expect(yield* thing("1").Headers().pipe(asA)).toEqual({ "x-request-id": id })
      expect(yield* thing("1").See().pipe(asA)).toEqual({ ...nobody, id })
    }).pipe(Effect.provide(live(ThingLive, { keys: ["id", "token", "retries"] }))))
  it.scopedLive("keeps the headers that the call gives by hand, and other members of their baggage", () =>
    Effect.gen(function*() {
      const thing = yield* Thing.client
      const headers = { "X-Request-Id": otherId, "x-mine": "1", baggage: "tenant=old,other=1;p" }
      expect(yield* thing("1").Headers(undefined, { headers }).pipe(asA)).toEqual({
        "x-request-id": otherId,
        "x-mine": "1",
        baggage: "tenant=a,locale=en,roles=[%22x%22],other=1;p"
      })
      expect(yield* thing("1").Headers().pipe(RpcClient.withHeaders({ "x-all": "1" }), asB)).toMatchObject({
        "x-all": "1",
        "x-request-id": otherId
      })
    }).pipe(Effect.provide(things)))
  it.scopedLive("that nobody waits for carries them too", () =>
    Effect.gen(function*() {
      const seenBy = yield* Deferred.make<typeof Seen.Type>()
      const Sink = Entity.make("Sink", [Rpc.make("See")])
      const SinkLive = Sink.toLayer({ See: () => Effect.asVoid(Effect.intoDeferred(seen, seenBy)) })
      yield* Effect.gen(function*() {
        const sink = yield* Sink.client
        yield* sink("1").See(undefined, { discard: true }).pipe(asA)
        expect(yield* Deferred.await(seenBy)).toEqual(travelsOfA)
      }).pipe(Effect.provide(live(SinkLive)))
    }))
  it.scopedLive("changes nothing of its sender's map", () =>
    Effect.gen(function*() {
      const thing = yield* Thing.client
      expect(yield* thing("1").Write({ tenant: "written" })).toBe("a")
      expect(yield* Request.get("tenant")).toBe("a")
      expect(yield* thing("1").Write({ tenant: "again" })).toBe("a")
    }).pipe(asA, Effect.provide(things)))
  it.scopedLive("of a handler carries that handler's map as it is there", () =>
    Effect.gen(function*() {
      const thing = yield* Thing.client
      expect(yield* thing("1").Nested().pipe(asA)).toEqual([
        { ...travelsOfA, tenant: "changed here" },
        travelsOfB,
        { ...travelsOfA, tenant: "changed here" }
      ])
    }).pipe(Effect.provide(things)))
})

describe("what a handler gives", () => {
  for (const method of ["SeeForked", "SeeUninterruptible"] as const) {
    it.scopedLive(`as an Rpc.wrap runs with the context, and stays one: ${method}`, () =>
      Effect.gen(function*() {
        const thing = yield* Thing.client
        expect(yield* thing("1")[method]().pipe(asA)).toEqual(travelsOfA)
      }).pipe(Effect.provide(things)))
  }
  it.scopedLive("forked runs beside a handler that has not ended", () =>
    Effect.gen(function*() {
      const Busy = Entity.make("Busy", [Rpc.make("Wait"), Rpc.make("See", { success: Seen })])
      const started = yield* Deferred.make<void>()
      const end = yield* Deferred.make<void>()
      const BusyLive = Busy.toLayer({
        Wait: () => Effect.zipRight(Deferred.succeed(started, undefined), Deferred.await(end)),
        See: () => Rpc.fork(seen)
      })
      yield* Effect.gen(function*() {
        const busy = yield* Busy.client
        yield* Effect.fork(busy("1").Wait())
        yield* Deferred.await(started)
        expect(yield* busy("1").See().pipe(asA)).toEqual(travelsOfA)
        yield* Deferred.succeed(end, undefined)
      }).pipe(Effect.provide(live(BusyLive)))
    }))
  it.scopedLive("as a stream runs all of it with the context", () =>
    Effect.gen(function*() {
      const thing = yield* Thing.client
      const all = yield* Stream.runCollect(thing("1").Stream()).pipe(asA)
      expect(Chunk.toReadonlyArray(all)).toEqual([travelsOfA, travelsOfA, travelsOfA])
    }).pipe(Effect.provide(things)))
  it.scopedLive("as a stream is read as a mailbox too", () =>
    Effect.gen(function*() {
      const thing = yield* Thing.client
      const mailbox = yield* thing("1").Stream(undefined, { asMailbox: true }).pipe(asA)
      const all = yield* Stream.runCollect(Mailbox.toStream(mailbox))
      expect(Chunk.toReadonlyArray(all)).toEqual([travelsOfA, travelsOfA, travelsOfA])
    }).pipe(Effect.provide(things)))
  it.scopedLive("as an effect of a mailbox runs with the context, and so does what fills it", () =>
    Effect.gen(function*() {
      const thing = yield* Thing.client
      const all = yield* Stream.runCollect(thing("1").StreamOfMailbox()).pipe(asA)
      expect(Chunk.toReadonlyArray(all)).toEqual([travelsOfA, travelsOfA])
    }).pipe(Effect.provide(things)))
})

describe("an entity", () => {
  for (const [where, bridge] of [["", Layer.empty], [" under the bridge", compat.layer]] as const) {
    it.scopedLive(`is built without the context of who first woke it, and so is what it forks${where}`, () =>
      Effect.gen(function*() {
        const thing = yield* Thing.client
        // promise code between sender and entity makes a run that knows of its starter
        expect(yield* thing("1").Built().pipe(asA)).toEqual([Option.none(), Option.none()])
      }).pipe(Effect.provide(things), Effect.provide(bridge)))
  }
  it.scopedLive("whose build reads the context is told that this is outside of a message", () =>
    Effect.gen(function*() {
      const said = yield* Deferred.make<string>()
      const Early = Entity.make("Early", [Rpc.make("See", { success: Seen })])
      const EarlyLive = Early.toLayer(
        Effect.zipRight(
          Request.get("tenant").pipe(
            Effect.catchAllDefect((defect) => Deferred.succeed(said, String((defect as Error).message)))
          ),
          Effect.succeed({ See: () => seen })
        )
      )
      yield* Effect.gen(function*() {
        const early = yield* Early.client
        expect(yield* early("1").See().pipe(asA)).toEqual(travelsOfA)
        expect(yield* Deferred.await(said)).toMatch(/outside of/)
      }).pipe(Effect.provide(live(EarlyLive)))
    }))
  it.scopedLive("that was registered inside of a region has nothing of it", () =>
    Effect.gen(function*() {
      const thing = yield* Thing.client
      expect(yield* thing("1").Built()).toEqual([Option.none(), Option.none()])
      expect(yield* thing("1").See().pipe(asB)).toEqual(travelsOfB)
    }).pipe(Effect.provide(ThingLive), Effect.provide(runner()), asA))
  it.scopedLive("with a mailbox loop restores per message, and answers", () =>
    Effect.gen(function*() {
      const Loop = Entity.make("Loop", [Rpc.make("See", { success: Seen })])
      const outside: Array<unknown> = []
      const LoopLive = Loop.toLayerMailbox((mailbox, replier) =>
        Effect.gen(function*() {
          while (true) {
            const request = yield* Effect.orDie(mailbox.take)
            outside.push(yield* whatIsThere)
            yield* Effect.flatMap(seen, (seen) => replier.succeed(request, seen)).pipe(
              Propagation.restore(Request, request.headers, seed)
            )
          }
        })
      )
      yield* Effect.gen(function*() {
        const loop = yield* Loop.client
        expect(yield* loop("1").See().pipe(asA)).toEqual(travelsOfA)
        expect(yield* loop("1").See().pipe(asB)).toEqual(travelsOfB)
        expect(yield* loop("1").See()).toEqual(nobody)
        expect(outside).toEqual([Option.none(), Option.none(), Option.none()])
      }).pipe(Effect.provide(live(LoopLive)))
    }))
})

describe("a persisted message", () => {
  it.scopedLive("is handled with the context of who sent it first", () =>
    Effect.gen(function*() {
      const thing = yield* Thing.client
      const message = new Once({ key: "same" })
      expect(yield* thing("1").Saved(message).pipe(asA)).toEqual(travelsOfA)
      expect(yield* thing("1").Saved(message).pipe(asB)).toEqual(travelsOfA)
      expect(yield* thing("1").Saved(new Once({ key: "other" })).pipe(asB)).toEqual(travelsOfB)
    }).pipe(Effect.provide(things)))
  it.scopedLive("that is delivered later is handled with the context that it was sent with", () =>
    Effect.gen(function*() {
      const thing = yield* Thing.client
      const at = DateTime.add(yield* DateTime.now, { millis: 50 })
      expect(yield* thing("1").SavedForLater(new Later({ at })).pipe(asA)).toEqual(travelsOfA)
    }).pipe(Effect.provide(things)))
  it.scopedLive("with a carrier of any kind never fails for its context", () =>
    Effect.gen(function*() {
      const thing = yield* Thing.client
      const carriers = {
        none: {},
        wrong: { "x-request-id": "no uuid", baggage: "locale=fr,roles={,tenant=" },
        oversize: { "x-request-id": "x".repeat(10_000), baggage: `tenant=${"t".repeat(10_000)}` },
        noise: { baggage: ",;=,,%zz=%%%,__proto__=1", "x-other": "1" }
      }
      for (const [key, headers] of Object.entries(carriers)) {
        expect(yield* thing("1").Saved(new Once({ key }), { headers })).toEqual(nobody)
      }
    }).pipe(Effect.provide(things)))
})

describe("an envelope that is made by hand", () => {
  it.scopedLive("gets the context where sendOutgoing is called", () =>
    Effect.gen(function*() {
      const seenBy = yield* Deferred.make<typeof Seen.Type>()
      const See = Rpc.make("See")
      const Hand = Entity.make("Hand", [See])
      const HandLive = Hand.toLayer({ See: () => Effect.asVoid(Effect.intoDeferred(seen, seenBy)) })
      yield* Effect.gen(function*() {
        const sharding = yield* Sharding.Sharding
        const entityId = EntityId.make("1")
        yield* sharding.sendOutgoing(
          new Message.OutgoingRequest({
            envelope: Envelope.makeRequest<any>({
              requestId: yield* sharding.getSnowflake,
              address: EntityAddress.EntityAddress.make({
                shardId: sharding.getShardId(entityId, "default"),
                entityId,
                entityType: Hand.type
              }),
              tag: "See" as never,
              payload: undefined as never,
              headers: Headers.empty
            }),
            context: Context.empty() as never,
            lastReceivedReply: Option.none(),
            rpc: See as never,
            respond: () => Effect.void
          }),
          true
        ).pipe(asA)
        expect(yield* Deferred.await(seenBy)).toEqual(travelsOfA)
      }).pipe(Effect.provide(live(HandLive)))
    }))
})

describe("a singleton", () => {
  it.scopedLive("runs without the context of who registered it, and what it sends carries nothing", () =>
    Effect.gen(function*() {
      const result = yield* Deferred.make<readonly [Option.Option<string>, typeof Seen.Type]>()
      const Once = Singleton.make(
        "once",
        Effect.gen(function*() {
          const here = yield* whatIsThere
          const thing = yield* Thing.client
          yield* Deferred.succeed(result, [here, yield* thing("1").See()] as const)
        })
      )
      yield* Effect.gen(function*() {
        expect(yield* Deferred.await(result)).toEqual([Option.none(), nobody])
      }).pipe(Effect.provide(live(Layer.mergeAll(ThingLive, Layer.provide(Once, compat.layer)))))
    }).pipe(asA))
})

describe("the seed", () => {
  it.scopedLive("is given the message, for values that are the same each time", () =>
    Effect.gen(function*() {
      const thing = yield* Thing.client
      const { tenant } = yield* thing("the-id").See()
      expect(tenant).toBe("the-id")
      expect(yield* thing("the-id").See().pipe(asA)).toEqual(travelsOfA)
    }).pipe(Effect.provide(live(ThingLive, {
      seed: (got, { address }) => ({ id: otherId, tenant: address.entityId, ...got })
    }))))
  it.scopedLive("may be an effect", () =>
    Effect.gen(function*() {
      const thing = yield* Thing.client
      expect(yield* thing("1").See()).toEqual(nobody)
    }).pipe(Effect.provide(live(ThingLive, { seed: (got) => Effect.succeed(seed(got)) }))))
})

describe("spans", () => {
  it.scopedLive("of a handler carry its own context's keys, not what of its sender's does not travel", () =>
    Effect.gen(function*() {
      const spans: Array<{ readonly name: string; readonly attributes: ReadonlyMap<string, unknown> }> = []
      const tracer = Tracer.make({
        span: (name, parent, context, links, startTime, kind) => {
          const attributes = new Map<string, unknown>()
          spans.push({ name, attributes })
          return {
            _tag: "Span",
            name,
            spanId: String(spans.length),
            traceId: "t",
            parent,
            context,
            status: { _tag: "Started", startTime },
            attributes,
            links,
            sampled: true,
            kind,
            end: () => {},
            attribute: (key, value) => void attributes.set(key, value),
            event: () => {},
            addLinks: () => {}
          }
        },
        context: (f) => f()
      })
      const Spanned = Entity.make("Spanned", [Rpc.make("See")])
      const SpannedLive = Spanned.toLayer({ See: () => Effect.withSpan(Effect.void, "inside") })
      yield* Effect.gen(function*() {
        const spanned = yield* Spanned.client
        yield* spanned("1").See().pipe(asA)
      }).pipe(
        Effect.provide(live(SpannedLive)),
        Effect.provide(ContextLayer.spanAttributes(Request, ["tenant", "retries"])),
        Effect.withTracer(tracer)
      )
      const inside = spans.find(({ name }) => name === "inside")
      expect(Object.fromEntries(inside!.attributes)).toEqual({ tenant: "a", retries: 0 })
    }))
})
