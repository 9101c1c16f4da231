/** A handler as a server has it: Effect, promise code that knows nothing of Effect, events, timers, a pool of four. */
import { compat, Context } from "aiocontext"
import { Effect, Layer, Pool, Queue } from "effect"
import { AsyncLocalStorage } from "node:async_hooks"
import { EventEmitter } from "node:events"

export class RequestContext extends Context.Tag("test/handler/RequestContext")<RequestContext, {
  readonly request_id: string
  readonly user: string
  readonly tenant: string
  readonly audited?: string
}>() {}
const request = compat.make(RequestContext)

/** A storage of another library. */
export const storage: AsyncLocalStorage<{ readonly user: string }> = new AsyncLocalStorage()

class Connection {
  query(sql: string): Promise<string> {
    return new Promise((resolve) =>
      setTimeout(() => resolve(`${sql} for ${request.get("user")} (${storage.getStore()?.user})`), 3)
    )
  }
}

export class Database extends Effect.Service<Database>()("test/handler/Database", {
  scoped: Effect.gen(function*() {
    const pool = yield* Pool.make({ acquire: Effect.sync(() => new Connection()), size: 4 })
    const jobs = yield* Queue.unbounded<() => void>()
    yield* Effect.forkScoped(Effect.forever(Effect.zipRight(Effect.sleep(2), Effect.map(Queue.take(jobs), (f) => f()))))
    return { pool, jobs }
  })
}) {}

export const database: Layer.Layer<Database> = Database.Default

const bus = new EventEmitter()
bus.setMaxListeners(0)

// promise code from before Effect
const audit = async (action: string): Promise<void> => {
  await new Promise<void>((resolve) => void setTimeout(resolve, 1))
  request.set("audited", `${action} by ${request.get("user")}`)
  await Promise.resolve()
}

const notified = (): Promise<string> =>
  new Promise((resolve) => {
    bus.once(request.get("request_id"), compat.bind((text: string) => resolve(`${text} to ${request.get("tenant")}`)))
    setImmediate(() => bus.emit(request.get("request_id"), "sent"))
  })

export const handler: Effect.Effect<unknown, never, RequestContext | Database> = Effect.gen(function*() {
  const { jobs, pool } = yield* Database
  const user = yield* RequestContext.get("user")
  const rows = yield* Effect.scoped(
    Effect.flatMap(pool.get, (connection) => Effect.promise(() => connection.query("select")))
  )
  yield* Effect.promise(() => audit("read"))
  const parts = yield* Effect.forEach(
    ["a", "b"],
    (part) => Effect.delay(Effect.map(RequestContext.get("tenant"), (tenant) => `${part} ${tenant}`), 1),
    { concurrency: 2 }
  )
  const indexed = yield* Effect.async<string>((resume) => {
    const done = compat.bind(() => resume(Effect.succeed(`indexed ${request.get("request_id")}`)))
    jobs.unsafeOffer(done)
  })
  const sent = yield* Effect.promise(notified)
  yield* Effect.logInfo(`served ${request.get("user")}`)
  return { user, rows, parts, indexed, sent, store: storage.getStore(), audited: yield* RequestContext.get("audited") }
})
