/**
 * Effects that run as where a context is not attached, whatever the fiber has that runs them.
 */
import * as Effect from "effect/Effect"
import { currentFiber, stateOf } from "../effect3/fiber.js"
import { alone, held, heldServices, withService, withStacks } from "../effect3/state.js"
import { absent, none } from "../map/entries.js"
import { makeRegion } from "../map/region.js"
import { ambientOf, setAmbient } from "./ambient.js"
import type { ContextSpec } from "./context.js"
import { change } from "./fibers.js"

/**
 * Takes a context away from an effect and from all that it starts: its map, that of the task that started the run, and the
 * service, in whose place stands that of `Layer.late`.
 */
export const detached = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  { definition, ref }: ContextSpec
): Effect.Effect<A, E, R> =>
  Effect.uninterruptibleMask((restore) => {
    const fiber = currentFiber()!
    const state = stateOf(fiber)
    const ambient = ambientOf(fiber)
    const before = [held(state, ref), heldServices(state)]
    const late = makeRegion({ definition, seed: none, kind: "late", tag: undefined })
    setAmbient(fiber, ambient && withStacks(ambient, [[ref, undefined]]))
    change(fiber, [alone(ref, absent, fiber.id()), withService(state, definition.key, late, fiber.id())])
    return Effect.flatMap(Effect.exit(restore(effect)), (exit) => {
      setAmbient(currentFiber()!, ambient)
      change(currentFiber()!, before)
      return exit
    })
  })
