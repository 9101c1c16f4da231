/** What a hundred thousand fibers at once take. */
import { Effect, Fiber, HashMap } from "effect"
import { ratio, suite } from "../harness.js"
import { Ctx, ref } from "./fixtures.js"

const concurrent = 100_000

// longer than it takes to start them all: the time of the wait is no part of the figure
const briefly = Effect.sleep("2 seconds")

/** Nanoseconds a fiber, while all of them are there at once. */
const time = async (effect) => {
  const before = performance.now()
  await Effect.runPromise(effect)
  return (performance.now() - before - waitMillis) * 1e6 / concurrent
}

const many = (child) =>
  Effect.gen(function*() {
    const fibers = []
    for (let i = 0; i < concurrent; i++) {
      fibers.push(yield* Effect.fork(child(i)))
    }
    for (const fiber of fibers) {
      yield* Fiber.join(fiber)
    }
  })

await suite([
  ratio({
    id: "concurrent-100000",
    what: "time a fiber, 100,000 concurrent fibers with a context",
    against: "the same with a bare `FiberRef`",
    atMost: 1.1,
    sample: time,
    rounds: 3,
    ours: many((i) => Ctx.provide({ id: i })(briefly)),
    base: many((i) => Effect.locally(ref, HashMap.make(["id", i]))(briefly))
  })
])
