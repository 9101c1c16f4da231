/**
 * The ways of keeping an id without the library: an `AsyncLocalStorage` around promise code, and around Effect.
 */
import { Deferred, Effect, FiberId, Layer, ManagedRuntime } from "effect"
import { AsyncLocalStorage, AsyncResource } from "node:async_hooks"
import type { Check, Code, Results, Tools } from "./scenario.js"

export interface Way extends Omit<Tools, "servers" | "run" | "checkOf"> {
  readonly name: Exclude<keyof Results, "woken">
  /** The ids in force here, one for each means that the way has of keeping one. */
  readonly seen: () => ReadonlyArray<string | undefined>
  readonly run: (code: Code, first: Check, woken: Check) => Promise<unknown>
  readonly close: () => Promise<void>
}

export const storage = new AsyncLocalStorage<string>()

/** Code outside every request. */
const outside = AsyncLocalStorage.snapshot()

/** Binds what an emitter is listened with from here on. */
const bindEmitter = <E extends NodeJS.EventEmitter>(emitter: E): E => {
  const inRequest = AsyncLocalStorage.snapshot()
  const on = emitter.on.bind(emitter)
  emitter.on = (event, listener) => on(event, (...args) => inRequest(() => listener(...args)))
  return emitter
}

/** What both ways have in common. */
const plain = {
  enter: <A>(id: string, next: () => A) => storage.run(id, next),
  seen: () => [storage.getStore()],
  currentId: () => storage.getStore(),
  bind: <F extends (...args: Array<any>) => unknown>(f: F) => AsyncResource.bind(f) as unknown as F,
  bindEmitter,
  outside,
  layer: Layer.empty
}

/** Each request waits here until the next one comes and lets it on; the last one need not wait. */
export const makePromiseTurn = (requests: number): () => Promise<void> => {
  let toCome = requests
  let letOn = () => {}
  return () =>
    new Promise((resolve) => {
      letOn()
      letOn = resolve
      if (--toCome === 0) {
        resolve()
      }
    })
}

/** The same for fibers. */
export const makeFiberTurn = (requests: number): Effect.Effect<void> => {
  let toCome = requests
  let before = Deferred.unsafeMake<void>(FiberId.none)
  return Effect.suspend(() => {
    const mine = Deferred.unsafeMake<void>(FiberId.none)
    const letOn = Deferred.succeed(before, undefined)
    before = mine
    return --toCome === 0 ? letOn : Effect.zipRight(letOn, Deferred.await(mine))
  })
}

export const makeBare = (requests: number): Way => {
  const turn = makePromiseTurn(requests)
  return {
    ...plain,
    name: "bare",
    run: async ({ promises }, first, woken) => {
      await promises(first)
      await turn()
      await promises(woken)
    },
    close: async () => {}
  }
}

/** A request's effects, twice. */
export const inTurn = (turn: Effect.Effect<void>) => ({ effects }: Code, first: Check, woken: Check) =>
  effects(first).pipe(Effect.zipRight(turn), Effect.zipRight(Effect.suspend(() => effects(woken))))

export const makeEffect = (requests: number): Way => {
  const runtime = ManagedRuntime.make(Layer.empty as Layer.Layer<any>)
  const program = inTurn(makeFiberTurn(requests))
  return {
    ...plain,
    name: "effect",
    run: (code, first, woken) => (code.runtime ?? runtime).runPromise(program(code, first, woken)),
    close: () => runtime.dispose()
  }
}
