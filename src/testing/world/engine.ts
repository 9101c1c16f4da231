/**
 * Where the kit holds the engine: it comes between fibers and the default scheduler, and is told what happens to fibers.
 */
import * as effect from "effect"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Scheduler from "effect/Scheduler"
import type { AnyFiber } from "../internals.js"

// What Effect 4 lacks is taken from the root module, which both majors have.
import FiberRef = effect.FiberRef
import Runtime = effect.Runtime
import Supervisor = effect.Supervisor

/** What starts an effect with all that a fiber has. */
export type Fork = <A, E>(effect: Effect.Effect<A, E, any>) => Fiber.RuntimeFiber<A, E>

/** Starts effects with all that the running fiber has. */
export const fork: Effect.Effect<Fork> = /* @__PURE__ */ Effect.map(
  Effect.runtime<never>(),
  (runtime): Fork => (effect) => Runtime.runFork(runtime as Runtime.Runtime<any>, effect)
)

/** Whether a fiber has ended. */
export const isDone = (fiber: AnyFiber): boolean => fiber.unsafePoll() !== null

/** What comes between fibers and the engine's default scheduler. */
export interface Interceptor {
  /** Whether a fiber that is about to do its next operation must let others go on first. */
  shouldYield(fiber: AnyFiber): boolean
  /** Takes over a task: `true` if it did, and the scheduler never sees the task. */
  scheduleTask(task: () => void, fiber: AnyFiber | undefined): boolean
}

const interceptors: Array<Interceptor> = []

/** Puts an interceptor before the engine's default scheduler; gives the function that removes it. */
export const intercept = (interceptor: Interceptor): () => void => {
  const scheduler = Scheduler.defaultScheduler
  if (interceptors.push(interceptor) === 1) {
    const { scheduleTask, shouldYield } = scheduler
    scheduler.shouldYield = (fiber) =>
      interceptors.some((interceptor) => interceptor.shouldYield(fiber))
        ? fiber.getFiberRef(FiberRef.currentSchedulingPriority)
        : shouldYield.call(scheduler, fiber)
    scheduler.scheduleTask = (task, priority, fiber) => {
      if (!interceptors.some((interceptor) => interceptor.scheduleTask(task, fiber))) {
        scheduleTask.call(scheduler, task, priority, fiber)
      }
    }
  }
  return () => {
    interceptors.splice(interceptors.indexOf(interceptor), 1)
    if (interceptors.length === 0) {
      // the instance's own properties go, and its class's methods are back
      Reflect.deleteProperty(scheduler, "shouldYield")
      Reflect.deleteProperty(scheduler, "scheduleTask")
    }
  }
}

/** What happens to the fibers of a region. */
export interface Recorder {
  start(fiber: AnyFiber, parent: AnyFiber | undefined): void
  end(fiber: AnyFiber): void
  resume(fiber: AnyFiber): void
  suspend(fiber: AnyFiber): void
  /** The fiber is about to do an operation. */
  operation(fiber: AnyFiber, effect: Effect.Effect<unknown, unknown>): void
  /** `fiber` takes over what `child`, which has ended, hands on. */
  join(fiber: AnyFiber, child: AnyFiber): void
}

const RecordingSupervisor =
  /* @__PURE__ */ (() =>
    class RecordingSupervisor extends Supervisor.AbstractSupervisor<void> {
      override readonly value: Effect.Effect<void> = Effect.void
      constructor(readonly recorder: Recorder) {
        super()
      }

      override onStart<A, E, R>(
        _context: Context.Context<R>,
        _effect: Effect.Effect<A, E, R>,
        parent: Option.Option<AnyFiber>,
        fiber: Fiber.RuntimeFiber<A, E>
      ): void {
        const inheritAll = fiber.inheritAll
        Object.defineProperty(fiber, "inheritAll", {
          value: Effect.withFiberRuntime((joining) => {
            this.recorder.join(joining, fiber)
            return inheritAll
          })
        })
        this.recorder.start(fiber, Option.getOrUndefined(parent))
      }

      override onEnd<A, E>(_exit: unknown, fiber: Fiber.RuntimeFiber<A, E>): void {
        this.recorder.end(fiber)
      }

      override onResume(fiber: AnyFiber): void {
        this.recorder.resume(fiber)
      }

      override onSuspend(fiber: AnyFiber): void {
        this.recorder.suspend(fiber)
      }

      override onEffect(fiber: AnyFiber, effect: Effect.Effect<unknown, unknown>): void {
        this.recorder.operation(fiber, effect)
      }
    })()

/** Tells a recorder what happens to the fibers of an effect. */
export const withRecorder = <A, E, R>(self: Effect.Effect<A, E, R>, recorder: Recorder): Effect.Effect<A, E, R> =>
  self.pipe(
    Effect.supervised(new RecordingSupervisor(recorder)),
    Effect.withRuntimeFlagsPatch(effect.RuntimeFlagsPatch.enable(effect.RuntimeFlags.OpSupervision))
  )
