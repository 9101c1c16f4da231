import Koa from "koa"
import { createServer } from "node:http"
import { post, serve } from "../harness/http.js"
import type { Scenario } from "../harness/scenario.js"
import { everywhere } from "../harness/scenario.js"
import { work } from "../harness/work.js"

export const scenario: Scenario = {
  library: "Koa",
  packages: ["koa"],
  start: async ({ bind, checkOf, enter, run }) => {
    const app = new Koa()
    app.use((ctx, next) => enter(ctx.get("x-request-id"), next))
    app.use(async (ctx, next) => {
      const check = checkOf(ctx.get("x-request-id"))
      check("in a middleware")
      ctx.res.on("finish", () => check("in a listener of finish"))
      ctx.res.on("finish", bind(() => check("in a bound listener of finish")))
      await next()
      check("in a middleware after next")
    })
    app.use(async (ctx) => {
      const check = checkOf(ctx.get("x-request-id"))
      check("in a handler")
      await run(check.id, work)
      check("after the run")
      ctx.body = { id: check.id }
    })
    const { stop, url } = await serve(createServer(app.callback()))
    return { request: (id) => post(url, id), stop }
  },
  expected: {
    "in a listener of finish": {
      ...everywhere("lost"),
      why: "Koa ends the response outside of what the middlewares have entered",
      mend: "ctx.res.on(\"finish\", compat.bind(listener))"
    }
  }
}
