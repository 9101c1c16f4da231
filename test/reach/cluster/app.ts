/** An app on a cluster that tells who saw what: in one process or in several, with the layer of the library or without. */
import {
  ClusterSchema,
  ClusterWorkflowEngine,
  Entity,
  EntityId,
  RunnerAddress,
  Sharding,
  type ShardingConfig
} from "@effect/cluster"
import { NodeClusterSocket } from "@effect/platform-node"
import { Rpc } from "@effect/rpc"
import { SqliteClient } from "@effect/sql-sqlite-node"
import { SqlClient } from "@effect/sql/SqlClient"
import { Activity, DurableClock, DurableDeferred, Workflow } from "@effect/workflow"
import * as ContextLayer from "aiocontext/Layer"
import * as Cluster from "aiocontext/propagation/Cluster"
import {
  Chunk,
  Effect,
  Layer,
  Logger,
  LogLevel,
  ManagedRuntime,
  Option,
  PrimaryKey,
  Redacted,
  Schema,
  Stream
} from "effect"
import { Request, seed } from "../request.js"

/** Where the cluster keeps what it stores. */
export type Storage = { readonly sqlite: string } | { readonly postgres: string }

/** A runner of the cluster. */
export interface RunnerOptions {
  readonly storage: Storage
  readonly port: number
  readonly decorated: boolean
  readonly keys?: ReadonlyArray<"id" | "tenant" | "locale" | "roles">
}

/** A seed of the context that a message can carry to another process. */
export interface As {
  readonly id: string
  readonly tenant: string
  readonly roles: ReadonlyArray<string>
  readonly retries: number
  readonly token: string
}

/** Attaches the context, with a secret among its entries. */
export const as = ({ token, ...rest }: As): <A, E, R>(
  effect: Effect.Effect<A, E, R>
) => Effect.Effect<A, E, Exclude<R, Request>> => Request.provide({ ...rest, token: Redacted.make(token) })

const Seen = Schema.Record({ key: Schema.String, value: Schema.Unknown })

/** What is there of the context, secrets in the clear. */
export const seen: Effect.Effect<typeof Seen.Type> = Effect.map(
  Effect.all({
    id: Request.peek("id"),
    tenant: Request.peek("tenant"),
    locale: Request.peek("locale"),
    roles: Request.peek("roles"),
    retries: Request.peek("retries"),
    token: Effect.map(Request.peek("token"), Option.map(Redacted.value))
  }),
  (all) =>
    Object.fromEntries(
      Object.entries(all).flatMap(([key, value]: readonly [string, Option.Option<unknown>]) =>
        Option.isSome(value) ? [[key, value.value]] : []
      )
    )
)

// -----------------------------------------------------------------------------------------------------------------
// an entity
// -----------------------------------------------------------------------------------------------------------------

class Named extends Schema.Class<Named>("Named")({ name: Schema.String }) {
  [PrimaryKey.symbol]() {
    return this.name
  }
}

const Thing = Entity.make("Thing", [
  Rpc.make("See", { success: Seen }),
  Rpc.make("Stream", { success: Seen, stream: true }),
  Rpc.make("Ask", { payload: { of: Schema.String }, success: Seen }),
  Rpc.make("Saved", { payload: Named, success: Seen }).annotate(ClusterSchema.Persisted, true),
  Rpc.make("Built", { success: Seen })
])

const ThingLive = Thing.toLayer(Effect.gen(function*() {
  const built = yield* seen
  const client = yield* Thing.client
  return Thing.of({
    See: () => seen,
    Stream: () => Stream.mapEffect(Stream.make(1, 2), () => seen),
    Ask: ({ payload }) => Effect.orDie(client(payload.of).See()),
    Saved: () => seen,
    Built: () => Effect.succeed(built)
  })
}))

// -----------------------------------------------------------------------------------------------------------------
// a workflow
// -----------------------------------------------------------------------------------------------------------------

/** A step of a workflow, and what was there in it. */
export interface Step {
  readonly step: string
  readonly process: number
  readonly seen: unknown
}

const record = (step: string) =>
  Effect.gen(function*() {
    const sql = yield* SqlClient
    const row = { step, process: process.pid, seen: JSON.stringify(yield* seen) }
    yield* Effect.orDie(sql`INSERT INTO steps ${sql.insert(row)}`)
  })

const Paid = DurableDeferred.make("Paid", { success: Schema.String })

const Order = Workflow.make({
  name: "Order",
  payload: { number: Schema.String },
  success: Schema.String,
  idempotencyKey: ({ number }) => number
})

const Parcel = Workflow.make({
  name: "Parcel",
  payload: { number: Schema.String },
  idempotencyKey: ({ number }) => number
})

const OrderLive = Order.toLayer(({ number }) =>
  Effect.gen(function*() {
    yield* record("run")
    yield* Activity.make({ name: "reserve", execute: record("reserve") })
    yield* DurableClock.sleep({ name: "wait", duration: "300 millis", inMemoryThreshold: "0 millis" })
    yield* record("after the sleep")
    const by = yield* DurableDeferred.await(Paid)
    yield* Activity.make({ name: "ship", execute: record("ship") })
    yield* Parcel.execute({ number })
    yield* record("end")
    return by
  })
)

const ParcelLive = Parcel.toLayer(() => Activity.make({ name: "parcel", execute: record("parcel") }))

// -----------------------------------------------------------------------------------------------------------------
// a runner
// -----------------------------------------------------------------------------------------------------------------

const database = (storage: Storage): Layer.Layer<SqlClient> =>
  "sqlite" in storage
    ? Layer.orDie(SqliteClient.layer({ filename: storage.sqlite }))
    : Layer.orDie(Layer.unwrapEffect(Effect.promise(async () => {
      // its CommonJS modules do not load under the test runner's import conditions
      const { PgClient } = await import("@effect/sql-pg")
      return PgClient.layer({ url: Redacted.make(storage.postgres) })
    })))

// several intervals have to pass before a runner that was killed is replaced; locks outlive a machine that is slow
const intervals: Partial<ShardingConfig.ShardingConfig["Type"]> = {
  shardsPerGroup: 24,
  entityMessagePollInterval: "200 millis",
  entityReplyPollInterval: "50 millis",
  refreshAssignmentsInterval: "200 millis",
  sendRetryInterval: "50 millis",
  runnerHealthCheckInterval: "1 second",
  shardLockRefreshInterval: "1 second",
  shardLockExpiration: "6 seconds",
  entityTerminationTimeout: "1 second"
}

const Tables = Layer.effectDiscard(
  Effect.flatMap(SqlClient, (sql) => sql`CREATE TABLE IF NOT EXISTS steps (step TEXT, process INTEGER, seen TEXT)`)
)

/** A runner with the app. */
const runner = ({ decorated, keys, port, storage }: RunnerOptions) => {
  const address = Option.some(RunnerAddress.make("127.0.0.1", port))
  const socket = NodeClusterSocket.layer({
    storage: "sql",
    shardingConfig: { ...intervals, runnerAddress: address, runnerListenAddress: address }
  })
  const cluster = decorated
    ? Cluster.layer(Request, { seed, ...keys ? { keys } : {} }).pipe(Layer.provideMerge(socket))
    : socket
  return Layer.mergeAll(ThingLive, OrderLive, ParcelLive).pipe(
    Layer.provideMerge(ClusterWorkflowEngine.layer),
    Layer.provide(ContextLayer.late(Request)),
    Layer.provideMerge(cluster),
    Layer.provide(Tables),
    Layer.provideMerge(database(storage)),
    Layer.provide(Logger.minimumLogLevel(LogLevel.None))
  )
}

type Services = Layer.Layer.Success<ReturnType<typeof runner>>

/** What one asks of a runner. */
export const commands = {
  /** Whether an entity lives on this runner. */
  owns: (entity: string) =>
    Effect.map(
      Sharding.Sharding,
      (sharding) => sharding.hasShardId(sharding.getShardId(EntityId.make(entity), "default"))
    ),
  see: (entity: string) => Effect.flatMap(Thing.client, (thing) => thing(entity).See()),
  stream: (entity: string) =>
    Effect.flatMap(
      Thing.client,
      (thing) => Effect.map(Stream.runCollect(thing(entity).Stream()), Chunk.toReadonlyArray)
    ),
  ask: (entity: string, of: string) => Effect.flatMap(Thing.client, (thing) => thing(entity).Ask({ of })),
  save: (entity: string, name: string) => Effect.flatMap(Thing.client, (thing) => thing(entity).Saved({ name })),
  built: (entity: string) => Effect.flatMap(Thing.client, (thing) => thing(entity).Built()),
  /** Starts a workflow, and does not wait for it. */
  start: (number: string) => Order.execute({ number }, { discard: true }),
  execute: (number: string) => Order.execute({ number }),
  pay: (executionId: string, by: string) =>
    DurableDeferred.succeed(Paid, {
      token: DurableDeferred.tokenFromExecutionId(Paid, { workflow: Order, executionId }),
      value: by
    }),
  /** All that the cluster has stored. */
  stored: () =>
    Effect.flatMap(
      SqlClient,
      (sql) =>
        Effect.all([
          sql`SELECT * FROM cluster_messages`,
          sql`SELECT * FROM cluster_replies`,
          sql`SELECT * FROM cluster_runners`
        ])
    ),
  steps: () =>
    Effect.flatMap(SqlClient, (sql) => sql<{ step: string; process: number; seen: string }>`SELECT * FROM steps`)
} satisfies { readonly [name: string]: (...args: ReadonlyArray<string>) => Effect.Effect<unknown, unknown, Services> }

export type Commands = typeof commands

/** A runner that does what one asks of it. */
export const start = (options: RunnerOptions) => {
  const runtime = ManagedRuntime.make(runner(options))
  return {
    ready: () => runtime.runPromise(Effect.void),
    call: <Name extends keyof Commands>(
      name: Name,
      sender: As | undefined,
      ...args: Parameters<Commands[Name]>
    ): Promise<Effect.Effect.Success<ReturnType<Commands[Name]>>> => {
      const command = Reflect.apply(commands[name], commands, args) as Effect.Effect<never, unknown, Services>
      return runtime.runPromise(sender ? as(sender)(command) : command)
    },
    stop: () => runtime.dispose()
  }
}

export type Started = ReturnType<typeof start>
