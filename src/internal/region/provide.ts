/**
 * Regions: where a context is attached.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { AnyFiber } from "../effect3/fiber.js"
import { currentFiber, stateOf } from "../effect3/fiber.js"
import { withFinalizer } from "../effect3/scope.js"
import { alone, type Change, held, heldServices, trimmedServices, valueOf, withService } from "../effect3/state.js"
import { heldSupervisor } from "../effect3/supervisor.js"
import { type Entries, none } from "../map/entries.js"
import { withoutEnded } from "../map/fork.js"
import { markOf, remarked, startOf } from "../map/mark.js"
import type { Region } from "../map/region.js"
import { hasStart, makeRegion } from "../map/region.js"
import type { ContextSpec } from "./context.js"
import { change, regionServiceOf } from "./fibers.js"
import { withStart } from "./start.js"

/** What a region is made of: the context, the entries that it starts with, and the tag to name. */
export interface Attaching {
  readonly spec: ContextSpec
  readonly seed: Entries
  readonly tag: unknown
}

const enter = (fiber: AnyFiber, { spec: { ref } }: Attaching, region: Region, outer?: Entries): Array<Change> => {
  const id = fiber.id()
  const own = remarked(region.seed, startOf(region, id, outer))
  return [alone(ref, own, id), ...hasStart(region.definition) ? withStart(stateOf(fiber), id) : []]
}

/** Runs an effect with a context attached, and leaves nothing of it behind. */
export const provide = <A, E, R>(effect: Effect.Effect<A, E, R>, attaching: Attaching): Effect.Effect<A, E, R> =>
  // a third of the operations that `acquireUseRelease` takes, which is for releases that are effects
  Effect.uninterruptibleMask((restore) => {
    const fiber = currentFiber()!
    const { seed, spec: { definition, ref }, tag } = attaching
    const region = makeRegion({ definition, seed, kind: "provide", tag })
    const state = stateOf(fiber)
    const before = [held(state, ref), heldServices(state), ...hasStart(definition) ? [heldSupervisor(state)] : []]
    change(fiber, [...enter(fiber, attaching, region), withService(state, definition.key, region, fiber.id())])
    return Effect.flatMap(Effect.exit(restore(effect)), (exit) => {
      change(currentFiber()!, before)
      return exit
    })
  })

/**
 * A layer that attaches a context, with the entries that an effect gives. Its finalizer only tidies up: nothing is wrong
 * where it does not reach the fiber.
 */
export const provideLayer = <Id, E, R>(
  tag: Context.Tag<Id, any>,
  attaching: Omit<Attaching, "seed">,
  entries: Effect.Effect<Entries, E, R>
): Layer.Layer<Id, E, R> =>
  Layer.scopedContext(
    Effect.flatMap(entries, (seed) =>
      withFinalizer({
        acquire: (fiber) => {
          const { spec: { definition, ref }, tag } = attaching
          const region = makeRegion({ definition, seed, kind: "layer", tag })
          const outer = withoutEnded(valueOf(stateOf(fiber), ref), regionServiceOf(fiber, definition.key))
          // Effect keeps the services of every fiber above: a line of fibers that each provide a layer would pile them up
          change(fiber, [...enter(fiber, { ...attaching, seed }, region, outer), ...trimmedServices(stateOf(fiber))])
          return region
        },
        release: (fiber, region) => {
          region.closed = true
          leave(fiber, attaching.spec, region)
        },
        services: (region) => Context.make(tag, region)
      }))
  )

/** A layer that attaches nothing: what it gives stands for the map that is attached where a fiber reads it. */
export const lateLayer = <Id>(tag: Context.Tag<Id, any>, { definition }: ContextSpec): Layer.Layer<Id> =>
  Layer.succeed(tag, makeRegion({ definition, seed: none, kind: "late", tag }))

/** Takes a fiber out of a layer's region, where it is that fiber which is in it. */
const leave = (fiber: AnyFiber, { definition, ref }: ContextSpec, region: Region): void => {
  const value = valueOf(stateOf(fiber), ref)
  if (markOf(value)?.region === region) {
    change(fiber, [alone(ref, withoutEnded(value, regionServiceOf(fiber, definition.key)), fiber.id())])
  }
}
