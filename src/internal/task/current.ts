/**
 * The task that runs this code.
 */
import * as async from "#async"
import { BridgeError, NoTaskError } from "../../errors.js"
import { currentFiber, stateOf } from "../effect3/fiber.js"
import { isBridged } from "../effect3/supervision.js"
import type { BridgedFiber, Runner, Whole } from "./task.js"
import { runIn as runInTask, shared, Task, TaskPart } from "./task.js"

/** Whether a task's code is that of the operation which a fiber runs. */
export const isOf = (running: BridgedFiber, task: Task | TaskPart | undefined): boolean =>
  task === undefined || task === running.task ||
  (task._tag === "Task" && task.source === running && task.operation === running.operation)

/** The task that runs this code: the program itself outside every task, and none for a fiber outside the bridge. */
export const locate = (): Runner | undefined => {
  const fiber = currentFiber()
  const task = shared.storage.getStore()
  if (fiber === undefined) {
    return task ?? shared.outside
  }
  const { running } = shared
  if (running?.fiber === fiber) {
    return isOf(running, task) ? running : task
  }
  if (task !== undefined && shared.syncCaller === fiber) {
    return task
  }
  return isBridged(fiber) ? { _tag: "Fiber", fiber } : undefined
}

/** The task that a part is of: the fiber while it runs this code, as for the fiber's own lines. */
export const wholeOf = (runner: Runner): Whole => {
  if (runner._tag !== "Part") {
    return runner
  }
  const { running } = shared
  return running !== undefined && running.fiber === currentFiber() && isOf(running, runner.whole)
    ? running
    : runner.whole
}

/** Whether a runner is no task: code of the program itself. */
const isProgram = (runner: Runner | undefined): boolean =>
  (runner?._tag === "Part" ? runner.whole : runner) === shared.outside

/** Whether this is code outside every task. */
export const isOutside = (): boolean => isProgram(locate())

/** The task that runs this code, or the program itself outside every task. Throws in a fiber outside the bridge. */
export const currentOrProgram = (operation: string): Runner => {
  const runner = locate()
  if (runner === undefined) {
    throw new BridgeError({ operation })
  }
  return runner
}

/** The task that runs this code. Throws where none does. */
export const currentOrThrow = (operation: string): Runner => {
  const runner = currentOrProgram(operation)
  if (isProgram(runner)) {
    throw new NoTaskError({
      operation,
      advice: `no task is running here. Start one with context.run({ … }, fn)${
        async.follows
          ? ", or put the bridge under the fiber that started this code, which else loses its task at the first await:" +
            " Effect.provide(program, compat.layer), or node --import aiocontext/register."
          : ". In a browser promise code loses its task at the first await: const inTask = compat.snapshot() before it," +
            " inTask(fn) after it."
      }`
    })
  }
  return runner
}

/** Runs code in a promise task. */
export const runIn = <A>(task: Task | TaskPart, f: () => A): A => runInTask(task, f, currentFiber())

/**
 * The promise task of a runner's code. `outlivesStep` is for code that may run when the fiber has gone on: it is no more than
 * left over then, also where the fiber waits for what this step has registered.
 */
export const captureTask = (runner: Runner, { outlivesStep }: { readonly outlivesStep: boolean }): Task => {
  const whole = wholeOf(runner)
  if (whole._tag === "Task") {
    return whole
  }
  const { running } = shared
  if (running?.fiber !== whole.fiber) {
    return new Task(stateOf(whole.fiber), undefined, { owner: whole.fiber.id(), task: undefined, state: undefined })
  }
  if (running.task !== undefined && (running.registering !== 0 || !outlivesStep)) {
    return running.task
  }
  const captured = new Task(stateOf(running.fiber), undefined, running)
  captured.operation = running.operation
  return captured
}

/** What `bind` and `snapshot` take: the promise task of the running code, with what its part has. */
export const capture = (runner: Runner): Task | TaskPart => {
  const task = captureTask(runner, { outlivesStep: true })
  return runner._tag === "Part" ? new TaskPart(task, runner.values) : task
}
