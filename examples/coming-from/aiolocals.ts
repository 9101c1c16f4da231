/**
 * aiolocals' documentation, on top of tasks: locals per context, and requests and jobs in logs.
 *
 *     npx tsx --conditions=@aiocontext/source examples/coming-from/aiolocals.ts
 */
import { HttpApp, HttpServerResponse } from "@effect/platform"
import { compat, NoTaskError } from "aiocontext"
import {
  configureLogging,
  jobContext,
  Local,
  request,
  requestMiddleware,
  withContext,
  wrapAsync,
  wrapGather
} from "aiocontext/compat/aiolocals"
import { Effect, Layer } from "effect"
import assert from "node:assert/strict"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"

const output: Array<string> = []
const write = console.log
console.log = (line: string) => {
  output.push(line)
  write(line)
}

// -----------------------------------------------------------------------------------------------------------------
// locals
// -----------------------------------------------------------------------------------------------------------------

const foo = new Local<{ bar: string }>()

const printBar = async () => console.log(`foo.bar is ${foo.bar}`)

const doNothing = async () => {
  foo.bar = "baz"
  await printBar()
  await wrapAsync(printBar)
  await wrapGather(printBar, printBar)
}

await withContext({ locals: [foo] }, doNothing)

const doNothingInFiber = Effect.gen(function*() {
  foo.bar = "baz, in a fiber"
  yield* Effect.fork(Effect.promise(printBar)).pipe(Effect.flatten)
  yield* Effect.all([Effect.promise(printBar), Effect.promise(printBar)], { concurrency: "unbounded" })
})

await Effect.runPromise(withContext({ locals: [foo] }, doNothingInFiber).pipe(Effect.provide(compat.layer)))

assert.deepEqual(output.splice(0), [
  ...Array(4).fill("foo.bar is baz"),
  ...Array(3).fill("foo.bar is baz, in a fiber")
])

assert.throws(() => foo.bar, NoTaskError)

// -----------------------------------------------------------------------------------------------------------------
// jobs, and logs
// -----------------------------------------------------------------------------------------------------------------

const { layer, log } = configureLogging({ service: "shop" })

const job = jobContext("myjob")(async () => log.info("job complete"))
const jobEffect = jobContext("myjob")(Effect.logInfo("job complete"))

log.info("starting")
await job()
await Effect.runPromise(Effect.provide(jobEffect, layer))

assert.deepEqual(output.splice(0).map((line) => line.replace(/JOB\w{6}/, "JOB******")), [
  "shop: [-#-] INFO - starting",
  "shop: [myjob#JOB******] INFO - job complete",
  "shop: [myjob#JOB******] INFO - job complete"
])

// -----------------------------------------------------------------------------------------------------------------
// requests
// -----------------------------------------------------------------------------------------------------------------

const track = requestMiddleware()

const server = createServer((req, res) => track(req, res, () => res.end(`request id: ${request.id}`)))

await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
const { port } = server.address() as AddressInfo
const response = await fetch(`http://127.0.0.1:${port}/carts?x=1`, { headers: { "x-request-id": "r-1" } })
assert.equal(await response.text(), "request id: r-1")
assert.equal(response.headers.get("x-request-id"), "r-1")
server.close()

const app = Effect.gen(function*() {
  yield* Effect.logInfo("handling")
  return HttpServerResponse.text(`request id: ${request.id}`)
})

const handler = HttpApp.toWebHandlerLayer(track(app), Layer.merge(layer, compat.layer)).handler
const web = await handler(new Request("http://shop.example/carts?x=1", { headers: { "x-request-id": "r-2" } }))
assert.equal(await web.text(), "request id: r-2")
assert.equal(web.headers.get("x-request-id"), "r-2")

assert.deepEqual(output.splice(0), ["shop: [/carts#r-2] INFO - handling"])
