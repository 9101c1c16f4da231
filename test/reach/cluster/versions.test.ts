/** Messages that one release stores, and another one reads. */
import { ClusterSchema, Entity, SingleRunner } from "@effect/cluster"
import { Rpc } from "@effect/rpc"
import { SqliteClient } from "@effect/sql-sqlite-node"
import { describe, expect, it } from "@effect/vitest"
import type { Context } from "aiocontext"
import * as ContextSchema from "aiocontext/ContextSchema"
import * as ContextLayer from "aiocontext/Layer"
import * as Cluster from "aiocontext/propagation/Cluster"
import { Deferred, Effect, Layer, Logger, LogLevel, Schema } from "effect"
import { id, otherId } from "../request.js"
import { folder } from "./runners.js"

const { key } = ContextSchema

class Old extends ContextSchema.Tag<Old>("test/reach/versions")({
  id: Schema.UUID.pipe(key({ header: "x-request-id" })),
  tenant: Schema.String.pipe(Schema.pattern(/^[a-z]+$/), key({ baggage: "tenant" })),
  locale: Schema.optionalWith(Schema.Literal("en", "de"), { default: () => "en" as const }).pipe(
    key({ baggage: "locale" })
  ),
  gone: Schema.optionalWith(Schema.String.pipe(key({ baggage: "gone" })), { exact: true })
}) {}

/** Another type, a key that is required now, a value more, a key less. */
class New extends ContextSchema.Tag<New>("test/reach/versions")({
  id: Schema.UUID.pipe(key({ header: "x-request-id" })),
  tenant: Schema.Struct({ name: Schema.String }).pipe(key({ baggage: "tenant" })),
  locale: Schema.optionalWith(Schema.Literal("en", "de", "fr"), { default: () => "en" as const }).pipe(
    key({ baggage: "locale" })
  ),
  region: Schema.Literal("eu", "us").pipe(key({ baggage: "region" }))
}) {}

const Thing = Entity.make("Thing", [Rpc.make("See").annotate(ClusterSchema.Persisted, true)])

const release = <Self, Id extends string, Shape, Seed>(
  tag: Context.TagClass<Self, Id, Shape, Seed>,
  seed: (got: Partial<Shape>) => Seed,
  database: string
) => {
  const runner = Cluster.layer(tag, { seed }).pipe(
    Layer.provideMerge(SingleRunner.layer({
      runnerStorage: "memory",
      shardingConfig: { entityMessagePollInterval: "100 millis", shardsPerGroup: 4 }
    })),
    Layer.provide(SqliteClient.layer({ filename: database })),
    Layer.provide(Logger.minimumLogLevel(LogLevel.None))
  )
  return {
    /** Stores a message, which nobody of this release handles. */
    store: (entries: Seed) =>
      Effect.flatMap(Thing.client, (thing) => thing("1").See(undefined, { discard: true })).pipe(
        tag.provide(entries),
        Effect.provide(runner)
      ),
    /** What the handler of this release has, and how often it ran. */
    handle: Effect.gen(function*() {
      const seen = yield* Deferred.make<unknown>()
      const see = Effect.map(tag.data, (entries) => Object.fromEntries(entries))
      const ThingLive = Thing.toLayer({ See: () => Effect.asVoid(Effect.intoDeferred(see, seen)) })
      return yield* Deferred.await(seen).pipe(
        Effect.provide(ThingLive.pipe(Layer.provide(ContextLayer.late(tag)), Layer.provideMerge(runner)))
      )
    })
  }
}

const oldRelease = (database: string) => release(Old, (got) => ({ id: otherId, tenant: "none", ...got }), database)

const newRelease = (database: string) =>
  release(New, (got) => ({ id: otherId, tenant: { name: "none" }, region: "eu" as const, ...got }), database)

const database = Effect.map(folder, (folder) => `${folder}/cluster.db`)

describe("a release that changed the schema", () => {
  it.scopedLive("reads the messages of the one before: the seed stands in for what it cannot read, or requires now", () =>
    Effect.gen(function*() {
      const file = yield* database
      yield* oldRelease(file).store({ id, tenant: "acme", locale: "de", gone: "x" })
      expect(yield* newRelease(file).handle).toEqual({ id, tenant: { name: "none" }, region: "eu", locale: "de" })
    }))
  it.scopedLive("stores messages that the one before reads", () =>
    Effect.gen(function*() {
      const file = yield* database
      yield* newRelease(file).store({ id, tenant: { name: "acme" }, locale: "fr", region: "us" })
      expect(yield* oldRelease(file).handle).toEqual({ id, tenant: "none", locale: "en" })
    }))
})
