/**
 * `npm run demo:shop` starts the shop's services, sends them 500 requests of ten tenants through an edge of our own and
 * through one that is a stranger's, and checks every answer, every log line and every hop. It exits with 1 where one value
 * is wrong.
 */
import { NodeRuntime } from "@effect/platform-node"
import { compat } from "aiocontext"
import * as Propagation from "aiocontext/Propagation"
import { SingleBar } from "cli-progress"
import Table from "cli-table3"
import { Cause, Console, Effect, Redacted } from "effect"
import { isDeepStrictEqual, parseArgs } from "node:util"
import { Agent, request } from "undici"
import { type Answer, startGateway } from "./gateway.js"
import { type Hop, makeLedger, type Seen } from "./ledger.js"
import { startOrders } from "./orders.js"
import { startPartner } from "./partner.js"
import { isPartners, startPrices } from "./prices.js"
import { Request } from "./request.js"
import { drawWay } from "./way.js"

const { values: options } = parseArgs({
  options: {
    requests: { type: "string", default: "500" },
    concurrency: { type: "string", default: "50" }
  }
})

const tenants = 10
// gateway: asked for, answered; orders: looked up, priced; prices: found
const linesPerRequest = 5

const isTrusted = (order: number): boolean => order % 2 === 0

/** What a request must be seen with, in every service of ours. */
const expectedOf = (order: number): Seen => ({
  id: `request-${order}`,
  tenant: `tenant-${order % tenants}`,
  locale: order % 4 < 2 ? "en" : "de"
})

/** What the edge sends. A stranger tries to be somebody else, and has no more than the key of its tenant. */
const headersOf = (order: number): Record<string, string> => {
  const { id, locale, tenant } = expectedOf(order)
  const headers = { "x-request-id": id, authorization: `secret-${order}` }
  return isTrusted(order)
    ? { ...headers, baggage: `tenant=${tenant},locale=${locale},roles=["buyer"]` }
    : { ...headers, baggage: `tenant=evil,roles=["admin"],locale=${locale}`, "x-api-key": `key-of-${tenant}` }
}

/** The entries that must reach a service. A stranger gets what anybody may have. */
const expectedAt = ({ to }: Hop, order: number): object => {
  const { id, locale, tenant } = expectedOf(order)
  const inside = { id, tenant, locale, ...isTrusted(order) ? { roles: ["buyer"] } : {} }
  return to === "partner" ? { id } : inside
}

const demo = Effect.gen(function*() {
  const count = Number(options.requests)
  const ledger = makeLedger()
  const partner = yield* startPartner(ledger)
  const prices = yield* startPrices(ledger, partner)
  const orders = yield* startOrders(ledger, prices)
  const gateway = yield* startGateway(ledger, orders)

  const wrong: Array<string> = []
  let checks = 0
  const check = (what: string, expected: unknown, value: unknown) => {
    checks++
    if (!isDeepStrictEqual(expected, value)) {
      wrong.push(`${what}: ${JSON.stringify(value)} instead of ${JSON.stringify(expected)}`)
    }
  }

  const bar = new SingleBar({ format: "{bar} {value}/{total} requests", noTTYOutput: true, notTTYSchedule: 1000 })
  bar.start(count, 0)
  const started = performance.now()
  const agent = yield* Effect.acquireRelease(
    Effect.sync(() => new Agent({ connections: Number(options.concurrency), pipelining: 1 })),
    (agent) => Effect.promise(async () => (agent as Partial<Agent>).close?.())
  )
  yield* Effect.forEach(
    Array.from({ length: count }, (_, order) => order),
    (order) =>
      Effect.tryPromise(async () => {
        const edge = isTrusted(order) ? gateway.trusted : gateway.untrusted
        const { body, headers, statusCode } = await request(`${edge}/orders/${order}`, {
          dispatcher: agent,
          headers: headersOf(order)
        })
        const answer = statusCode === 200 ? await body.json() as Answer : (await body.dump(), {})
        check(`order ${order}, status`, 200, statusCode)
        check(`order ${order}, echo`, expectedOf(order).id, headers["x-request-id"])
        for (const service of ["gateway", "orders", ...isPartners(String(order)) ? [] : ["prices"]]) {
          check(`order ${order}, ${service}`, expectedOf(order), answer[service as keyof Answer])
        }
        bar.increment()
      }),
    { concurrency: Number(options.concurrency), discard: true }
  )
  const seconds = (performance.now() - started) / 1000
  bar.stop()

  for (const { id, message, service, tenant } of ledger.lines) {
    const expected = expectedOf(Number(/^order (\d+)/.exec(message)?.[1]))
    check(`${service}, log line "${message}"`, [expected.id, expected.tenant], [id, tenant])
  }
  check("log lines", count * linesPerRequest, ledger.lines.length)

  const passed = ledger.hops.filter(({ to }) => to !== "gateway")
  for (const hop of passed) {
    const { entries } = Propagation.decode(Request, hop.headers)
    check(`order ${hop.order}, what ${hop.to} was sent`, expectedAt(hop, Number(hop.order)), entries)
    check(`order ${hop.order}, secrets at ${hop.to}`, false, /secret-|evil|admin/.test(JSON.stringify(hop.headers)))
  }
  const partners = Array.from({ length: count }, (_, order) => String(order)).filter(isPartners).length
  check("hops", count * 2 + partners, passed.length)

  for (const order of [6, 3].filter((order) => order < count)) {
    const hops = ledger.hops.filter((hop) => hop.order === String(order))
    const held = { ...expectedAt({ to: "gateway" } as Hop, order), token: Redacted.make("") }
    yield* Console.log(`\nThe way of order ${order}\n\n${drawWay(hops, held)}`)
  }

  const table = new Table({ style: { head: [], border: [] } })
  table.push(
    ["requests", count],
    ["through a stranger's edge", Math.floor(count / 2)],
    ["hops between services", passed.length],
    ["redirects to a stranger", partners],
    ["log lines", ledger.lines.length],
    ["values checked", checks],
    ["wrong values", wrong.length],
    ["requests per second", Math.round(count / seconds)]
  )
  yield* Console.log(`\n${table.toString()}`)
  if (wrong.length > 0) {
    yield* Console.error(wrong.slice(0, 10).join("\n"))
    return yield* Effect.fail(new Error(`${wrong.length} values are wrong`))
  }
})

NodeRuntime.runMain(
  Effect.tapErrorCause(
    demo.pipe(Effect.scoped, Effect.provide(compat.layer)),
    (cause) => Console.error(Cause.pretty(cause))
  ),
  { disablePrettyLogger: true, disableErrorReporting: true }
)
