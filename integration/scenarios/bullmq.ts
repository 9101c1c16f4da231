import { Queue, QueueEvents, Worker } from "bullmq"
import type { Scenario } from "../harness/scenario.js"
import { everywhere } from "../harness/scenario.js"
import { work } from "../harness/work.js"

interface Order {
  readonly id: string
}

export const scenario: Scenario = {
  library: "BullMQ",
  packages: ["bullmq"],
  needs: "redis",
  start: async ({ checkOf, enter, run, servers }) => {
    const { hostname: host, port } = new URL(servers.redis)
    const connection = { host, port: Number(port), maxRetriesPerRequest: null }
    const queue = new Queue<Order>("orders", { connection })
    const events = new QueueEvents("orders", { connection })
    events.setMaxListeners(0)
    await queue.obliterate({ force: true })
    const worker = new Worker<Order>(
      "orders",
      async ({ data: { id } }) => {
        const check = checkOf(id)
        check("in a job")
        await enter(id, async () => {
          check("in a job that enters what its data says")
          await run(id, work)
          check("after the run")
        })
      },
      { connection, concurrency: 20 }
    )
    worker.on("completed", ({ data: { id } }) => {
      const check = checkOf(id)
      check("in a listener of completed")
      enter(id, () => check("in a listener of completed that enters what the data says"))
    })
    await events.waitUntilReady()
    return {
      request: (id) =>
        enter(id, async () => {
          const check = checkOf(id)
          check("before add")
          const job = await queue.add("order", { id })
          check("after add")
          await job.waitUntilFinished(events)
          check("after waitUntilFinished")
        }),
      stop: async () => {
        await worker.close()
        await events.close()
        await queue.close()
      }
    }
  },
  expected: {
    "in a job": {
      ...everywhere("lost"),
      why: "a job is not in the request that added it: it may be of another process",
      mend: "request.run({ request_id: job.data.id }, handler)"
    },
    "in a listener of completed": {
      ...everywhere("lost"),
      why: "the worker calls it, outside every request",
      mend: "request.run({ request_id: job.data.id }, listener)"
    }
  }
}
