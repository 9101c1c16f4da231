import { compat, context, ContextLayer, type Ctx } from "aiocontext"
import { Context as Services, Effect, Fiber, FiberRefs, FiberStatus, HashMap, Runtime } from "effect"
import { execFile } from "node:child_process"
import { promisify } from "node:util"

export const sleep = (millis: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, millis))

/** A promise, and the function that fulfils it: what `Promise.withResolvers` gives on newer runtimes. */
export const withResolvers = (): { readonly promise: Promise<void>; readonly resolve: () => void } => {
  let resolve = () => {}
  const promise = new Promise<void>((done) => {
    resolve = done
  })
  return { promise, resolve }
}

/** Runs an effect in a child, and waits for it. */
export const inChild = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.flatMap(Effect.fork(effect), Fiber.join)

/** Runs promise code as a task. */
export const asTask = <A>(f: () => A): A => context.run({}, f)

/** Runs an effect as an app does. */
export const asApp = <A, E>(effect: Effect.Effect<A, E, Ctx>): Promise<A> =>
  Effect.runPromise(Effect.provide(effect, ContextLayer))

/** Runs an effect under the bridge. */
export const bridged = Effect.provide(compat.layer)

/** Code that waits for a gate: what runs behind it is left over once its step is over. */
export const gated = (): {
  /** Starts the code, where it is called. */
  readonly start: (code: () => unknown) => void
  /** Lets it run, and gives its results. */
  readonly open: () => Promise<ReadonlyArray<unknown>>
} => {
  const { promise, resolve } = withResolvers()
  const runs: Array<Promise<unknown>> = []
  return {
    start: (code) => void runs.push(promise.then(code)),
    open: () => {
      resolve()
      return Promise.all(runs)
    }
  }
}

/** A runtime outside every bridge: the default one is under the bridge while one is open anywhere in the process. */
export const outside: Runtime.Runtime<never> = Runtime.make({
  context: Services.empty(),
  fiberRefs: FiberRefs.empty(),
  runtimeFlags: Runtime.defaultRuntimeFlags
})

/** Waits until a fiber waits. */
export const suspended = (fiber: Fiber.RuntimeFiber<unknown, unknown>): Effect.Effect<unknown> =>
  Effect.yieldNow().pipe(Effect.zipRight(Fiber.status(fiber)), Effect.repeat({ until: FiberStatus.isSuspended }))

/** How often, or how many: a few, where the isolation kit runs the test itself some thousand times. */
export const often = (alone: number, asRequest: number): number =>
  process.env["ISOLATION_SEEDS"] === undefined ? alone : asRequest

/** A map as a plain object, to compare. */
export const plain = (entries: HashMap.HashMap<string, unknown>): object => Object.fromEntries(entries)

/** Collects all that nothing holds. */
export const collectGarbage = (): void => {
  const { Bun } = globalThis as { readonly Bun?: { gc(synchronously: boolean): void } }
  if (Bun === undefined) {
    globalThis.gc!()
  } else {
    Bun.gc(true)
  }
}

/** The heap in use after a full collection, in bytes. */
export const heapUsed = async (): Promise<number> => {
  for (let i = 0; i < 3; i++) {
    collectGarbage()
    await sleep(5)
  }
  return process.memoryUsage().heapUsed
}

/** How many of the objects are collected, of all as soon as all are. */
export const collected = async (refs: ReadonlyArray<WeakRef<object>>): Promise<number> => {
  const isGone = (ref: WeakRef<object>) => ref.deref() === undefined
  for (let attempt = 0; attempt < 20 && !refs.every(isGone); attempt++) {
    await sleep(5)
    collectGarbage()
  }
  return refs.filter(isGone).length
}

/** What imperative code throws, as an effect's failure. */
export const thrown = (f: () => unknown): Effect.Effect<unknown> =>
  Effect.sync(() => {
    try {
      f()
    } catch (error) {
      return error
    }
    return undefined
  })

const sourceRunner = (): ReadonlyArray<string> =>
  process.versions["bun"] !== undefined
    ? ["--conditions=@aiocontext/source"]
    : process.versions["deno"] !== undefined
    ? ["run", "-A", "--unstable-sloppy-imports", "--conditions=@aiocontext/source"]
    : ["--conditions=@aiocontext/source", "--import", "tsx"]

/** Runs a TypeScript file on the sources, in a process of its own, on the runtime that runs the tests. */
export const runSource = (
  file: string,
  options: ReadonlyArray<string> = []
): Promise<{ readonly stdout: string; readonly stderr: string }> =>
  promisify(execFile)(process.execPath, [...sourceRunner(), ...options, file])
