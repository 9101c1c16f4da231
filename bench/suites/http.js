/** Requests per second over loopback. Each server and the load have a process of their own. */
import { fork } from "node:child_process"
import { once } from "node:events"
import { ratio, suite } from "../harness.js"

const start = (file, ...args) =>
  fork(new URL(`../${file}`, import.meta.url), args, { stdio: ["ignore", "ignore", "inherit", "ipc"] })

const load = start("load.js")

const perSecond = async (port) => {
  load.send({ port, amount: 2000, connections: 32 })
  const [{ failed, perSecond }] = await once(load, "message")
  if (failed > 0) {
    throw new Error(`${failed} requests failed`)
  }
  return perSecond
}

const serve = async (kind, name) => {
  const [port] = await once(start("server.js", kind, name), "message")
  for (let i = 0; i < 5; i++) {
    // until its code is compiled
    await perSecond(port)
  }
  return port
}

const bare = await serve("platform", "bare")

// the system's own part in a request varies more than ours
const rounds = 31

await suite([
  ratio({
    id: "http-by-hand",
    what: "the same log lines by hand, with `Effect.annotateLogs`: no context, no bridge",
    against: "the same server without any of it",
    unit: "requests/s",
    sample: perSecond,
    rounds,
    ours: await serve("platform", "byHand"),
    base: bare
  }),
  ratio({
    id: "http-bridge",
    what: "the bridge alone",
    against: "the same server without any of it",
    unit: "requests/s",
    sample: perSecond,
    rounds,
    ours: await serve("platform", "bridge"),
    base: bare
  }),
  ratio({
    id: "http-platform",
    what: "an HTTP server (`@effect/platform-node`): context, bridge, log annotations on",
    against: "the same server without any of it",
    unit: "requests/s",
    atLeast: 0.95,
    sample: perSecond,
    rounds,
    ours: await serve("platform", "library"),
    base: bare
  }),
  ratio({
    id: "http-reach",
    what: "`propagation/HttpServer`: four keys by policy and schema, trust, echo",
    against: "the same server with the context provided by hand, and nothing checked",
    unit: "requests/s",
    sample: perSecond,
    rounds,
    ours: await serve("platform", "reach"),
    base: await serve("platform", "reachByHand")
  }),
  ratio({
    id: "http-hand-written",
    what: "the same, hand-written `http` server with `context.run`",
    against: "with bare `als.run`",
    unit: "requests/s",
    atLeast: 0.97,
    sample: perSecond,
    rounds,
    ours: await serve("handWritten", "context"),
    base: await serve("handWritten", "storage")
  })
])
