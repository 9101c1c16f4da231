import { fastifyRequestContext, requestContext } from "@fastify/request-context"
import { Effect } from "effect"
import Fastify from "fastify"
import { post } from "../harness/http.js"
import type { Scenario } from "../harness/scenario.js"
import { everywhere } from "../harness/scenario.js"
import { work } from "../harness/work.js"

declare module "@fastify/request-context" {
  interface RequestContextData {
    id: string
  }
}

const idOf = (request: { readonly headers: Record<string, unknown> }) => request.headers["x-request-id"] as string

export const scenario: Scenario = {
  library: "Fastify",
  packages: ["fastify", "@fastify/request-context"],
  start: async ({ checkOf, enter, run }) => {
    const app = Fastify()
    await app.register(fastifyRequestContext)
    app.addHook("onRequest", (request, _, next) => {
      requestContext.set("id", idOf(request))
      enter(idOf(request), next)
    })
    app.addHook("preParsing", async (request) => checkOf(idOf(request))("in the hook preParsing"))
    app.addHook("preValidation", async (request) => {
      const check = checkOf(idOf(request))
      check("in the hook preValidation")
      check.saw("in the hook preValidation, requestContext", requestContext.get("id"))
    })
    app.addHook("preValidation", (request, _, next) => enter(idOf(request), next))
    app.addHook("preHandler", async (request) => checkOf(idOf(request))("in the hook preHandler"))
    app.addHook("onSend", async (request) => checkOf(idOf(request))("in the hook onSend"))
    app.addHook("onResponse", async (request) => checkOf(idOf(request))("in the hook onResponse"))
    app.post<{ Body: { id: string } }>("/", async (request) => {
      const { id } = request.body
      const check = checkOf(id)
      check("in a handler")
      await run(id, {
        promises: async (check) => {
          await work.promises(check)
          check.saw("in requestContext", requestContext.get("id"))
        },
        effects: (check) =>
          work.effects(check).pipe(Effect.map(() => check.saw("in requestContext", requestContext.get("id"))))
      })
      check("after the run")
      return { id }
    })
    const url = await app.listen({ port: 0, host: "127.0.0.1" })
    return { request: (id) => post(url, id), stop: () => app.close() }
  },
  expected: {
    "in the hook preValidation": {
      ...everywhere("lost"),
      why: "the body has been read in between, by the connection",
      mend: "app.addHook(\"preValidation\", (req, reply, next) => request.run({ request_id: req.id }, next))"
    }
  }
}
