/** What a fiber with a context weighs. */
import { Effect, Fiber, Layer, ManagedRuntime } from "effect"
import { compat } from "../../dist/index.js"
import { difference, ratio, suite } from "../harness.js"
import { Ctx, entries, hashMap, ref } from "./fixtures.js"

const fibers = 4000

const numbers = (count) => Array.from({ length: count }, (_, i) => i)

const used = async () => {
  await new Promise((resolve) => setTimeout(resolve, 10))
  globalThis.gc()
  globalThis.gc()
  return process.memoryUsage().heapUsed
}

/** Bytes of heap that a suspended child takes. */
const heap = async ({ runtime, child, around }) =>
  runtime.runPromise(around(Effect.gen(function*() {
    const before = yield* Effect.promise(used)
    const children = yield* Effect.forEach(numbers(fibers), () => Effect.fork(child))
    yield* Effect.sleep(10)
    const after = yield* Effect.promise(used)
    yield* Fiber.interruptAll(children)
    return (after - before) / fibers
  })))

const bare = ManagedRuntime.make(Layer.empty)
const bridged = ManagedRuntime.make(compat.layer)

const untouched = (effect) => effect

const attached = Ctx.provide(entries(8))

const suspended = Effect.async(() => {})

const without = { runtime: bare, child: suspended, around: untouched }

await suite([
  difference({
    id: "heap-attached",
    what: "heap of a suspended fiber below an attached context of 8 keys",
    against: "without",
    atMost: 100,
    sample: heap,
    rounds: 5,
    ours: { runtime: bare, child: suspended, around: attached },
    base: without
  }),
  difference({
    id: "heap-bridged",
    what: "the same under `compat.layer`",
    against: "without",
    atMost: 600,
    sample: heap,
    rounds: 5,
    ours: { runtime: bridged, child: suspended, around: attached },
    base: without
  }),
  ratio({
    id: "heap-own",
    what: "heap of a suspended fiber with a context of 8 keys of its own",
    against: "with a map of 8 of its own in a bare `FiberRef`",
    unit: "bytes",
    atMost: 1.2,
    sample: heap,
    rounds: 5,
    ours: { runtime: bare, child: Effect.suspend(() => Ctx.provide(entries(8))(suspended)), around: untouched },
    base: { runtime: bare, child: Effect.suspend(() => Effect.locally(ref, hashMap(8))(suspended)), around: untouched }
  })
])
