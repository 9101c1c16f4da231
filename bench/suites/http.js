/** Requests per second over loopback. The load comes from a process of its own. */
import { HttpServer } from "@effect/platform"
import { NodeHttpServer } from "@effect/platform-node"
import { Layer, ManagedRuntime } from "effect"
import { AsyncLocalStorage } from "node:async_hooks"
import { fork } from "node:child_process"
import { once } from "node:events"
import { createServer } from "node:http"
import { compat } from "../../dist/index.js"
import { ratio, suite } from "../harness.js"
import { bareLayer, bridgeLayer, byHand, libraryLayer, Request, without, withLibrary } from "./app.js"

const load = fork(new URL("../load.js", import.meta.url), { stdio: ["ignore", "ignore", "inherit", "ipc"] })

const perSecond = async (port) => {
  load.send({ port, amount: 2000, connections: 32 })
  const [{ failed, perSecond }] = await once(load, "message")
  if (failed > 0) {
    throw new Error(`${failed} requests failed`)
  }
  return perSecond
}

const platform = async (app, layer) => {
  const server = createServer()
  const serve = HttpServer.serve(app).pipe(
    Layer.provide(NodeHttpServer.layer(() => server, { port: 0, host: "127.0.0.1" })),
    Layer.provide(layer)
  )
  await ManagedRuntime.make(serve).runtime()
  return server.address().port
}

const handWritten = async (handle) => {
  const server = createServer(handle)
  await once(server.listen(0, "127.0.0.1"), "listening")
  return server.address().port
}

const answer = (response, user) => {
  response.setHeader("content-type", "application/json")
  response.end(JSON.stringify(user))
}

const lookUp = async (id) => ({ id, name: "Ann" })

const context = compat.make(Request)
const als = new AsyncLocalStorage()

const entriesOf = ({ headers, method, url }) => ({ request_id: headers["x-request-id"], method, url })

const withContext = await handWritten((message, response) =>
  context.run(entriesOf(message), async () => {
    const user = await lookUp(context.get("request_id"))
    context.set("user", user.name)
    answer(response, { ...user, seen: context.get("user") })
  }))

const withStorage = await handWritten((message, response) =>
  als.run(new Map(Object.entries(entriesOf(message))), async () => {
    const user = await lookUp(als.getStore().get("request_id"))
    als.getStore().set("user", user.name)
    answer(response, { ...user, seen: als.getStore().get("user") })
  }))

const bare = await platform(without, bareLayer)

await suite([
  ratio({
    id: "http-by-hand",
    what: "the same log lines by hand, with `Effect.annotateLogs`: no context, no bridge",
    against: "the same server without any of it",
    unit: "requests/s",
    sample: perSecond,
    ours: await platform(byHand, bareLayer),
    base: bare
  }),
  ratio({
    id: "http-bridge",
    what: "the bridge alone",
    against: "the same server without any of it",
    unit: "requests/s",
    sample: perSecond,
    ours: await platform(without, bridgeLayer),
    base: bare
  }),
  ratio({
    id: "http-platform",
    what: "an HTTP server (`@effect/platform-node`): context, bridge, log annotations on",
    against: "the same server without any of it",
    unit: "requests/s",
    atLeast: 0.95,
    sample: perSecond,
    ours: await platform(withLibrary, libraryLayer),
    base: bare
  }),
  ratio({
    id: "http-hand-written",
    what: "the same, hand-written `http` server with `context.run`",
    against: "with bare `als.run`",
    unit: "requests/s",
    atLeast: 0.97,
    sample: perSecond,
    ours: withContext,
    base: withStorage
  })
])
