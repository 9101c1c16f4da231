/**
 * The page of the browser test: three requests run side by side, and every claim about a browser is put to the proof.
 */
import { compat, Context, context, ContextLayer } from "aiocontext"
import { Deferred, Effect, Exit, Fiber, Layer } from "effect"

class Request extends Context.Tag("page/Request")<Request, {
  readonly request_id: string
  readonly user?: string
  readonly step?: string
}>() {}
const request = compat.make(Request)

/** What code gives, or the tag and the message of what it throws. */
export type Seen = { readonly value: unknown } | { readonly error: string; readonly message: string }

/** What the page hands to the test. */
export interface Results {
  readonly requests: Record<string, ReadonlyArray<string>>
  readonly claims: Record<string, Seen>
}

const seen = (read: () => unknown): Seen => {
  try {
    return { value: read() }
  } catch (error) {
    return { error: (error as { _tag: string })._tag, message: (error as Error).message }
  }
}

const afterAwait = async (read: () => unknown): Promise<Seen> => {
  await Promise.resolve()
  return seen(read)
}

const id = () => request.get("request_id")

// -----------------------------------------------------------------------------------------------------------------
// three requests
// -----------------------------------------------------------------------------------------------------------------

const lines: Record<string, Array<string>> = {}

// plain code that knows nothing of Effect, called by all three
const log = (what: string) => {
  const lane = id()
  ;(lines[lane] ??= []).push(what)
  const cell = document.createElement("div")
  cell.className = "line"
  cell.textContent = `${what}  ${JSON.stringify(request.toObject())}`
  document.querySelector(`[data-lane="${lane}"]`)!.append(cell)
}

const handle = (user: string, gate: Effect.Semaphore) =>
  Effect.gen(function*() {
    log("starts")
    yield* Request.set("user", user)
    yield* Effect.sleep(5)
    log("set its user")
    yield* gate.withPermits(1)(Effect.gen(function*() {
      yield* Effect.sleep(5)
      log("was woken by another request")
    }))
    const child = yield* Effect.fork(Effect.gen(function*() {
      yield* Request.set("step", "child")
      yield* Effect.sleep(2)
      log("a child, with a step of its own")
    }))
    yield* Fiber.join(child)
    yield* Effect.promise(async () => {
      const inTask = compat.snapshot()
      await new Promise((resolve) => setTimeout(resolve, 3))
      inTask(() => request.set("step", "promise"))
    })
    log("promise code set a step through snapshot")
  })

const requests = Effect.gen(function*() {
  const gate = yield* Effect.makeSemaphore(1)
  const users = { "r-1": "ann", "r-2": "bob", "r-3": "eve" }
  yield* Effect.forEach(
    Object.entries(users),
    ([request_id, user]) => Request.provide({ request_id })(handle(user, gate)),
    { concurrency: "unbounded" }
  )
})

// -----------------------------------------------------------------------------------------------------------------
// one claim each
// -----------------------------------------------------------------------------------------------------------------

const inFiber = <A>(effect: Effect.Effect<A, never, Request>): Promise<A> =>
  Effect.runPromise(effect.pipe(Request.provide({ request_id: "fiber" }), Effect.provide(compat.layer)))

const claims: Record<string, () => Seen | Promise<Seen>> = {
  "outside every task": () => seen(() => context.get("a")),
  "outside every task, peek": () => seen(() => request.peek("request_id", "none")),
  "a fiber outside the bridge": () =>
    Effect.runSync(Effect.sync(() => seen(id)).pipe(Request.provide({ request_id: "unbridged" }))),
  "a fiber that lacks the context": () =>
    Effect.runSync(Effect.sync(() => seen(id)).pipe(Effect.provide(compat.layer))),
  "runSync": () =>
    Effect.runSync(
      Effect.sync(() => seen(id)).pipe(Effect.provide(Layer.merge(Request.layer({ request_id: "sync" }), ContextLayer)))
    ),
  "Effect.sync": () => inFiber(Effect.sync(() => seen(id))),
  "a generator's own lines, after a sleep": () =>
    inFiber(Effect.gen(function*() {
      yield* Effect.sleep(1)
      return seen(id)
    })),
  "Effect.promise, before an await": () => inFiber(Effect.promise(async () => seen(id))),
  "Effect.promise, after an await": () => inFiber(Effect.promise(() => afterAwait(id))),
  "Effect.promise, a write before an await": () =>
    inFiber(
      Effect.promise(async () => {
        request.set("user", "ann")
        await Promise.resolve()
      }).pipe(Effect.andThen(Request.get("user")), Effect.map((value) => ({ value })))
    ),
  "a timer that a fiber started": () =>
    inFiber(Effect.promise(() => new Promise((resolve) => setTimeout(() => resolve(seen(id)), 1)))),
  "the callback of Effect.async": () =>
    inFiber(Effect.async<Seen>((resume) => {
      setTimeout(() => resume(Effect.sync(() => seen(id))), 1)
    })),
  "snapshot, after an await": () =>
    inFiber(Effect.promise(() => {
      const inTask = compat.snapshot()
      return afterAwait(() => inTask(id))
    })),
  "snapshot, a write after an await": () =>
    inFiber(
      Effect.promise(async () => {
        const inTask = compat.snapshot()
        await Promise.resolve()
        inTask(() => request.set("user", "late"))
      }).pipe(Effect.andThen(Request.get("user")), Effect.map((value) => ({ value })))
    ),
  "bind, in an event listener": () =>
    inFiber(Effect.async<Seen>((resume) => {
      const button = document.createElement("button")
      button.addEventListener("click", compat.bind(() => resume(Effect.succeed(seen(id)))))
      setTimeout(() => button.click(), 1)
    })),
  "bind, called in another region": () =>
    inFiber(Effect.suspend(() => {
      const bound = compat.bind(id)
      return Effect.sync(() => seen(bound)).pipe(Request.provide({ request_id: "other" }))
    })),
  "bind, called in another fiber": () =>
    inFiber(Effect.suspend(() => {
      const bound = compat.bind(id)
      return Effect.flatMap(
        Effect.fork(Request.provide({ request_id: "other" })(Effect.sync(() => seen(bound)))),
        Fiber.join
      )
    })),
  "a listener without bind, called in another fiber": () =>
    inFiber(
      Effect.flatMap(Effect.fork(Request.provide({ request_id: "other" })(Effect.sync(() => seen(id)))), Fiber.join)
    ),
  "run": () => request.run({ request_id: "run" }, () => seen(id)),
  "run, after an await": () => request.run({ request_id: "run" }, () => afterAwait(id)),
  "run, nested": () => request.run({ request_id: "outer" }, () => request.run({ request_id: "inner" }, () => seen(id))),
  "run, that throws": () => {
    const thrown = seen(() =>
      request.run({ request_id: "run" }, () => {
        throw new Error("out")
      })
    )
    return "error" in thrown ? seen(() => request.peek("request_id", "left")) : thrown
  },
  "fork, its lines before an await": () => request.run({ request_id: "run" }, () => compat.fork(() => seen(id))),
  "fork, after an await": () => request.run({ request_id: "run" }, () => compat.fork(() => afterAwait(id))),
  "all": async () => ({
    value: await request.run({ request_id: "run" }, () => compat.all([() => id(), () => `${id()}!`]))
  }),
  "timeout, that is late": () =>
    request.run(
      { request_id: "run" },
      () =>
        compat.timeout(() => new Promise<never>(() => {}), "2 millis")
          .catch((error) => ({ error: error._tag, message: error.message }))
    ),
  "runPromise, from a task": () =>
    request.run(
      { request_id: "run" },
      async () => ({ value: await compat.runPromise(Effect.delay(Effect.orDie(Request.getOrFail("request_id")), 1)) })
    ),
  "runPromise, from a fiber's promise code": () =>
    inFiber(Effect.promise(async () => ({ value: await request.runPromise(Request.get("request_id")) }))),
  "a fiber that a deferred wakes from another task": () =>
    inFiber(Effect.gen(function*() {
      const deferred = yield* Deferred.make<void>()
      const fiber = yield* Effect.fork(Effect.andThen(Deferred.await(deferred), Effect.sync(() => seen(id))))
      yield* Effect.sleep(1)
      request.run({ request_id: "waker" }, () => Deferred.unsafeDone(deferred, Exit.void))
      return yield* Fiber.join(fiber)
    })),
  "promise code of forty fibers, after an await": () =>
    Effect.runPromise(
      Effect.forEach(
        Array.from({ length: 40 }, (_, index) => index),
        (index) =>
          Effect.promise(() => afterAwait(id)).pipe(
            Effect.andThen((result) => Effect.as(Effect.yieldNow(), "error" in result ? result.error : result.value)),
            Request.provide({ request_id: `fiber-${index}` })
          ),
        { concurrency: "unbounded" }
      ).pipe(Effect.map((all) => ({ value: Array.from(new Set(all)) })), Effect.provide(compat.layer))
    ),
  "outside, when all is done": () => seen(() => request.peek("request_id", "none"))
}

const show = (name: string, result: Seen) => {
  const row = document.createElement("tr")
  row.append(document.createElement("td"), document.createElement("td"))
  row.cells[0]!.textContent = name
  row.cells[1]!.textContent = "error" in result ? result.error : JSON.stringify(result.value)
  row.className = "error" in result ? "error" : "value"
  document.querySelector("tbody")!.append(row)
}

const main = async (): Promise<Results> => {
  await Effect.runPromise(Effect.provide(requests, compat.layer))
  const results: Record<string, Seen> = {}
  for (const [name, claim] of Object.entries(claims)) {
    results[name] = await claim()
    show(name, results[name])
  }
  return { requests: lines, claims: results }
}

Object.assign(globalThis, { results: main() })
