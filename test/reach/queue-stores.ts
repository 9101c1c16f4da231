/** The stores of a `PersistedQueue`, and how to look at all that they hold. */
import { PersistedQueue } from "@effect/experimental"
import * as RedisQueue from "@effect/experimental/PersistedQueue/Redis"
import { PgClient } from "@effect/sql-pg"
import { SqliteClient } from "@effect/sql-sqlite-node"
import * as SqlClient from "@effect/sql/SqlClient"
import * as SqlPersistedQueue from "@effect/sql/SqlPersistedQueue"
import { Context, Effect, Layer } from "effect"
import { Redis as RedisClient } from "ioredis"
import { Postgres, Redis, wherePostgres, whereRedis } from "./databases.js"

/** All that a store holds for a queue, as text. */
export class Contents extends Context.Tag("test/Contents")<Contents, (queue: string) => Effect.Effect<string>>() {}

/** A store, and where its tests can run. */
export interface Store {
  readonly layer: Layer.Layer<PersistedQueue.PersistedQueueStore | Contents>
  readonly where: (tests: () => void) => void
}

const pollInterval = "5 millis"

const memory = Layer.effect(
  PersistedQueue.PersistedQueueStore,
  Effect.map(PersistedQueue.PersistedQueueStore, (store) => ({
    ...store,
    // what leaves the process, in a store that keeps objects
    offer: (options) => Effect.tap(store.offer(options), () => void offered.push(options))
  }))
).pipe(
  Layer.provide(PersistedQueue.layerStoreMemory),
  Layer.merge(
    Layer.succeed(Contents, (queue) => Effect.sync(() => JSON.stringify(offered.filter(({ name }) => name === queue))))
  )
)
const offered: Array<{ readonly name: string; readonly element: unknown }> = []

const tables = Layer.effect(
  Contents,
  Effect.map(
    SqlClient.SqlClient,
    (sql) => (queue: string) =>
      sql`SELECT * FROM effect_queue WHERE queue_name = ${queue}`.pipe(
        // the columns hold JSON: as it stands there, without a second escape
        Effect.map((rows) => rows.map((row) => Object.values(row).join("\n")).join("\n")),
        Effect.orDie
      )
  )
)
const sql = Layer.merge(SqlPersistedQueue.layerStore({ pollInterval }), tables)

const sqlite = sql.pipe(Layer.provide(SqliteClient.layer({ filename: ":memory:" })), Layer.orDie)

const postgres = Layer.unwrapEffect(Effect.map(Postgres, (port) =>
  sql.pipe(
    Layer.provide(PgClient.layer({ host: "127.0.0.1", port, username: "postgres", database: "postgres" }))
  ))).pipe(Layer.provide(Postgres.layer), Layer.orDie)

/** All Redis keys with a queue's name in them, and their values. */
export const redisContents = async (client: RedisClient, queue: string): Promise<string> => {
  const valueOf = async (key: string): Promise<unknown> => {
    switch (await client.type(key)) {
      case "list":
        return client.lrange(key, 0, -1)
      case "set":
        return client.smembers(key)
      case "zset":
        return client.zrange(key, 0, -1)
      case "hash":
        return Object.entries(await client.hgetall(key))
      case "stream":
        return client.xrange(key, "-", "+")
      default:
        return client.get(key)
    }
  }
  const values = (await client.keys(`*${queue}*`)).toSorted().map(async (key) => [key, await valueOf(key)])
  return (await Promise.all(values)).flat(Infinity).join("\n")
}

const redis = Layer.unwrapScoped(Effect.gen(function*() {
  const port = yield* Redis
  const client = yield* Effect.acquireRelease(
    Effect.sync(() => new RedisClient(port, "127.0.0.1")),
    (client) => Effect.promise(() => client.quit())
  )
  return Layer.merge(
    RedisQueue.layerStore({ host: "127.0.0.1", port, pollInterval }),
    Layer.succeed(Contents, (queue) => Effect.promise(() => redisContents(client, queue)))
  )
})).pipe(Layer.provide(Redis.layer))

const anywhere = (tests: () => void): void => tests()

/** The stores by name. */
export const stores: { readonly [name: string]: Store } = {
  memory: { layer: memory, where: anywhere },
  SQLite: { layer: sqlite, where: anywhere },
  PostgreSQL: { layer: postgres, where: wherePostgres },
  Redis: { layer: redis, where: whereRedis }
}
