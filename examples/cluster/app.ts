/**
 * An order's way over a cluster: an entity takes it, a workflow reserves, sleeps and calls a billing service over HTTP, and a
 * queue hands it to whoever mails the receipt. Each step writes a row that says for which request and tenant it believed
 * to run. No step is told: a step has its order's number and the context.
 */
import { ClusterSchema, ClusterWorkflowEngine, Entity, RunnerAddress, type ShardingConfig } from "@effect/cluster"
import { PersistedQueue } from "@effect/experimental"
import { FetchHttpClient, HttpClient } from "@effect/platform"
import { NodeClusterSocket } from "@effect/platform-node"
import { Rpc } from "@effect/rpc"
import { PgClient } from "@effect/sql-pg"
import { SqliteClient } from "@effect/sql-sqlite-node"
import { SqlClient } from "@effect/sql/SqlClient"
import * as SqlPersistedQueue from "@effect/sql/SqlPersistedQueue"
import { Activity, DurableClock, Workflow } from "@effect/workflow"
import * as ContextSchema from "aiocontext/ContextSchema"
import * as ContextLayer from "aiocontext/Layer"
import * as ClusterContext from "aiocontext/propagation/Cluster"
import * as HttpClientContext from "aiocontext/propagation/HttpClient"
import * as QueueContext from "aiocontext/propagation/Queue"
import { Effect, Layer, Option, PrimaryKey, Redacted, Schema } from "effect"

/** What an order's request carries. Its token stays in the process that it came to. */
export class Request extends ContextSchema.Tag<Request>("example/cluster/Request")({
  id: Schema.String.pipe(ContextSchema.key({ header: "x-request-id", log: true, span: true })),
  tenant: Schema.String.pipe(ContextSchema.key({ baggage: "tenant", log: true, span: true })),
  token: Schema.optionalWith(Schema.Redacted(Schema.String), { exact: true })
}) {}

/** What a step is handled with that nobody sent anything. */
const seed = (got: Partial<typeof Request.schema.Type>) => ({ id: "nobody's", tenant: "nobody's", ...got })

/** How a process of the demo runs. */
export interface Setup {
  readonly storage: { readonly sqlite: string } | { readonly postgres: string }
  /** Where the billing service is. */
  readonly billing: string
  /** Whether the context is put on the cluster's messages. */
  readonly decorated: boolean
}

// -----------------------------------------------------------------------------------------------------------------
// the steps
// -----------------------------------------------------------------------------------------------------------------

/** The process that runs here, as the rows name it. */
export const processName: string = process.argv[3] ?? "client"

const record = (step: string, order: number) =>
  Effect.gen(function*() {
    const sql = yield* SqlClient
    const [request, tenant] = [yield* Request.get("id"), yield* Request.get("tenant")]
    yield* Effect.orDie(
      sql`INSERT INTO steps ${
        sql.insert({ step, number: order, request, tenant, process: processName, at: Date.now() })
      }`
    )
    yield* Effect.log(`order ${order}: ${step}`)
  }).pipe(Effect.withSpan(step, { attributes: { order } }))

/** The steps of every order, in this order. */
export const steps = ["taken", "reserved", "woken", "billed", "queued", "mailed"] as const

// -----------------------------------------------------------------------------------------------------------------
// the queue
// -----------------------------------------------------------------------------------------------------------------

const Receipts = PersistedQueue.make({ name: "receipts", schema: Schema.Struct({ order: Schema.Number }) })

/** Mails receipts, whoever's they are. */
const MailerLive = Layer.scopedDiscard(
  Effect.flatMap(Receipts, (receipts) =>
    receipts.take(({ order }) => record("mailed", order)).pipe(
      Effect.catchAllCause((cause) => Effect.logDebug("a receipt is tried again", cause)),
      Effect.forever,
      Effect.replicateEffect(8, { concurrency: "unbounded", discard: true }),
      Effect.forkScoped
    ))
)

// -----------------------------------------------------------------------------------------------------------------
// the workflow
// -----------------------------------------------------------------------------------------------------------------

const Fulfilment = Workflow.make({
  name: "Fulfilment",
  payload: { order: Schema.Number },
  idempotencyKey: ({ order }) => String(order)
})

const bill = (billing: string, order: number) =>
  Effect.gen(function*() {
    const client = yield* HttpClient.HttpClient
    yield* client.post(`${billing}/orders/${order}`).pipe(
      Effect.flatMap((response) => response.text),
      Effect.scoped,
      Effect.retry({ times: 5 }),
      Effect.orDie
    )
    yield* record("billed", order)
  })

const FulfilmentLive = ({ billing }: Setup) =>
  Fulfilment.toLayer(({ order }) =>
    Effect.gen(function*() {
      yield* Activity.make({ name: "reserve", execute: record("reserved", order) })
      // in the database, however short it is
      yield* DurableClock.sleep({ name: "the night", duration: "500 millis", inMemoryThreshold: "0 millis" })
      yield* Activity.make({ name: "wake", execute: record("woken", order) })
      yield* Activity.make({ name: "bill", execute: bill(billing, order) })
      yield* Activity.make({
        name: "queue",
        execute: Effect.gen(function*() {
          const receipts = yield* Receipts
          yield* Effect.orDie(receipts.offer({ order }, { id: `order-${order}` }))
          yield* record("queued", order)
        })
      })
    })
  )

// -----------------------------------------------------------------------------------------------------------------
// the entity
// -----------------------------------------------------------------------------------------------------------------

class Taken extends Schema.Class<Taken>("Taken")({ order: Schema.Number }) {
  [PrimaryKey.symbol]() {
    return String(this.order)
  }
}

/** A shop of one tenant. It takes an order once, however often it is told. */
export const Shop = Entity.make("Shop", [
  Rpc.make("Take", { payload: Taken }).annotate(ClusterSchema.Persisted, true)
])

const ShopLive = Shop.toLayer({
  Take: ({ payload: { order } }) =>
    Effect.zipRight(record("taken", order), Effect.asVoid(Fulfilment.execute({ order }, { discard: true })))
})

// -----------------------------------------------------------------------------------------------------------------
// processes
// -----------------------------------------------------------------------------------------------------------------

// short, for the demo to see a runner go and another one take over
const intervals: Partial<ShardingConfig.ShardingConfig["Type"]> = {
  shardsPerGroup: 30,
  entityMessagePollInterval: "500 millis",
  entityReplyPollInterval: "100 millis",
  refreshAssignmentsInterval: "500 millis",
  runnerHealthCheckInterval: "1 second",
  shardLockRefreshInterval: "1 second",
  shardLockExpiration: "6 seconds"
}

/** The database of the cluster, the queue and the rows. */
export const database = ({ storage }: Pick<Setup, "storage">): Layer.Layer<SqlClient> => {
  const client: Layer.Layer<SqlClient, unknown> = "sqlite" in storage
    ? SqliteClient.layer({ filename: storage.sqlite })
    : PgClient.layer({ url: Redacted.make(storage.postgres), maxConnections: 8 })
  return Layer.orDie(client)
}

const sharding = ({ decorated }: Setup, port: number | undefined) => {
  const address = Option.map(Option.fromNullable(port), (port) => RunnerAddress.make("127.0.0.1", port))
  const socket = NodeClusterSocket.layer({
    storage: "sql",
    clientOnly: port === undefined,
    shardingConfig: { ...intervals, runnerAddress: address, runnerListenAddress: address }
  })
  return decorated
    ? ClusterContext.layer(Request, { seed, keys: ["id", "tenant"] }).pipe(Layer.provideMerge(socket))
    : socket
}

const queues = QueueContext.layer(Request, { seed, keys: ["id", "tenant"] }).pipe(
  Layer.provideMerge(PersistedQueue.layer),
  Layer.provide(SqlPersistedQueue.layerStore({
    pollInterval: "250 millis",
    lockRefreshInterval: "2 seconds",
    lockExpiration: "8 seconds"
  }))
)

/** A runner of the cluster. */
export const runner = (setup: Setup, port: number) => {
  const client = HttpClientContext.layer(Request, { trusted: [new URL(setup.billing).host] }).pipe(
    Layer.provide(FetchHttpClient.layer)
  )
  // without the decorator nothing attaches the context, so there the runner does
  const handled = setup.decorated ? ContextLayer.late(Request) : Request.layer(seed({}))
  return Layer.mergeAll(ShopLive, FulfilmentLive(setup), MailerLive).pipe(
    Layer.provideMerge(ClusterWorkflowEngine.layer),
    Layer.provide(handled),
    Layer.provideMerge(sharding(setup, port)),
    Layer.provideMerge(queues),
    Layer.provideMerge(client),
    Layer.provideMerge(database(setup)),
    Layer.provide(ContextLayer.logAnnotations(Request, ["id", "tenant"])),
    Layer.provide(ContextLayer.spanAttributes(Request, ["id", "tenant"]))
  )
}

/** What sends orders. */
export const client = (setup: Setup) => sharding(setup, undefined).pipe(Layer.provideMerge(database(setup)))
