/**
 * Code that is run elsewhere: in the task that it was bound in, in none, and in the scope of another library.
 */
import * as async from "#async"
import * as Effect from "effect/Effect"
import { BridgeError } from "../../errors.js"
import { checkFunction, invalidArgument } from "../argument.js"
import type { AsyncContext } from "../async/types.js"
import { withFiber } from "../effect3/fiber.js"
import { capture, currentOrThrow, runIn } from "./current.js"
import { bridgedOf } from "./starters.js"
import { shared } from "./task.js"

/** A function that runs functions in the task of this moment, with every `AsyncLocalStorage` as it is now. */
export const makeSnapshot = (operation: string): <A>(f: () => A) => A => {
  const task = capture(currentOrThrow(operation))
  const context = async.capture()
  return (f) => context.runInAsyncScope(runIn<ReturnType<typeof f>>, undefined, task, f)
}

/** Gives a function that stands for another one its name and its number of parameters, which frameworks look at. */
export const named = <F extends Function>(bound: F, f: Function): F =>
  Object.defineProperties(bound, {
    name: { value: f.name, configurable: true },
    length: { value: f.length, configurable: true }
  })

/** A function, run in the task of this moment whoever calls it. */
export const bind = <This, Args extends Array<unknown>, A>(
  operation: string,
  f: (this: This, ...args: Args) => A
): (this: This, ...args: Args) => A => {
  checkFunction(operation, f)
  const inTask = makeSnapshot(operation)
  return named(
    function(this: This, ...args: Args) {
      return inTask(() => f.apply(this, args))
    },
    f
  )
}

type Listener = (...args: Array<any>) => void

/** What is used of an event emitter. */
export interface Emitter {
  on(event: any, listener: Listener): unknown
  removeListener(event: any, listener: Listener): unknown
}

const adding = ["on", "addListener", "prependListener", "once", "prependOnceListener"] as const

/** Has an emitter bind what is listened with from here on. */
export const bindEmitter = <E extends Emitter>(emitter: E): E => {
  const methods = emitter as unknown as Record<string, (event: unknown, listener: Listener) => unknown>
  if (typeof methods?.["on"] !== "function" || typeof methods["removeListener"] !== "function") {
    throw invalidArgument("compat.bindEmitter takes an event emitter, as in compat.bindEmitter(socket)", emitter)
  }
  const inTask = makeSnapshot("compat.bindEmitter")
  /** Node takes a listener away by the function that it stands for: see `EventEmitter.listeners`. */
  const standing = (listener: Listener, bound: Listener): Listener =>
    Object.assign(named(bound, listener), { listener })

  const originals = Object.fromEntries(adding.map((name) => [name, methods[name]]))
  for (const name of adding) {
    const add = originals[name]
    if (typeof add === "function") {
      const once = name.toLowerCase().includes("once")
      // a listener for once is one that removes itself: what Node makes of it could not be taken away by its own name
      const addBound = once ? originals[name === "once" ? "on" : "prependListener"]! : add
      const method = (event: unknown, listener: Listener): unknown => {
        checkFunction(`compat.bindEmitter(…).${name}`, listener)
        const bound = standing(listener, (...args) => {
          if (once) {
            methods["removeListener"]!.call(emitter, event, listener)
          }
          return inTask(() => listener.apply(emitter, args))
        })
        return addBound.call(emitter, event, bound)
      }
      Object.defineProperty(emitter, name, { value: method, configurable: true, writable: true })
    }
  }
  return emitter
}

/** Runs a function outside every task, with every storage empty. */
export const outside = <A>(f: () => A): A => {
  checkFunction("compat.outside", f)
  return async.root.runInAsyncScope(runIn<A>, undefined, shared.outside, f)
}

/** Has a fiber go on in another async context, from the next time it is scheduled, which is now. */
const goOnIn = (context: AsyncContext): Effect.Effect<AsyncContext> =>
  Effect.flatMap(
    withFiber((fiber) => {
      const bridged = bridgedOf(fiber)
      if (bridged === undefined) {
        return Effect.die(new BridgeError({ operation: "compat.within" }))
      }
      const before = async.capture()
      bridged.next = context
      return Effect.succeed(before)
    }),
    (before) => Effect.as(Effect.yieldNow(), before)
  )

/** Runs an effect inside a scope that is entered with a callback. */
export const within = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  enter: (f: () => void) => unknown
): Effect.Effect<A, E, R> =>
  Effect.uninterruptibleMask((restore) => {
    let entered: AsyncContext | undefined
    enter(() => {
      entered = async.capture()
    })
    if (entered === undefined) {
      throw invalidArgument(
        "compat.within takes a function that calls its argument at once, as in compat.within((f) => storage.run(value, f))",
        enter
      )
    }
    return Effect.flatMap(
      goOnIn(entered),
      (before) => Effect.flatMap(Effect.exit(restore(effect)), (exit) => Effect.zipRight(goOnIn(before), exit))
    )
  })
