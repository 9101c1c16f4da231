import { Effect, FiberRef, HashMap } from "effect"
import { Context } from "../../dist/index.js"

export class Ctx extends Context.Tag("bench/Ctx")() {}

/** `count` entries: `key_0`, `key_1`, … */
export const entries = (count) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`key_${i}`, `value ${i}`]))

/** The same, as the map that a fiber ref of one's own would hold. */
export const hashMap = (count) => HashMap.fromIterable(Object.entries(entries(count)))

/** A fiber ref of one's own: what a user has without the library. */
export const ref = FiberRef.unsafeMake(HashMap.empty())

/** An effect, over and over in one fiber. */
export const repeat = (times, body) =>
  Effect.gen(function*() {
    for (let i = 0; i < times; i++) {
      yield* body(i)
    }
  })
