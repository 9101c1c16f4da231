/**
 * What a layer does when it is built and when its scope is closed.
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import type { AnyFiber } from "./fiber.js"
import { serviceOfFiber, syncWithFiber, withFiber } from "./fiber.js"

/**
 * The services of something that is acquired in the fiber which builds a layer, and released when the layer is closed, by
 * whatever fiber.
 *
 * The finalizer is the scope's own: `Effect.addFinalizer` would run it with the fiber refs of the time when it was added, and
 * put those of the region back after it. It is there before there is anything to release, so that no interruption comes
 * between.
 */
export const withFinalizer = <A extends object, Id>({ acquire, release, services }: {
  readonly acquire: (fiber: AnyFiber) => A
  readonly release: (fiber: AnyFiber, acquired: A) => void
  readonly services: (acquired: A) => Context.Context<Id>
}): Effect.Effect<Context.Context<Id>, never, Scope.Scope> =>
  withFiber((fiber) => {
    let acquired: A | undefined
    const finalizer = syncWithFiber((fiber) => {
      if (acquired !== undefined) {
        release(fiber, acquired)
      }
    })
    return Effect.map(Scope.addFinalizer(serviceOfFiber(fiber, Scope.Scope.key) as Scope.Scope, finalizer), () => {
      acquired = acquire(fiber)
      return services(acquired)
    })
  })

/** The memo map of the layer that is being built where a fiber starts, if one is. A captured context may have one too. */
export const memoMapOf = (fiber: AnyFiber): object | undefined =>
  serviceOfFiber(fiber, Layer.CurrentMemoMap.key) as object | undefined
