// What runs under a lock of TReentrantLock cannot be interrupted: a timeout around it waits for its end.
import { Effect, STM, TReentrantLock } from "effect"

const program = Effect.gen(function*() {
  const lock = yield* STM.commit(TReentrantLock.make)
  const start = performance.now()
  yield* TReentrantLock.withWriteLock(Effect.sleep(300), lock).pipe(Effect.timeoutOption(20))
  return performance.now() - start
})

export const found: boolean = await Effect.runPromise(program) > 250
console.log("a timeout of 20 ms waits for the 300 ms under the lock:", found)
