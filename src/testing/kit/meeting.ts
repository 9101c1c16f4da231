/**
 * The places where requests wake each other: one for every primitive that a fiber can wait on.
 *
 * A request that comes by may wake one that waits, in its own fiber, and then waits itself, in a primitive that its
 * stream of chance picks. Where nothing else would wake it, the kit does.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Mailbox from "effect/Mailbox"
import * as Pool from "effect/Pool"
import * as PubSub from "effect/PubSub"
import * as Queue from "effect/Queue"
import * as Scope from "effect/Scope"
import * as STM from "effect/STM"
import * as TRef from "effect/TRef"
import type { Draws } from "../world/random.js"

interface Place {
  readonly kind: string
  readonly await: Effect.Effect<unknown>
  readonly wake: Effect.Effect<unknown>
}

/** Someone who waits. */
export interface Parked {
  readonly request: number
  readonly kind: string
  readonly wake: Effect.Effect<unknown>
}

const places: ReadonlyArray<Effect.Effect<Place>> = [
  Effect.map(Deferred.make<void>(), (deferred) => ({
    kind: "a Deferred",
    await: Deferred.await(deferred),
    wake: Deferred.succeed(deferred, undefined)
  })),
  Effect.map(Queue.unbounded<void>(), (queue) => ({
    kind: "a Queue",
    await: Queue.take(queue),
    wake: Queue.offer(queue, undefined)
  })),
  Effect.map(Effect.makeSemaphore(0), (semaphore) => ({
    kind: "a Semaphore",
    await: semaphore.take(1),
    wake: semaphore.release(1)
  })),
  Effect.gen(function*() {
    const pools = yield* Scope.make()
    const pool = yield* Pool.make({ acquire: Effect.void, size: 1 }).pipe(Scope.extend(pools))
    const held = yield* Scope.make()
    yield* Scope.extend(pool.get, held)
    return {
      kind: "a Pool",
      await: Effect.zipRight(Effect.scoped(pool.get), Scope.close(pools, Exit.void)),
      wake: Scope.close(held, Exit.void)
    }
  }),
  Effect.gen(function*() {
    const topic = yield* PubSub.unbounded<void>()
    const scope = yield* Scope.make()
    const subscription = yield* Scope.extend(PubSub.subscribe(topic), scope)
    return {
      kind: "a PubSub",
      await: Effect.zipRight(Queue.take(subscription), Scope.close(scope, Exit.void)),
      wake: PubSub.publish(topic, undefined)
    }
  }),
  Effect.map(Mailbox.make<void>(), (mailbox) => ({
    kind: "a Mailbox",
    await: Effect.ignore(mailbox.take),
    wake: mailbox.offer(undefined)
  })),
  Effect.map(STM.commit(TRef.make(false)), (ref) => ({
    kind: "STM",
    await: STM.commit(STM.flatMap(TRef.get(ref), (open) => STM.check(() => open))),
    wake: STM.commit(TRef.set(ref, true))
  })),
  Effect.sync(() => {
    let resume = () => {}
    let woken = false
    return {
      kind: "a callback",
      await: Effect.async<void>((callback) => {
        resume = () => callback(Effect.void)
        if (woken) {
          resume()
        }
      }),
      wake: Effect.sync(() => {
        woken = true
        resume()
      })
    }
  }),
  Effect.sync(() => {
    const shared = promise()
    return {
      kind: "a shared promise",
      await: Effect.promise(() => shared.promise),
      wake: Effect.sync(shared.resolve)
    }
  }),
  Effect.sync(() => {
    const shared = promise()
    return {
      kind: "a timer that another request sets",
      await: Effect.promise(() => shared.promise),
      wake: Effect.sync(() => void setTimeout(shared.resolve, 1))
    }
  }),
  Effect.gen(function*() {
    const started = yield* Deferred.make<void>()
    const child = yield* Effect.forkDaemon(Effect.zipRight(Deferred.succeed(started, undefined), Effect.never))
    yield* Deferred.await(started)
    return {
      kind: "an interruption",
      await: Fiber.await(child),
      wake: Fiber.interrupt(child)
    }
  }),
  Effect.gen(function*() {
    const deferred = yield* Deferred.make<void>()
    const cached = yield* Effect.cached(Deferred.await(deferred))
    // another fiber computes it, and the waker does not wait: an interruption may come before the first computation
    yield* Effect.forkDaemon(cached)
    return {
      kind: "a cached effect",
      await: cached,
      wake: Deferred.succeed(deferred, undefined)
    }
  })
]

const promise = (): { readonly promise: Promise<void>; readonly resolve: () => void } => {
  let resolve = () => {}
  return { promise: new Promise<void>((done) => void (resolve = done)), resolve: () => resolve() }
}

/** The meeting places of one run. */
export class Meeting {
  readonly parked: Array<Parked> = []

  /** Takes someone who waits, to wake them. */
  take(draws: Draws): Parked | undefined {
    return this.parked.length === 0 ? undefined : this.parked.splice(draws.next(this.parked.length), 1)[0]
  }

  private park(parked: Parked): () => void {
    this.parked.push(parked)
    return () => {
      const position = this.parked.indexOf(parked)
      if (position >= 0) {
        this.parked.splice(position, 1)
      }
    }
  }

  /** Wakes a request that waits, perhaps, and waits for another to do the same. */
  wait(request: number, draws: Draws): Effect.Effect<void> {
    return Effect.gen(this, function*() {
      // who has taken someone wakes them, also when interrupted: nobody else will
      yield* Effect.uninterruptible(
        Effect.suspend(() => (draws.next(2) === 0 ? undefined : this.take(draws))?.wake ?? Effect.void)
      )
      const place = yield* places[draws.next(places.length)]!
      const leave = this.park({ request, kind: place.kind, wake: place.wake })
      yield* Effect.ensuring(place.await, Effect.sync(leave))
    })
  }

  /** The same for promise code. */
  async waitPromise(request: number, draws: Draws): Promise<void> {
    const other = draws.next(2) === 0 ? undefined : this.take(draws)
    if (other !== undefined) {
      Effect.runFork(other.wake)
    }
    switch (draws.next(3)) {
      case 0: {
        await new Promise<void>((resolve) => void setTimeout(resolve, 1 + draws.next(20)))
        return
      }
      case 1: {
        await new Promise<void>((resolve) => void setImmediate(resolve))
        return
      }
      default: {
        const shared = promise()
        this.park({ request, kind: "a shared promise", wake: Effect.sync(shared.resolve) })
        await shared.promise
      }
    }
  }
}
