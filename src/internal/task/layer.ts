/**
 * The bridge as a layer.
 */
import * as Context from "effect/Context"
import * as Layer from "effect/Layer"
import { enterBridge, leaveBridge } from "../effect3/bridge.js"
import { currentFiber } from "../effect3/fiber.js"
import { withFinalizer } from "../effect3/scope.js"
import type { Bridge } from "../effect3/supervision.js"
import { useBridge } from "./bridge.js"
import { closeBridge, openBridge } from "./defaults.js"
import { inherit } from "./starters.js"

/**
 * A layer with the bridge in it. It takes note of the fiber before the building of layers first suspends it, which is
 * while the code that started the fiber still waits.
 */
export const withStarterContext = <A, E, R>(layer: Layer.Layer<A, E, R>): Layer.Layer<A, E, R> =>
  Layer.suspend(() => {
    useBridge()
    inherit(currentFiber()!)
    return layer
  })

/** The bridge as a layer. Its finalizer makes it inert; a fiber that still has it then drops it when it next runs. */
export const bridgeLayer: Layer.Layer<never> = /* @__PURE__ */ withStarterContext(
  /* @__PURE__ */ Layer.scopedContext(
    /* @__PURE__ */ withFinalizer<Bridge, never>({
      acquire: (fiber) => {
        openBridge()
        return enterBridge(fiber)
      },
      release: (fiber, bridge) => {
        leaveBridge(fiber, bridge)
        closeBridge()
      },
      services: Context.empty
    })
  )
)
