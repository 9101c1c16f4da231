/** A context as a layer. */
import { Context, Effect, Layer, Scope } from "effect"
import { contestant, ratio, suite } from "../harness.js"
import { Ctx, entries, repeat } from "./fixtures.js"

class Service extends Context.Tag("bench/Service")() {}

const times = 300

/** What any layer costs that has something to clean up. */
const tidied = Layer.scopedContext(
  Effect.flatMap(Scope.Scope, (scope) =>
    Effect.as(Scope.addFinalizer(scope, Effect.void), Context.make(Service, entries(8))))
)

const program = (layer) => contestant(times, () => Effect.runPromise(repeat(times, () => Effect.provide(Effect.void, layer))))

await suite([
  ratio({
    id: "layer-by-hand",
    what: "a layer with a finalizer that does nothing, without the library",
    against: "`Effect.provide(Layer.succeed(tag, value))`",
    ours: program(tidied),
    base: program(Layer.succeed(Service, entries(8)))
  }),
  ratio({
    id: "layer",
    what: "`Effect.provide(Ctx.layer(entries))`",
    against: "`Effect.provide(Layer.succeed(tag, value))`",
    atMost: 1.2,
    ours: program(Ctx.layer(entries(8))),
    base: program(Layer.succeed(Service, entries(8)))
  })
])
