/**
 * The steps of a fiber under the bridge: each is the promise task of the code that the fiber runs.
 *
 * A step is live while the fiber waits for code that it has registered in it. When the fiber goes on, the step ends: what is
 * left over of its code keeps the state of that moment.
 */
import type { AnyFiber } from "../effect3/fiber.js"
import { currentFiber, stateOf } from "../effect3/fiber.js"
import type { State } from "../effect3/state.js"
import { isOf } from "./current.js"
import type { BridgedFiber, Runner } from "./task.js"
import { shared, Task, TaskPart } from "./task.js"

/** Ends the step that a fiber has been in, with the state of that moment: by default this one. */
export const endStep = (fiber: BridgedFiber, state: State = stateOf(fiber.fiber)): void => {
  const { task } = fiber
  if (task?.fiber !== undefined) {
    task.state = state
    task.fiber = undefined
  }
}

/** Gives the code that a fiber runs from here on another task. It is live where the fiber waits for the code. */
export const beginStep = (fiber: BridgedFiber, { waits }: { readonly waits: boolean }): void => {
  if (fiber.state !== undefined) {
    endStep(fiber, fiber.state)
  }
  fiber.state = stateOf(fiber.fiber)
  fiber.task = new Task(fiber.state, waits ? fiber.fiber : undefined, fiber)
  shared.storage.enterWith(fiber.task)
}

/** After a runner has written to a fiber: what its code starts from here on sees it; what it started before does not. */
export const afterFiberWrite = (fiber: AnyFiber, runner: Runner): void => {
  const { running } = shared
  if (running?.fiber !== fiber) {
    return
  }
  if (running.registering !== 0) {
    running.state = stateOf(fiber)
    return
  }
  if (running.task === undefined) {
    return
  }
  running.task.operation = running.operation
  beginStep(running, { waits: false })
  running.state = undefined
  if (runner._tag === "Part") {
    shared.storage.enterWith(new TaskPart(running.task, runner.values))
  }
}

/** After code has run in a part of a fiber's step: the fiber's lines go on in the step that the code has begun by a write. */
export const reenterStep = (): void => {
  const { running, storage } = shared
  const store = storage.getStore()
  if (store === undefined || running?.task === undefined || running.fiber !== currentFiber()) {
    return
  }
  const whole = store._tag === "Part" ? store.whole : store
  if (whole !== running.task && isOf(running, whole)) {
    storage.enterWith(store._tag === "Part" ? new TaskPart(running.task, store.values) : running.task)
  }
}
