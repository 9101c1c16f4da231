/**
 * Whole servers as subjects, through real sockets: an Express app, and an `HttpApp`. What comes through a
 * socket is the machine's to order, so a finding is not shrunk by much; it is found all the same, and what is clean passes.
 */
import { HttpApp, HttpServerRequest, HttpServerResponse } from "@effect/platform"
import { afterAll, describe, it } from "@effect/vitest"
import { compat, Context } from "aiocontext"
import { isolationTest } from "aiocontext/testing"
import type { DefaultValues, TestRequest } from "aiocontext/testing"
import { Effect } from "effect"
import { once } from "node:events"
import type { IncomingMessage, Server, ServerResponse } from "node:http"
import { createRequire } from "node:module"
import type { AddressInfo } from "node:net"
import { setTimeout as sleep } from "node:timers/promises"
import { errorOf } from "./errors.js"

// it has no types of its own
const express = createRequire(import.meta.url)("express")

class Request extends Context.Tag("test/sockets/Request")<Request, { readonly user: string }>() {}
const request = compat.make(Request)

const servers: Array<Server> = []
afterAll(() => servers.forEach((server) => server.close()))

/** An Express app on a port of its own; gives what asks it as a user. */
const serve = async (handler: (request: IncomingMessage, response: ServerResponse) => unknown) => {
  const app = express()
  app.get("/", handler)
  const server: Server = app.listen(0, "127.0.0.1")
  servers.push(server)
  await once(server, "listening")
  const { port } = server.address() as AddressInfo
  return async ({ values }: TestRequest<DefaultValues>) => {
    const response = await fetch(`http://127.0.0.1:${port}/`, { headers: { "x-user": values.user } })
    return response.text()
  }
}

const userOf = ({ headers }: IncomingMessage): string => String(headers["x-user"])

/** What a handler does for its user, wherever the user comes from. */
const work = async (user: () => string): Promise<string> => {
  await sleep(1)
  return `hello, ${user()}`
}

const extent = { requests: 10, seeds: 5 }

describe.sequential("through sockets", { timeout: 240_000 }, () => {
  it("an Express app that keeps its user in the module is found", async ({ expect }) => {
    let user = ""
    const ask = await serve(async (request, response) => {
      user = userOf(request)
      response.end(await work(() => user))
    })
    const { leak } = await errorOf(isolationTest(ask, extent))
    expect([leak?.key, leak?.seen]).toEqual(["user", "in what it returned"])
  })

  it("an Express app that runs in a context of its own is clean", async ({ expect }) => {
    const ask = await serve((incoming, response) =>
      request.run({ user: userOf(incoming) }, async () => {
        response.end(await work(() => request.get("user")))
      })
    )
    expect((await isolationTest(ask, extent)).seeds).toEqual([1, 2, 3, 4, 5])
  })

  it("an HttpApp that keeps its user in the module is found, and one with a context is clean", async ({ expect }) => {
    let user = ""
    const currentUser = Effect.map(HttpServerRequest.HttpServerRequest, ({ headers }) => headers["x-user"] ?? "")
    const leaky = Effect.gen(function*() {
      user = yield* currentUser
      return yield* HttpServerResponse.text(yield* Effect.promise(() => work(() => user)))
    })
    const clean = Effect.flatMap(currentUser, (user) =>
      Effect.promise(() => work(() => request.get("user"))).pipe(
        Effect.map((text) => HttpServerResponse.text(text)),
        Request.provide({ user })
      ))
    const through = (app: typeof clean) => {
      const handle = HttpApp.toWebHandlerLayer(app as HttpApp.Default, compat.layer).handler
      return serve(async (incoming, response) => {
        const answer = await handle(
          new globalThis.Request("http://localhost/", { headers: { "x-user": userOf(incoming) } })
        )
        response.end(await answer.text())
      })
    }
    const { leak } = await errorOf(isolationTest(await through(leaky as typeof clean), extent))
    expect(leak?.key).toBe("user")
    expect((await isolationTest(await through(clean), extent)).requests).toBe(10)
  })
})
