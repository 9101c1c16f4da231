import { describe, expect, it } from "@effect/vitest"
import { Context } from "aiocontext"
import type { Context as Services } from "effect"
import { Deferred, Effect, FastCheck, Fiber, HashMap, Layer } from "effect"
import { inChild, often } from "../support.js"

// Random programs, checked against a model at each step: a fiber has one map, that of the innermost region that it is in;
// a child starts with a copy of it; services that were captured elsewhere change nothing.

class Random extends Context.Tag("test/attack/regions/Random")<Random>() {}

type Entries = Readonly<Record<string, unknown>>

type Step =
  | { readonly step: "set"; readonly key: string; readonly value: number }
  | { readonly step: "delete"; readonly key: string }
  | { readonly step: "capture" }
  | { readonly step: "region"; readonly how: number; readonly seed: Entries; readonly body: ReadonlyArray<Step> }
  | { readonly step: "captured" | "child" | "daemon" | "finalizer"; readonly body: ReadonlyArray<Step> }

const variants: Readonly<Record<string, Context.Options<Context.Dict>>> = {
  copy: {},
  deepCopy: { fork: "deepCopy" },
  "a function": { fork: HashMap.set<string, unknown>("forked", true) },
  merge: { join: "merge" }
}

const key = FastCheck.constantFrom("a", "b", "c", "d")
const value = FastCheck.nat(99)
const { body: programs } = FastCheck.letrec<{ body: ReadonlyArray<Step>; step: Step }>((tie) => ({
  body: FastCheck.array(tie("step"), { maxLength: 4, depthIdentifier: "body" }),
  step: FastCheck.oneof(
    { depthIdentifier: "body", depthSize: "medium", withCrossShrink: true },
    FastCheck.record({ step: FastCheck.constant("set" as const), key, value }),
    FastCheck.record({ step: FastCheck.constant("delete" as const), key }),
    FastCheck.record({ step: FastCheck.constant("capture" as const) }),
    FastCheck.record({
      step: FastCheck.constant("region" as const),
      how: FastCheck.nat(2),
      seed: FastCheck.dictionary(key, value, { maxKeys: 2 }),
      body: tie("body")
    }),
    FastCheck.record({
      step: FastCheck.constantFrom("captured" as const, "child" as const, "daemon" as const, "finalizer" as const),
      body: tie("body")
    })
  )
}))

/** What a fiber's map must be. */
interface Model {
  map: Entries
}

const program = (Tag: typeof Random, { fork, join }: Context.Options<Context.Dict>, steps: ReadonlyArray<Step>) => {
  const captured: Array<Services.Context<Random>> = []
  const daemons: Array<Effect.Effect<unknown>> = []

  const check = (model: Model) => Effect.map(Tag.data, (data) => expect(Object.fromEntries(data)).toEqual(model.map))

  const child = ({ map }: Model): Model => ({ map: typeof fork === "function" ? { ...map, forked: true } : map })

  const merged = (own: Entries, before: Entries, after: Entries): Entries =>
    Object.fromEntries([
      ...Object.entries(own).filter(([key]) => !(key in before) || key in after),
      ...Object.entries(after).filter(([key, value]) => !(key in before) || before[key] !== value)
    ])

  const run = (model: Model, body: ReadonlyArray<Step>): Effect.Effect<void, never, Random> =>
    Effect.forEach(body, (step) => Effect.zipRight(act(model, step), check(model)), { discard: true })

  const act = (model: Model, step: Step): Effect.Effect<unknown, never, Random> => {
    switch (step.step) {
      case "set":
        model.map = { ...model.map, [step.key]: step.value }
        return Tag.set(step.key, step.value)
      case "delete": {
        const { [step.key]: _, ...rest } = model.map
        model.map = rest
        return Tag.delete(step.key)
      }
      case "capture":
        return Effect.map(Effect.context<Random>(), (services) => captured.push(services))
      case "captured":
        return captured.length === 0 ? Effect.void : Effect.provide(run(model, step.body), captured.at(-1)!)
      case "region": {
        const inner: Model = { map: step.seed }
        const regions = [
          Tag.provide(step.seed),
          Effect.provide(Tag.layer(step.seed)),
          Effect.provide(Layer.mergeAll(Tag.layer(step.seed), Layer.effectDiscard(Effect.yieldNow())))
        ]
        return Effect.zipRight(check(inner), run(inner, step.body)).pipe(regions[step.how]!)
      }
      case "child": {
        const own = child(model)
        const before = own.map
        return Effect.map(inChild(Effect.zipRight(check(own), run(own, step.body))), () => {
          if (join === "merge") {
            model.map = merged(model.map, before, own.map)
          }
        })
      }
      case "daemon": {
        // what it does comes after all of this, whatever is over by then
        const own = child(model)
        return Effect.gen(function*() {
          const turn = yield* Deferred.make<void>()
          const fiber = yield* Effect.forkDaemon(
            Effect.zipRight(Deferred.await(turn), Effect.suspend(() => run(own, step.body)))
          )
          daemons.push(Effect.zipRight(Deferred.succeed(turn, undefined), Fiber.join(fiber)))
        })
      }
      case "finalizer":
        return Effect.scoped(Effect.zipRight(
          Effect.addFinalizer(() => run(model, step.body)),
          Effect.suspend(() => run(model, step.body))
        ))
    }
  }

  const root: Model = { map: { root: true } }
  return run(root, steps).pipe(
    Tag.provide(root.map),
    Effect.zipRight(Effect.suspend(() =>
      Effect.iterate(0, {
        while: (done) => done < daemons.length,
        body: (done) => Effect.as(daemons[done]!, done + 1)
      })
    ))
  )
}

describe("random programs of regions, captured services, finalizers, children and daemons", () => {
  for (const [name, options] of Object.entries(variants)) {
    const Tag = Context.Tag(`test/attack/regions/${name}`)<Random>(options) as unknown as typeof Random
    it(`see what the model has, with ${name}`, () =>
      FastCheck.assert(
        FastCheck.asyncProperty(programs, (steps) => Effect.runPromise(program(Tag, options, steps)).then(() => {})),
        { seed: 16, numRuns: often(300, 1) }
      ))
  }
})
