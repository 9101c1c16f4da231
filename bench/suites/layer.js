/** A context as a layer. */
import { Context, Effect, Layer } from "effect"
import { contestant, ratio, suite } from "../harness.js"
import { Ctx, entries, repeat } from "./fixtures.js"

class Service extends Context.Tag("bench/Service")() {}

const times = 300

const program = (layer) => contestant(times, () => Effect.runPromise(repeat(times, () => Effect.provide(Effect.void, layer))))

await suite([
  ratio({
    id: "layer",
    what: "`Effect.provide(Ctx.layer(entries))`",
    against: "`Effect.provide(Layer.succeed(tag, value))`",
    atMost: 1.2,
    ours: program(Ctx.layer(entries(8))),
    base: program(Layer.succeed(Service, entries(8)))
  })
])
