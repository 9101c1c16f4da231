/**
 * `npm start` serves the app of `app.ts`; `npm run demo` serves it on a free port, sends it 2,000 requests, 100 at a time,
 * and checks every id that came back.
 */
import { HttpServer } from "@effect/platform"
import { NodeHttpServer, NodeRuntime } from "@effect/platform-node"
import { SingleBar } from "cli-progress"
import Table from "cli-table3"
import { Cause, Console, Effect, Layer } from "effect"
import { createServer } from "node:http"
import { parseArgs } from "node:util"
import { Agent, request } from "undici"
import type { Answer } from "./app.js"
import { app, AppLive } from "./app.js"
import type { Line } from "./legacy/logger.js"
import { onLine } from "./legacy/logger.js"

const { values: options } = parseArgs({
  options: {
    demo: { type: "boolean", default: false },
    requests: { type: "string", default: "2000" },
    concurrency: { type: "string", default: "100" },
    port: { type: "string", default: "3000" }
  }
})

const server = (port: number) =>
  HttpServer.serve(app).pipe(
    Layer.provideMerge(NodeHttpServer.layer(createServer, { port, host: "127.0.0.1" })),
    Layer.provide(AppLive)
  )

const url = HttpServer.addressWith((address) =>
  Effect.succeed(address._tag === "TcpAddress" ? `http://127.0.0.1:${address.port}` : address.path)
)

const serve = Effect.gen(function*() {
  const base = yield* url
  yield* Console.log(`Serving on ${base}\n\nTry: curl -H 'X-Request-ID: hello' ${base}/orders/42`)
  return yield* Effect.never
})

const idOf = (order: string) => `request-${order}`

const demo = Effect.gen(function*() {
  const base = yield* url
  const count = Number(options.requests)
  const lines: Array<Line> = []
  onLine((line) => lines.push(line))
  const wrong: Array<string> = []
  let reads = 0
  const check = (what: string, expected: string, id: string | undefined) => {
    reads++
    if (id !== expected) {
      wrong.push(`${what}: ${id} instead of ${expected}`)
    }
  }

  const bar = new SingleBar({ format: "{bar} {value}/{total} requests", noTTYOutput: true, notTTYSchedule: 1000 })
  bar.start(count, 0)
  const started = performance.now()
  const agent = new Agent({ connections: Number(options.concurrency), pipelining: 1 })
  yield* Effect.forEach(
    Array.from({ length: count }, (_, i) => String(i)),
    (order) =>
      Effect.tryPromise(async () => {
        const response = await request(`${base}/orders/${order}`, {
          dispatcher: agent,
          headers: { "x-request-id": idOf(order) }
        })
        const answer = await response.body.json() as Answer
        for (const [where, id] of Object.entries(answer.seen)) {
          check(`order ${order}, ${where}`, idOf(answer.order), id)
        }
        check(`order ${order}, the answer`, order, answer.order)
        bar.increment()
      }),
    { concurrency: Number(options.concurrency), discard: true }
  )
  const seconds = (performance.now() - started) / 1000
  bar.stop()
  // Bun has an undici of its own, whose agents have no connections to close
  yield* Effect.promise(async () => (agent as Partial<Agent>).close?.())

  // the timers that outlive their requests
  yield* Effect.sleep("100 millis")
  for (const { id, message } of lines) {
    check(`log line "${message}"`, idOf(/^order (\d+)/.exec(message)?.[1] ?? "?"), id)
  }
  check("log lines", String(count * linesPerRequest), String(lines.length))

  const table = new Table({ style: { head: [], border: [] } })
  table.push(
    ["requests", count],
    ["reads checked", reads],
    ["mixed-up ids", wrong.length],
    ["requests per second", Math.round(count / seconds)]
  )
  yield* Console.log(table.toString())
  if (wrong.length > 0) {
    yield* Console.error(wrong.slice(0, 10).join("\n"))
    return yield* Effect.fail(new Error(`${wrong.length} ids were mixed up`))
  }
})

// asked for, found, viewed, priced, answered, archived
const linesPerRequest = 6

const main = options.demo
  ? demo.pipe(Effect.provide(server(0)))
  : serve.pipe(Effect.provide(server(Number(options.port))))

// the app brings its own logger, and what goes wrong here is none of its lines
NodeRuntime.runMain(
  Effect.tapErrorCause(main, (cause) => Console.error(Cause.pretty(cause))),
  { disablePrettyLogger: true, disableErrorReporting: true }
)
