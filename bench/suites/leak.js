/** The heap after a million requests, against that after the first hundred thousand. */
import { HttpApp } from "@effect/platform"
import { ManagedRuntime } from "effect"
import { difference, suite } from "../harness.js"
import { apps } from "./app.js"

const total = Number(process.env.BENCH_REQUESTS ?? 1_000_000)
const first = total / 10
const concurrent = 100

const handle = HttpApp.toWebHandlerRuntime(await ManagedRuntime.make(apps.library.layer).runtime())(apps.library.app)

const request = async (i) => {
  const response = await handle(new Request("http://localhost/users", { headers: { "x-request-id": `r-${i}` } }))
  if (!response.ok) {
    throw new Error(`${response.status}`)
  }
  await response.text()
}

let done = 0

const heapAfter = async (requests) => {
  while (done < requests) {
    await Promise.all(Array.from({ length: concurrent }, (_, i) => request(done + i)))
    await new Promise((resolve) => setImmediate(resolve))
    done += concurrent
  }
  await new Promise((resolve) => setTimeout(resolve, 100))
  globalThis.gc()
  globalThis.gc()
  return process.memoryUsage().heapUsed
}

await suite([
  difference({
    id: "heap-requests",
    what: `heap after ${total.toLocaleString("en")} requests through the server's handler in process`,
    against: `after ${first.toLocaleString("en")}`,
    atMost: 200_000,
    rounds: 1,
    warmUp: false,
    sample: heapAfter,
    base: first,
    ours: total
  })
])
