/**
 * Code that keeps its requests apart: the examples, the demo's server, and what the core's tests do concurrently. Each
 * subject checks that it sees its own values; the kit checks that it sees nobody else's.
 */
import { HttpApp } from "@effect/platform"
import { compat, Context, context, Ctx } from "aiocontext"
import { Local, withContext as withLocals } from "aiocontext/compat/aiolocals"
import * as aiotask from "aiocontext/compat/aiotask"
import { AsyncContext } from "aiocontext/compat/AsyncContext"
import { ContextVar } from "aiocontext/compat/contextvars"
import { local } from "aiocontext/compat/local"
import { isolationTest } from "aiocontext/testing"
import type { IsolationReport, TestRequest } from "aiocontext/testing"
import { Effect, Exit, Fiber, Layer, type Scope } from "effect"
import assert from "node:assert/strict"
import { AsyncLocalStorage } from "node:async_hooks"
import { setTimeout as sleep } from "node:timers/promises"
import { RequestContext } from "../../examples/app-context.js"
import { app, AppLive, viewOrder } from "../../examples/app.js"
import { onLine } from "../../examples/legacy/logger.js"
import type { Handler } from "../wakers.js"
import { wakers } from "../wakers.js"
import { database, handler, RequestContext as HandlerContext, storage as handlerStorage } from "./handler.js"
import { clean, Request as StrangersRequest } from "./stranger.js"

/** How many requests, and which seeds. */
export interface Extent {
  readonly requests: number
  readonly seeds?: number | ReadonlyArray<number>
}

/** A test that passes. */
export type Subject = (extent: Extent) => Promise<IsolationReport>

class Request extends Context.Tag("test/subjects/Request")<Request, {
  readonly request_id: string
  readonly user: string
  readonly tenant: string
}>() {}
const request = compat.make(Request)

const storage = new AsyncLocalStorage<{ readonly user: string }>()

// -----------------------------------------------------------------------------------------------------------------
// the demo
// -----------------------------------------------------------------------------------------------------------------

onLine(({ id, message }) => {
  // every line of a request names its order, also the one of the timer that outlives the request
  const order = /~r\d+~/.exec(message)
  if (order !== null) {
    assert.equal(id, `request${order[0]}`)
  }
})

interface Order {
  readonly request_id: string
  readonly priced_for?: string
}

const orders = ({ mark }: { readonly mark: string }): Order => ({
  request_id: `request${mark}`
})

const checkAnswer = ({ seen }: { readonly seen: Readonly<Record<string, unknown>> }, id: string): void => {
  assert.equal(Object.keys(seen).length, 13)
  for (const [place, value] of Object.entries(seen)) {
    assert.equal(value, id, place)
  }
}

export const demo: Subject = (extent) =>
  isolationTest(
    ({ mark, values }: TestRequest<Order>) =>
      Effect.map(viewOrder(`order${mark}`), (answer) => {
        checkAnswer(answer, values.request_id)
        return answer
      }),
    { ...extent, context: RequestContext, values: orders, layer: AppLive }
  )

export const server: Subject = (extent) => {
  const start = () => HttpApp.toWebHandlerLayer(app, AppLive).handler
  let handler = start()
  return isolationTest(async ({ mark, values }) => {
    const response = await handler(
      new globalThis.Request(`http://shop.example/orders/order${mark}`, {
        headers: { "x-request-id": values.request_id }
      })
    )
    const answer = await response.json()
    checkAnswer(answer, values.request_id)
    return answer
  }, {
    ...extent,
    values: orders,
    reset: () => {
      handler = start()
    }
  })
}

// -----------------------------------------------------------------------------------------------------------------
// the other examples
// -----------------------------------------------------------------------------------------------------------------

const quickstart: Subject = (extent) => {
  const audit = async () => {
    await sleep(1)
    context.set("audited", true)
    return `Request ID: ${context.get("request_id", "unknown")}`
  }
  return isolationTest(({ values }) =>
    Effect.gen(function*() {
      yield* Ctx.set("request_id", values.request_id)
      const line = yield* Effect.promise(audit)
      assert.equal(line, `Request ID: ${values.request_id}`)
      return [line, yield* Ctx.entries]
    }).pipe(Ctx.provide({})), extent)
}

const asyncContext: Subject = (extent) => {
  const user = new AsyncContext.Variable<string>()
  const read = async () => {
    await sleep(1)
    return user.get()
  }
  return isolationTest(({ values, wait, waitPromise }) =>
    Effect.promise(() =>
      user.run(values.user, async () => {
        const snapshot = new AsyncContext.Snapshot()
        await waitPromise()
        const seen = [
          user.get(),
          await compat.fork(read),
          ...await compat.all([read, read]),
          await compat.runPromise(Effect.zipRight(wait, Effect.sync(() => user.get()))),
          snapshot.run(() => user.get())
        ]
        assert.deepEqual(seen, Array(6).fill(values.user))
        return seen
      })
    ).pipe(Ctx.provide({})), extent)
}

const contextvars: Subject = (extent) => {
  const user = new ContextVar<string>("user")
  const child = Effect.gen(function*() {
    yield* Effect.sleep(1)
    user.set(`child of ${user.get()}`)
    return user.get()
  })
  return isolationTest(({ values, wait }) =>
    Effect.gen(function*() {
      user.set(values.user)
      yield* wait
      const children = yield* Effect.all([child, child, Effect.timeout(child, "1 second")], { concurrency: 3 })
      yield* wait
      assert.deepEqual(children, Array(3).fill(`child of ${values.user}`))
      assert.equal(user.get(), values.user)
      return children
    }).pipe(Ctx.provide({})), extent)
}

const tasklocals: Subject = (extent) => {
  const mylocal = local<{ value: string }>()
  return isolationTest(({ values, waitPromise }) =>
    context.run({}, async () => {
      mylocal.value = values.user
      await waitPromise()
      await compat.all([1, 2].map((n) => async () => {
        mylocal.value = `${values.user}, child ${n}`
        await waitPromise()
        assert.equal(mylocal.value, `${values.user}, child ${n}`)
      }))
      assert.equal(mylocal.value, values.user)
      return { ...mylocal }
    }), extent)
}

const aiolocals: Subject = (extent) => {
  const foo = new Local<{ bar: string }>()
  const read = async () => {
    await sleep(1)
    return foo.bar
  }
  return isolationTest(({ values, wait }) =>
    withLocals(
      { locals: [foo] },
      Effect.gen(function*() {
        foo.bar = values.user
        yield* wait
        const seen = yield* Effect.all([Effect.promise(read), Effect.promise(read)], { concurrency: 2 })
        assert.deepEqual(seen, [values.user, values.user])
        return seen
      })
    ), extent)
}

const aiotaskContext: Subject = (extent) =>
  isolationTest(({ values, waitPromise }) =>
    aiotask.run(async () => {
      aiotask.set("status", values.user)
      await waitPromise()
      await compat.all([async () => {
        await waitPromise()
        aiotask.set("status", `${aiotask.get("status")}, done`)
      }])
      assert.equal(aiotask.get("status"), `${values.user}, done`)
      return aiotask.get("status")
    }, aiotask.taskFactory), extent)

// -----------------------------------------------------------------------------------------------------------------
// what the core's tests do
// -----------------------------------------------------------------------------------------------------------------

const stormInFibers: Subject = (extent) => {
  const pause = Effect.suspend(() => Effect.sleep(Math.random() * 5))
  const user = Request.get("user")
  const child = Effect.gen(function*() {
    yield* pause
    const first = yield* user
    const promised = yield* Effect.promise(() =>
      compat.fork(async () => {
        await sleep(Math.random() * 5)
        return request.get("user")
      })
    )
    const nested = yield* Effect.fork(Effect.zipRight(pause, user))
    return [first, promised, yield* Fiber.join(nested), yield* user, request.get("user")]
  })
  return isolationTest(({ values }) =>
    Effect.gen(function*() {
      const seen = yield* Effect.forEach([1, 2, 3, 4], () => child, { concurrency: "unbounded" })
      assert.deepEqual(seen.flat(), Array(20).fill(values.user))
      return seen
    }), { ...extent, context: Request })
}

const stormInTasks: Subject = (extent) => {
  const child = async () => {
    await sleep(Math.random() * 5)
    const first = request.get("user")
    const nested = await compat.fork(async () => {
      await sleep(Math.random() * 5)
      return request.get("user")
    })
    return [first, nested, request.get("user")]
  }
  return isolationTest(async ({ values }) => {
    const seen = await compat.all([1, 2, 3, 4].map(() => child))
    assert.deepEqual(seen.flat(), Array(12).fill(values.user))
    return seen
  }, { ...extent, context: Request })
}

const forksAndInterruptions: Subject = (extent) =>
  isolationTest(({ values, wait }) =>
    Effect.gen(function*() {
      const write = (user: string) => Effect.zipRight(Request.set("user", user), wait)
      const winner = yield* Effect.race(
        Effect.zipRight(write(`${values.user}, racing`), Request.get("user")),
        Effect.never
      )
      const stopped = yield* Effect.fork(Effect.zipRight(write("nobody"), Effect.never))
      yield* wait
      yield* Fiber.interrupt(stopped)
      const late = yield* Effect.exit(Effect.timeout(Effect.zipRight(wait, Effect.never), "5 millis"))
      assert.equal(winner, `${values.user}, racing`)
      assert.equal(Exit.isFailure(late), true)
      assert.equal(yield* Request.get("user"), values.user)
      return yield* Request.entries
    }), { ...extent, context: Request })

class Shared extends Effect.Tag("test/subjects/Shared")<Shared, { readonly handler: Handler }>() {}

const wokenBy = (prepare: Effect.Effect<Handler, never, Scope.Scope>): Subject => (extent) =>
  isolationTest(({ index, values }) => {
    const look = Effect.sync(() => {
      assert.equal(storage.getStore()?.user, values.user)
      assert.equal(request.get("user"), values.user)
    })
    return Effect.flatMap(Shared, ({ handler }) => Effect.zipRight(handler(index, look), look))
  }, {
    ...extent,
    context: Request,
    storages: [storage],
    layer: Layer.scoped(Shared, Effect.map(prepare, (handler) => ({ handler })))
  })

interface Values {
  readonly request_id: string
  readonly user: string
  readonly tenant: string
  readonly audited?: string
}

const mixed: Subject = (extent) =>
  isolationTest(() => handler, {
    ...extent,
    context: HandlerContext,
    storages: [handlerStorage],
    layer: database,
    values: ({ mark }): Values => ({ request_id: `id${mark}`, user: `user${mark}`, tenant: `tenant${mark}` })
  })

/** All of them, by name. */
export const subjects: Readonly<Record<string, Subject>> = {
  "the demo's handler": demo,
  "the demo's server": server,
  "the quickstart": quickstart,
  "the example of AsyncContext": asyncContext,
  "the example of contextvars": contextvars,
  "the example of tasklocals": tasklocals,
  "the example of aiolocals": aiolocals,
  "the example of aiotask-context": aiotaskContext,
  "a storm in fibers": stormInFibers,
  "a storm in promise tasks": stormInTasks,
  "races, timeouts and interruptions": forksAndInterruptions,
  "Effect code, promise code, events, timers and a pool": mixed,
  ...Object.fromEntries(
    Object.entries(wakers).map(([name, prepare]) => [`requests woken by ${name}`, wokenBy(prepare)])
  ),
  ...Object.fromEntries(
    Object.entries(clean).map(([name, handler]): [string, Subject] => [
      `a stranger's handler, ${name}`,
      (extent) => isolationTest(handler, { ...extent, context: StrangersRequest })
    ])
  )
}
