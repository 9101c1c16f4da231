import express from "express"
import { createServer } from "node:http"
import { post, serve } from "../harness/http.js"
import type { Scenario } from "../harness/scenario.js"
import { work } from "../harness/work.js"

export const scenario: Scenario = {
  library: "Express",
  packages: ["express"],
  start: async ({ bind, checkOf, enter, run }) => {
    const app = express()
    app.use((request, _, next) => enter(request.get("x-request-id")!, next))
    app.use(express.json())
    app.use((request, response, next) => {
      const check = checkOf(request.get("x-request-id")!)
      check("in a middleware")
      response.on("finish", () => check("in a listener of finish"))
      response.on("finish", bind(() => check("in a bound listener of finish")))
      next()
    })
    app.post("/", async (request, response) => {
      const { id } = request.body
      const check = checkOf(id)
      check("in a handler")
      await run(id, work)
      check("after the run")
      response.json({ id })
    })
    const { stop, url } = await serve(createServer(app))
    return { request: (id) => post(url, id), stop }
  },
  expected: {}
}
