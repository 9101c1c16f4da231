/**
 * `npm run demo:cluster`: three runners in processes of their own and a client send 1,000 orders of ten tenants through an
 * entity, a workflow, a queue and an HTTP call. In the middle one runner is killed. Every row, log line and span is then
 * asked for which request and tenant it was. A wrong or a lost one fails the demo.
 *
 * `-- --orders 100` sends fewer; `--without` leaves the context off the cluster's messages, to see that it would be noticed.
 * `--storage postgres` runs it on a PostgreSQL server that it starts. It does not get through yet: the shop takes the orders
 * again and again, and the messages that start its workflows are not stored.
 */
import { HttpRouter, HttpServer, HttpServerResponse } from "@effect/platform"
import { NodeHttpServer, NodeRuntime } from "@effect/platform-node"
import { SqlClient } from "@effect/sql/SqlClient"
import * as HttpServerContext from "aiocontext/propagation/HttpServer"
import { SingleBar } from "cli-progress"
import { Cause, Console, Effect, Layer, Logger, LogLevel, Redacted, Schedule } from "effect"
import { createServer } from "node:http"
import { parseArgs } from "node:util"
import { client, database, Request, type Setup, Shop, steps } from "./app.js"
import { scratch, startPostgres, startRunner } from "./processes.js"
import { picture, type Row, summary } from "./report.js"
import type { Said } from "./runner.js"

const { values: options } = parseArgs({
  options: {
    orders: { type: "string", default: "1000" },
    storage: { type: "string", default: "sqlite" },
    without: { type: "boolean", default: false }
  }
})

const count = Number(options.orders)
const orders = Array.from({ length: count }, (_, i) => i)

const requestOf = (order: number): string => `request-${order}`
const tenantOf = (order: number): string => `tenant-${order % 10}`

// -----------------------------------------------------------------------------------------------------------------
// the billing service
// -----------------------------------------------------------------------------------------------------------------

const billed: Array<Row> = []

const billing = HttpRouter.empty.pipe(
  HttpRouter.post(
    "/orders/:order",
    Effect.gen(function*() {
      const { order } = yield* HttpRouter.params
      const [request, tenant] = [yield* Request.get("id"), yield* Request.get("tenant")]
      billed.push({ step: "invoice", number: Number(order), request, tenant, process: "billing", at: Date.now() })
      return HttpServerResponse.empty()
    })
  )
)

const BillingLive = HttpServer.serve(
  billing,
  HttpServerContext.middleware(Request, {
    seed: (got) => ({ id: "nobody's", tenant: "nobody's", ...got }),
    // it listens on the loopback alone
    trusted: () => true
  })
).pipe(Layer.provideMerge(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" })))

// -----------------------------------------------------------------------------------------------------------------
// orders
// -----------------------------------------------------------------------------------------------------------------

const send = (order: number) =>
  Effect.gen(function*() {
    const shop = yield* Shop.client
    yield* shop(`shop-of-${tenantOf(order)}`).Take({ order }, { discard: true })
  }).pipe(
    // what a busy database did not store is sent again: a shop takes an order once
    Effect.sandbox,
    Effect.retry({ schedule: Schedule.spaced("500 millis"), times: 20 }),
    Request.provide({ id: requestOf(order), tenant: tenantOf(order), token: Redacted.make(`token-${order}`) })
  )

const demo = Effect.gen(function*() {
  const folder = yield* scratch
  const storage = options.storage === "postgres"
    ? { postgres: yield* startPostgres(folder) }
    : { sqlite: `${folder}/cluster.db` }
  const address = yield* HttpServer.addressWith(Effect.succeed)
  const setup: Setup = {
    storage,
    billing: address._tag === "TcpAddress" ? `http://127.0.0.1:${address.port}` : address.path,
    decorated: !options.without
  }

  const run = Effect.gen(function*() {
    const sql = yield* SqlClient
    yield* sql`CREATE TABLE IF NOT EXISTS steps (step TEXT, number INTEGER, request TEXT, tenant TEXT, process TEXT, at BIGINT)`
    const said: Array<Said> = []
    const runners = yield* Effect.forEach(
      ["runner-1", "runner-2", "runner-3"],
      (name) => startRunner(setup, name, (line) => said.push(line)),
      { concurrency: "unbounded" }
    )
    const started = Date.now()
    const bar = new SingleBar({
      format: "{bar} {value}/{total} orders {what}",
      noTTYOutput: true,
      notTTYSchedule: 2000
    })
    bar.start(count, 0, { what: "" })
    yield* Effect.fork(Effect.forEach(orders, send, { concurrency: 16, discard: true }))

    let killed: { readonly name: string; readonly at: number } | undefined
    const mailed = Effect.map(
      sql<{ readonly done: number }>`SELECT count(DISTINCT number) AS done FROM steps WHERE step = 'mailed'`,
      ([row]) => Number(row!.done)
    )
    yield* Effect.gen(function*() {
      const done = yield* mailed
      bar.update(done, { what: killed ? `, ${killed.name} was killed` : "" })
      if (!killed && done >= count / 4) {
        const [, victim] = runners
        yield* victim!.kill
        killed = { name: victim!.name, at: Date.now() }
      }
      return done
    }).pipe(
      Effect.repeat({ until: (done) => done >= count, schedule: Schedule.spaced("250 millis") }),
      // what is lost is said below
      Effect.timeoutOption(`${300 + count} seconds`)
    )
    bar.stop()

    const rows = (yield* sql<Row>`SELECT * FROM steps ORDER BY at`).map((row) => ({
      ...row,
      number: Number(row.number),
      at: Number(row.at)
    }))
    return {
      said,
      rows: [...rows, ...billed].toSorted((a, b) => a.at - b.at),
      seconds: (Date.now() - started) / 1000,
      killed
    }
  }).pipe(Effect.provide(client(setup)), Effect.provide(database(setup)))

  const { killed, rows, said, seconds } = yield* run
  const wrong: Array<string> = []
  const check = (what: string, order: number | undefined, request: unknown, tenant: unknown) => {
    if (order !== undefined && (request !== requestOf(order) || tenant !== tenantOf(order))) {
      wrong.push(`${what} of order ${order} was for ${String(request)} of ${String(tenant)}`)
    }
  }
  rows.forEach(({ number, process, request, step, tenant }) => check(`${step} (${process})`, number, request, tenant))
  said.forEach(({ kind, order, process, request, tenant, what }) =>
    check(`the ${kind} "${what}" (${process})`, order, request, tenant)
  )

  const there = new Set(rows.map(({ number, step }) => `${step} ${number}`))
  const lost = orders.flatMap((order) =>
    [...steps, "invoice"].filter((step) => !there.has(`${step} ${order}`)).map((step) => `order ${order}: no "${step}"`)
  )
  if (!killed) {
    lost.push("no runner was killed")
  }

  yield* Console.log(picture(rows, killed))
  yield* Console.log(summary({ count, rows, said, seconds, wrong: wrong.length, lost: lost.length, killed }))
  if (wrong.length + lost.length > 0) {
    yield* Console.error([...wrong.slice(0, 10), ...lost.slice(0, 10)].join("\n"))
    return yield* Effect.fail(new Error(`${wrong.length} belong to others, ${lost.length} are lost`))
  }
})

NodeRuntime.runMain(
  demo.pipe(
    Effect.scoped,
    Effect.provide(BillingLive),
    Effect.provide(Logger.minimumLogLevel(LogLevel.Error)),
    Effect.tapErrorCause((cause) => Console.error(Cause.pretty(cause)))
  ),
  { disablePrettyLogger: true, disableErrorReporting: true }
)
