import { getRequestListener } from "@hono/node-server"
import { Effect } from "effect"
import { Hono } from "hono"
import { contextStorage, getContext } from "hono/context-storage"
import { createServer } from "node:http"
import { post, serve } from "../harness/http.js"
import type { Scenario } from "../harness/scenario.js"
import { work } from "../harness/work.js"

export const scenario: Scenario = {
  library: "Hono",
  packages: ["hono", "@hono/node-server"],
  start: async ({ checkOf, enter, run }) => {
    const app = new Hono()
    app.use(contextStorage())
    app.use((c, next) => enter(c.req.header("x-request-id")!, next))
    app.use(async (c, next) => {
      const check = checkOf(c.req.header("x-request-id")!)
      check("in a middleware")
      await next()
      check("in a middleware after next")
    })
    app.post("/", async (c) => {
      const { id } = await c.req.json<{ id: string }>()
      const check = checkOf(id)
      check("in a handler")
      await run(id, {
        promises: async (check) => {
          await work.promises(check)
          check.saw("in getContext()", getContext().req.header("x-request-id"))
        },
        effects: (check) =>
          work.effects(check).pipe(
            Effect.map(() => check.saw("in getContext()", getContext().req.header("x-request-id")))
          )
      })
      check("after the run")
      return c.json({ id })
    })
    const { stop, url } = await serve(createServer(getRequestListener(app.fetch)))
    return { request: (id) => post(url, id), stop }
  },
  expected: {}
}
