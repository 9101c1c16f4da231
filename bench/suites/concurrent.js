/** What a hundred thousand fibers at once take. */
import { Effect, Fiber, HashMap } from "effect"
import { ratio, suite } from "../harness.js"
import { Ctx, ref } from "./fixtures.js"

const concurrent = 100_000

let waiting = []

const wait = Effect.async((resume) => {
  waiting.push(resume)
})

/** Starts all fibers, lets them go on once all of them wait, and joins them. */
const many = (child) =>
  Effect.gen(function*() {
    const fibers = []
    for (let i = 0; i < concurrent; i++) {
      fibers.push(yield* Effect.fork(child(i)))
    }
    while (waiting.length < concurrent) {
      yield* Effect.sleep(1)
    }
    const waited = waiting
    waiting = []
    for (const resume of waited) {
      resume(Effect.void)
    }
    for (const fiber of fibers) {
      yield* Fiber.join(fiber)
    }
  })

/** Nanoseconds a fiber. */
const time = async (effect) => {
  const before = performance.now()
  await Effect.runPromise(effect)
  return (performance.now() - before) * 1e6 / concurrent
}

await suite([
  ratio({
    id: "concurrent-100000",
    what: "time a fiber, 100,000 concurrent fibers with a context",
    against: "the same with a bare `FiberRef`",
    atMost: 1.1,
    sample: time,
    rounds: 5,
    ours: many((i) => Ctx.provide({ id: i })(wait)),
    base: many((i) => Effect.locally(ref, HashMap.make(["id", i]))(wait))
  })
])
