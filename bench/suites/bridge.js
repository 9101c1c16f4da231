/** What the bridge adds to a fiber's own work. */
import { Effect, Layer, ManagedRuntime } from "effect"
import { AsyncLocalStorage } from "node:async_hooks"
import { compat } from "../../dist/index.js"
import { contestant, ratio, suite } from "../harness.js"
import { repeat } from "./fixtures.js"

const bridged = ManagedRuntime.make(compat.layer)
const bare = ManagedRuntime.make(Layer.empty)
await Promise.all([bridged.runtime(), bare.runtime()])

const program = (runtime, times, effect) => contestant(times, () => runtime.runPromise(effect))

const syncs = repeat(10_000, (i) => Effect.sync(() => i))

const settled = Promise.resolve()
const suspensions = repeat(1000, () => Effect.promise(() => settled))

const storage = new AsyncLocalStorage()
const entering = repeat(1000, (i) =>
  Effect.promise(() => {
    storage.enterWith(i)
    return settled
  }))

await suite([
  ratio({
    id: "sync-1000",
    what: "1,000 `Effect.sync` in a row under `compat.layer`",
    against: "without",
    atMost: 1.1,
    ours: program(bridged, 10, syncs),
    base: program(bare, 10, syncs)
  }),
  ratio({
    id: "suspension-by-hand",
    what: "a suspension on a promise that enters an `AsyncLocalStorage`, without the library",
    against: "one that does not",
    ours: program(bare, 1000, entering),
    base: program(bare, 1000, suspensions)
  }),
  ratio({
    id: "suspension",
    what: "a suspension on a promise under `compat.layer`",
    against: "without",
    atMost: { 20: 1.6, 24: 1.15 },
    ours: program(bridged, 1000, suspensions),
    base: program(bare, 1000, suspensions)
  })
])
