/**
 * A context around the tests of a suite, with their hooks and fixtures.
 *
 * Every function of the suite that the runner is about to call is put into the test's task: one task a test, so that
 * what a hook or a fixture sets, the test sees. Works through the runner's own registry (`vitest/suite`).
 */
import * as Effect from "effect/Effect"
import { createRequire } from "node:module"
import * as compat from "../compat.js"
import type * as Context from "../Context.js"
import * as internals from "./internals.js"
import type { Task } from "./internals.js"

type AnyFunction = (...args: Array<unknown>) => unknown

interface Suite {
  readonly tasks: ReadonlyArray<Suite | Test>
}

interface Test {
  readonly context: object
}

interface Hooks {
  readonly beforeAll: Array<AnyFunction>
  readonly afterAll: Array<AnyFunction>
  readonly beforeEach: Array<AnyFunction>
  readonly afterEach: Array<AnyFunction>
}

// the parts of `vitest/suite` that are used
interface Runner {
  readonly getCurrentSuite: () => { readonly on: (event: "beforeAll", hook: (suite: Suite) => void) => void }
  readonly getHooks: (suite: Suite) => Hooks
  readonly getFn: (test: Test) => AnyFunction
  readonly setFn: (test: Test, f: AnyFunction) => void
}

/** The runner, where one is running: the package is optional, and a suite is collected without a wait. */
const currentRunner = (): Runner | undefined =>
  "__vitest_worker__" in globalThis ? createRequire(import.meta.url)("vitest/suite") as Runner : undefined

const running = internals.makeStorage<Task>()

const within = (task: Task, f: AnyFunction): AnyFunction => (...args) =>
  running.run(task, () => internals.runIn(task, () => f(...args)))

/** Wraps a hook, with what the runner keeps on it. */
const wrapHook = (hook: AnyFunction, taskOf: (args: Array<unknown>) => Task): AnyFunction =>
  Object.assign((...args: Array<unknown>) => within(taskOf(args), hook)(...args), hook)

const replace = (hooks: Array<AnyFunction>, taskOf: (args: Array<unknown>) => Task): void => {
  hooks.forEach((hook, index) => {
    hooks[index] = wrapHook(hook, taskOf)
  })
}

const isSuite = (task: Suite | Test): task is Suite => "tasks" in task

const wrapSuite = (
  runner: Runner,
  suite: Suite,
  suiteTask: Task,
  taskOf: (context: unknown) => Task
): void => {
  const { getFn, getHooks, setFn } = runner
  const hooks = getHooks(suite)
  replace(hooks.beforeAll, () => suiteTask)
  replace(hooks.afterAll, () => suiteTask)
  replace(hooks.beforeEach, ([context]) => taskOf(context))
  replace(hooks.afterEach, ([context]) => taskOf(context))
  for (const child of suite.tasks) {
    if (isSuite(child)) {
      wrapSuite(runner, child, suiteTask, taskOf)
    } else {
      const f = getFn(child)
      setFn(child, (...args) => within(taskOf(child.context), f)(...args))
    }
  }
}

/**
 * Puts an effect into the context of the test that runs it.
 *
 * @since 1.0.0
 * @category types
 */
export type WithContext<Self> = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, Exclude<R, Self>>

/**
 * A context around the tests of the `describe` that calls it, or of the file: around async tests, their hooks and their
 * fixtures. Each test has a map of its own that starts with what the `beforeAll` hooks left.
 *
 * What it gives puts an effect into the same map: `it.effect("…", () => within(Effect.gen(…)))`. What the effect sets,
 * the `afterEach` hooks see. Throws outside vitest; there `compat.make(Ctx).run(entries, fn)` does it for one function.
 *
 * @since 1.0.0
 * @category testing
 */
export const withContext = <Self, Id extends string, Shape>(
  tag: Context.TagClass<Self, Id, Shape>,
  entries: Shape
): WithContext<Self> => {
  const runner = currentRunner()
  if (runner === undefined) {
    throw new Error(
      `withContext("${tag.key}"): no vitest is running here. It wraps the tests of a vitest suite; elsewhere use` +
        ` compat.make(Tag).run({ … }, fn), or Tag.provide({ … }) for an effect.`
    )
  }
  const imperative = compat.make(tag)
  const suiteTask = internals.makeTask("withContext", tag, entries)
  const tests = new WeakMap<object, Task>()
  const taskOf = (context: unknown): Task => {
    let task = tests.get(context as object)
    if (task === undefined) {
      task = internals.forkTask(suiteTask)
      tests.set(context as object, task)
    }
    return task
  }
  runner.getCurrentSuite().on("beforeAll", (suite) => wrapSuite(runner, suite, suiteTask, taskOf))
  return (effect) =>
    Effect.suspend(() => {
      const task = running.getStore() ?? suiteTask
      const inTask = <A>(f: () => A): A => internals.runIn(task, f)
      const keep = Effect.flatMap(tag.entries, (all) =>
        Effect.sync(() =>
          inTask(() => {
            const left = new Set<string>(all.map(([key]) => key))
            for (const key of Array.from(imperative.keys()).filter((key) => !left.has(key))) {
              imperative.delete(key as never)
            }
            for (const [key, value] of all) {
              imperative.set(key, value as never)
            }
          })
        ))
      return Effect.ensuring(effect, keep).pipe(
        tag.provide(inTask(() => imperative.toObject())),
        Effect.provide(compat.layer)
      )
    })
}
