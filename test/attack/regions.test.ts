import { describe, expect, it } from "@effect/vitest"
import { Context } from "aiocontext"
import { Deferred, Effect, Fiber, FiberId, HashMap, Layer } from "effect"
import type { Context as Services } from "effect"
import { often } from "../support.js"

// Random programs, checked against a model at each step: a fiber has one map for each region that it is in, a child
// starts with copies, and a captured context is the region that it was taken in.

type Entries = Readonly<Record<string, unknown>>

interface Region {
  readonly seed: Entries
  readonly outer: Region | undefined
  closed: boolean
}

interface Model {
  region: Region
  readonly maps: Map<Region, Entries>
  /** The region that the fiber was forked in: it stays in it, over though it may be. */
  readonly forkedIn: Region | undefined
}

interface Captured {
  readonly region: Region
  readonly services: Services.Context<Random>
}

class Random extends Context.Tag("attack/model/Random")<Random>() {}

const variants = {
  copy: {},
  deepCopy: { fork: "deepCopy" },
  "a function": { fork: HashMap.set("forked", true) },
  merge: { join: "merge" as const }
}

const encloses = (region: Region, inner: Region | undefined): boolean =>
  inner !== undefined && (inner === region || encloses(region, inner.outer))

const sorted = (entries: Iterable<readonly [string, unknown]>) =>
  Array.from(entries).toSorted(([a], [b]) => a < b ? -1 : 1)

/** A generator of numbers below `n`: the same ones for the same seed (mulberry32). */
const numbers = (seed: number) => (n: number): number => {
  seed = (seed + 0x6d2b79f5) | 0
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
  return ((t ^ (t >>> 14)) >>> 0) % n
}

const program = (Tag: typeof Random, options: Context.Options<Context.Dict>, seed: number) => {
  const below = numbers(seed)
  const captured: Array<Captured> = []
  let values = 0

  const forked = (entries: Entries): Entries =>
    options.fork === variants["a function"].fork
      ? { ...entries, forked: true }
      : entries

  const mapOf = (model: Model): Entries => model.maps.get(model.region) ?? forked(model.region.seed)

  const child = (model: Model): Model => ({
    region: model.region,
    maps: new Map(Array.from(model.maps, ([region, entries]) => [region, forked(entries)])),
    forkedIn: model.region
  })

  const merge = (parent: Model, before: Model["maps"], after: Model["maps"]): void => {
    for (const [region, own] of parent.maps) {
      const was = before.get(region) ?? {}
      const is = after.get(region) ?? {}
      const kept = Object.entries(own).filter(([key]) => !(key in was) || key in is)
      const changed = Object.entries(is).filter(([key, value]) => !(key in was) || was[key] !== value)
      parent.maps.set(region, Object.fromEntries([...kept, ...changed]))
    }
  }

  const check = (model: Model) =>
    Effect.map(Tag.data, (data) => expect(sorted(data), `seed ${seed}`).toEqual(sorted(Object.entries(mapOf(model)))))

  const set = (model: Model, key: string, value: unknown): void => {
    model.maps.set(model.region, { ...mapOf(model), [key]: value })
  }

  const remove = (model: Model, key: string): void => {
    const { [key]: _, ...rest } = mapOf(model)
    model.maps.set(model.region, rest)
  }

  const body = (model: Model, depth: number): Effect.Effect<void, never, Random> =>
    Effect.gen(function*() {
      for (let steps = 1 + below(4); steps > 0; steps--) {
        yield* step(model, depth)
        yield* check(model)
      }
    })

  const inRegion = (model: Model, depth: number): Effect.Effect<void, never, Random> => {
    const outer = model.region
    const region: Region = { seed: { [`seed${below(3)}`]: values++ }, outer, closed: false }
    const how = [
      Tag.provide(region.seed),
      Effect.provide(Tag.layer(region.seed)),
      Effect.provide(Layer.mergeAll(Tag.layer(region.seed), Layer.effectDiscard(Effect.yieldNow())))
    ][below(3)]!
    return Effect.suspend(() => {
      model.region = region
      model.maps.set(region, region.seed)
      return Effect.zipRight(check(model), body(model, depth - 1))
    }).pipe(
      how,
      Effect.map(() => {
        region.closed = true
        model.maps.delete(region)
        model.region = outer
      })
    )
  }

  const inCaptured = (model: Model, depth: number): Effect.Effect<void, never, Random> => {
    const use = captured[below(captured.length + 1)]
    if (use === undefined || (use.region.closed && !encloses(use.region, model.forkedIn))) {
      return Effect.void
    }
    const { region } = model
    return Effect.suspend(() => {
      model.region = use.region
      model.maps.set(use.region, mapOf(model))
      return Effect.zipRight(check(model), body(model, depth - 1))
    }).pipe(
      Effect.provide(use.services),
      Effect.map(() => {
        model.region = region
      })
    )
  }

  const step = (model: Model, depth: number): Effect.Effect<void, never, Random> =>
    Effect.suspend((): Effect.Effect<void, never, Random> => {
      const key = `key${below(4)}`
      const value = values++
      switch (below(depth === 0 ? 4 : 10)) {
        case 0:
        case 1: {
          set(model, key, value)
          return Tag.set(key, value)
        }
        case 2: {
          remove(model, key)
          return Tag.delete(key)
        }
        case 3:
          return Effect.map(Effect.context<Random>(), (services) => {
            captured.push({ region: model.region, services })
          })
        case 4:
        case 5:
          return inRegion(model, depth)
        case 6:
          return inCaptured(model, depth)
        case 7: {
          const own = child(model)
          const before = new Map(own.maps)
          return Effect.map(Effect.flatMap(Effect.fork(body(own, depth - 1)), Fiber.join), () => {
            if (options.join === "merge") {
              merge(model, before, own.maps)
            }
          })
        }
        case 8: {
          // what it does comes after all of this, whatever is over by then
          const own = child(model)
          const turn = Deferred.unsafeMake<void>(FiberId.none)
          return Effect.map(
            Effect.forkDaemon(Effect.zipRight(Deferred.await(turn), Effect.suspend(() => body(own, depth - 1)))),
            (fiber) => void daemons.push({ turn, fiber })
          )
        }
        default:
          return Effect.scoped(Effect.zipRight(
            Effect.addFinalizer(() => body(model, depth - 1)),
            body(model, depth - 1)
          ))
      }
    })

  const daemons: Array<{ readonly turn: Deferred.Deferred<void>; readonly fiber: Fiber.RuntimeFiber<void> }> = []
  const root: Region = { seed: { root: seed }, outer: undefined, closed: false }
  const model: Model = { region: root, maps: new Map([[root, root.seed]]), forkedIn: undefined }
  return body(model, 4).pipe(
    Tag.provide(root.seed),
    Effect.zipRight(Effect.suspend(() => {
      root.closed = true
      return Effect.iterate(0, {
        while: (done) => done < daemons.length,
        body: (done) => {
          const { fiber, turn } = daemons[done]!
          return Effect.as(Effect.zipRight(Deferred.succeed(turn, undefined), Fiber.join(fiber)), done + 1)
        }
      })
    }))
  )
}

describe("random programs of regions, captured contexts, finalizers, children and daemons", () => {
  for (const [name, options] of Object.entries(variants)) {
    const Tag = Context.Tag(`attack/model/${name}`)<Random>(options) as unknown as typeof Random
    it.live(`see what the model has, with ${name}`, () =>
      Effect.forEach(Array.from({ length: often(120, 1) }, (_, seed) => seed), (seed) => program(Tag, options, seed), {
        discard: true
      }))
  }
})
