import { describe, expect, it } from "@effect/vitest"
import { compat, Context } from "aiocontext"
import { Effect, Layer, Runtime, RuntimeFlags, RuntimeFlagsPatch, Supervisor } from "effect"
import { bridged, outside } from "../support.js"

class Request extends Context.Tag("test/bridge/unnoticed/Request")<Request>() {}
const request = compat.make(Request)

class Counter extends Supervisor.AbstractSupervisor<void> {
  override readonly value = Effect.void
  operations = 0
  override onEffect() {
    this.operations++
  }
}

const supervision = RuntimeFlags.OpSupervision
const turnedOn = Effect.withRuntimeFlagsPatch(RuntimeFlagsPatch.enable(supervision))
const turnedOff = Effect.withRuntimeFlagsPatch(RuntimeFlagsPatch.disable(supervision))

describe("Effect does not notice the bridge", () => {
  for (const [name, layer] of Object.entries({ "without it": Layer.empty, "with it": compat.layer })) {
    it.live(`a user's supervisor is asked where the user wants it, ${name}`, () =>
      Effect.gen(function*() {
        const [silent, asked, after] = [new Counter(), new Counter(), new Counter()]
        yield* Effect.supervised(Effect.yieldNow(), silent)
        yield* Effect.supervised(turnedOn(Effect.yieldNow()), asked)
        yield* Effect.supervised(Effect.zipRight(turnedOn(Effect.void), Effect.yieldNow()), after)
        expect(silent.operations).toBe(0)
        expect(asked.operations).toBeGreaterThan(0)
        expect(after.operations).toBeLessThan(asked.operations + 3)
      }).pipe(Effect.provide(layer)))
  }

  it.live("a user's flag is theirs again when the bridge is left", () =>
    turnedOn(Effect.gen(function*() {
      yield* Effect.provide(Effect.yieldNow(), compat.layer)
      expect(RuntimeFlags.isEnabled(yield* Effect.getRuntimeFlags, supervision)).toBe(true)
    })))

  it.live("a promise's write reaches the fiber where the flag is off", () =>
    Effect.gen(function*() {
      yield* turnedOff(Effect.promise(async () => {
        await Promise.resolve()
        request.set("user", "ann")
      }))
      expect(yield* Request.get("user")).toBe("ann")
    }).pipe(Request.provide({}), bridged))
})

describe("after the bridge", () => {
  it("a daemon's promise code belongs to no task, and no write is dropped", () =>
    Effect.gen(function*() {
      const tagOf = (f: () => unknown) =>
        Effect.promise(async () => {
          await Promise.resolve()
          try {
            return f()
          } catch (error) {
            return (error as { readonly _tag: unknown })._tag
          }
        })
      const daemon = Effect.gen(function*() {
        yield* Effect.sleep("5 millis")
        const refused = yield* tagOf(() => request.set("b", 2))
        return [refused, yield* Request.peek("b"), yield* tagOf(() => request.get("a"))] as const
      })
      const fiber = yield* Request.provide({ a: 1 })(Effect.forkDaemon(daemon)).pipe(bridged)
      const [refused, kept, read] = yield* Effect.flatten(fiber.await)
      expect([refused, kept._tag, read]).toEqual(["NoTaskError", "None", "NoTaskError"])
    }).pipe(Runtime.runPromise(outside)))
})
