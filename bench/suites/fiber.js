/** The map in Effect code. */
import { Context, Effect, Fiber, FiberRef, HashMap } from "effect"
import { contestant, keep, ratio, suite } from "../harness.js"
import { Ctx, entries, hashMap, ref, repeat } from "./fixtures.js"

const times = 1000

const program = (effect) => contestant(times, () => Effect.runPromise(effect))

const withContext = (count, body) => program(repeat(times, body).pipe(Ctx.provide(entries(count))))

const withRef = (count, body) => program(repeat(times, body).pipe(Effect.locally(ref, hashMap(count))))

const set = (i) => Ctx.set("key_3", i)

const update = (i) => FiberRef.update(ref, HashMap.set("key_3", i))

const setRow = (count, atMost) =>
  ratio({
    id: `set-${count}`,
    what: `\`Ctx.set\`, map of ${count}`,
    against: "`FiberRef.update(HashMap.set)`",
    atMost,
    ours: withContext(count, set),
    base: withRef(count, update)
  })

const forkAndJoin = () => Effect.flatMap(Effect.fork(Effect.void), Fiber.join)

class Service extends Context.Tag("bench/Service")() {}

const provided = Ctx.provide(entries(8))
const located = Effect.locally(ref, hashMap(8))

await suite([
  ratio({
    id: "get-8",
    what: "`Ctx.get`, map of 8",
    against: "`FiberRef.get` and `HashMap.get`",
    atMost: 1,
    ours: program(
      Effect.gen(function*() {
        for (let i = 0; i < times; i++) {
          keep(yield* Ctx.get("key_3"))
        }
      }).pipe(Ctx.provide(entries(8)))
    ),
    base: program(
      Effect.gen(function*() {
        for (let i = 0; i < times; i++) {
          keep(HashMap.get(yield* FiberRef.get(ref), "key_3"))
        }
      }).pipe(Effect.locally(ref, hashMap(8)))
    )
  }),
  setRow(8, 0.8),
  setRow(64, 0.3),
  setRow(512, 0.03),
  ratio({
    id: "set-512-by-8",
    what: "`Ctx.set`, map of 512",
    against: "`Ctx.set`, map of 8",
    atMost: 1.5,
    ours: withContext(512, set),
    base: withContext(8, set)
  }),
  ratio({
    id: "fork-join-by-hand",
    what: "fork and join of a child, with a service and a fiber ref of one's own",
    against: "the same without",
    ours: program(
      repeat(times, forkAndJoin).pipe(Effect.locally(ref, hashMap(8)), Effect.provideService(Service, entries(8)))
    ),
    base: program(repeat(times, forkAndJoin))
  }),
  ratio({
    id: "fork-join",
    what: "fork and join of a child, context attached",
    against: "the same without",
    atMost: 1.05,
    ours: withContext(8, forkAndJoin),
    base: program(repeat(times, forkAndJoin))
  }),
  ratio({
    id: "provide",
    what: "`Ctx.provide(entries)` around an effect",
    against: "`Effect.locally(ref, map)` around it",
    atMost: 1.5,
    ours: program(repeat(times, () => provided(Effect.void))),
    base: program(repeat(times, () => located(Effect.void)))
  }),
  ratio({
    id: "provide-new",
    what: "the same, 4 entries made anew each time",
    against: "the same, the `HashMap` too",
    ours: program(repeat(times, (i) => Ctx.provide({ id: i, user: "u", tenant: "t", locale: "l" })(Effect.void))),
    base: program(
      repeat(times, (i) =>
        Effect.locally(
          ref,
          HashMap.fromIterable(Object.entries({ id: i, user: "u", tenant: "t", locale: "l" }))
        )(Effect.void))
    )
  })
])
