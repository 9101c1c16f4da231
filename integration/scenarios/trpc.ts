import { createTRPCClient, httpBatchLink } from "@trpc/client"
import { initTRPC } from "@trpc/server"
import { createHTTPHandler } from "@trpc/server/adapters/standalone"
import { createServer } from "node:http"
import { serve } from "../harness/http.js"
import type { Scenario } from "../harness/scenario.js"
import { work } from "../harness/work.js"

export const scenario: Scenario = {
  library: "tRPC",
  packages: ["@trpc/server"],
  start: async ({ checkOf, enter, run }) => {
    const t = initTRPC.context<{ readonly id: string }>().create()
    const procedure = t.procedure
      .use(({ ctx, next }) => enter(ctx.id, () => next()))
      .use(async ({ ctx, next }) => {
        const check = checkOf(ctx.id)
        check("in a middleware")
        const result = await next()
        check("in a middleware after next")
        return result
      })
    const router = t.router({
      order: procedure.input(String).mutation(async ({ ctx, input }) => {
        const check = checkOf(ctx.id)
        check("in a procedure")
        await run(ctx.id, work)
        check("after the run")
        return input
      })
    })
    const handler = createHTTPHandler({
      router,
      createContext: ({ req }) => ({ id: req.headers["x-request-id"] as string })
    })
    const { stop, url } = await serve(createServer(handler))
    return {
      request: (id) => {
        const client = createTRPCClient<typeof router>({
          links: [httpBatchLink({ url, headers: { "x-request-id": id } })]
        })
        return client.order.mutate(id)
      },
      stop
    }
  },
  expected: {}
}
