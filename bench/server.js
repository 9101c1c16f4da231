/**
 * One of the servers of the HTTP rows, in a process of its own as a user's server is: code that serves fibers with the
 * bridge and fibers without it is compiled for both, and slower for each.
 */
import { HttpServer } from "@effect/platform"
import { NodeHttpServer } from "@effect/platform-node"
import { Layer, ManagedRuntime } from "effect"
import { once } from "node:events"
import { createServer } from "node:http"

const [kind, name] = process.argv.slice(2)

const platform = async () => {
  const { apps } = await import("./suites/app.js")
  const { app, layer } = apps[name]
  const server = createServer()
  const serve = HttpServer.serve(app).pipe(
    Layer.provide(NodeHttpServer.layer(() => server, { port: 0, host: "127.0.0.1" })),
    Layer.provide(layer)
  )
  await ManagedRuntime.make(serve).runtime()
  return server
}

const handWritten = async () => {
  const { handlers } = await import("./suites/handWritten.js")
  const server = createServer(handlers[name])
  await once(server.listen(0, "127.0.0.1"), "listening")
  return server
}

const server = await (kind === "platform" ? platform() : handWritten())
process.on("disconnect", () => process.exit())
process.send(server.address().port)
