import { describe, expect, it } from "@effect/vitest"
import {
  BridgeError,
  compat,
  Context,
  context,
  ContextLayer,
  Ctx,
  ForkError,
  KeyNotFoundError,
  NoTaskError,
  NotAttachedError
} from "aiocontext"
import { Effect } from "effect"
import { sleep, thrown } from "./support.js"

class Request extends Context.Tag("test/errors/Request")<Request, {
  readonly id: string
  readonly user?: string
}>() {}
const request = compat.make(Request)

/** Every operation that needs a task. */
const operations: Record<string, () => unknown> = {
  get: () => request.get("id"),
  "get with a fallback": () => request.get("user", "nobody"),
  getOrThrow: () => request.getOrThrow("id"),
  set: () => request.set("id", "a"),
  has: () => request.has("id"),
  delete: () => request.delete("user"),
  clear: () => request.clear(),
  size: () => request.size,
  keys: () => request.keys(),
  values: () => request.values(),
  entries: () => request.entries(),
  forEach: () => request.forEach(() => {}),
  iteration: () => [...request],
  toObject: () => request.toObject(),
  runPromise: () => request.runPromise(Request.get("id")),
  runFork: () => request.runFork(Request.get("id"))
}
/** Those that need a task but no context. */
const taskOperations: Record<string, () => unknown> = {
  "compat.fork": () => compat.fork(async () => {}),
  "compat.all": () => compat.all([async () => {}]),
  "compat.timeout": () => compat.timeout(async () => {}, 1),
  "compat.bind": () => compat.bind(() => {}),
  "compat.snapshot": () => compat.snapshot(),
  "compat.runPromise": () => compat.runPromise(Effect.void),
  "compat.runFork": () => compat.runFork(Effect.void)
}

describe("NoTaskError", () => {
  for (const [name, operation] of Object.entries({ ...operations, ...taskOperations })) {
    it(`${name}, outside every task`, () => {
      expect(operation).toThrow(NoTaskError)
    })
  }
  it.live("promise code that a fiber outside the bridge started, after its first await", () =>
    Effect.promise(async () => {
      await sleep(1)
      expect(() => request.get("id")).toThrow(NoTaskError)
    }).pipe(Request.provide({ id: "a" })))
})

describe("BridgeError", () => {
  for (const [name, operation] of Object.entries({ ...operations, ...taskOperations })) {
    it.effect(`${name}, in a fiber outside the bridge, at once`, () =>
      Effect.map(thrown(operation), (error) => expect(error).toBeInstanceOf(BridgeError)).pipe(
        Request.provide({ id: "a" })
      ))
  }
})

describe("NotAttachedError", () => {
  for (const [name, operation] of Object.entries(operations)) {
    it.effect(`${name}, in a fiber without the context`, () =>
      Effect.map(
        thrown(operation),
        (error) => expect(error).toMatchObject({ _tag: "NotAttachedError", context: Request.key })
      )
        .pipe(Effect.provide(compat.layer)))
    it(`${name}, in a promise task without the context`, () => {
      expect(() => context.run({}, operation)).toThrow(NotAttachedError)
    })
  }
  it.effect("an effect of the wrong R, from JavaScript", () =>
    Effect.gen(function*() {
      for (const effect of [Request.get("id"), Request.set("id", "a"), Request.data, Request.delete("user")]) {
        const exit = yield* Effect.exit(effect as Effect.Effect<unknown>)
        expect(exit).toMatchObject({
          cause: { _tag: "Die", defect: { _tag: "NotAttachedError", context: Request.key } }
        })
      }
    }))
})

describe("what never throws", () => {
  const peeks = () => [request.peek("id"), request.peek("user", "-"), request.attached]
  it("peek and attached, outside every task", () => {
    expect(peeks()).toEqual([undefined, "-", false])
  })
  it.effect("peek and attached, in a fiber outside the bridge", () =>
    Effect.map(Effect.sync(peeks), (seen) => expect(seen).toEqual([undefined, "-", false])).pipe(
      Request.provide({ id: "a" })
    ))
  it.effect("peek and attached, in a task without the context", () =>
    Effect.map(Effect.sync(peeks), (seen) => expect(seen).toEqual([undefined, "-", false])).pipe(
      Effect.provide(compat.layer)
    ))
  it("peek and attached, where there is a map", () => {
    expect(request.run({ id: "a" }, peeks)).toEqual(["a", "-", true])
  })
})

describe("bad input", () => {
  const within = <A>(f: () => A) => request.run({ id: "a" }, f)
  it("a missing key", () => {
    expect(() => within(() => request.getOrThrow("user"))).toThrow(KeyNotFoundError)
  })
  it("a function that is none", () => {
    for (
      const call of [
        () => compat.fork(1 as never),
        () => compat.all([1 as never]),
        () => compat.timeout(1 as never, 1),
        () => compat.bind(1 as never),
        () => compat.snapshot()(1 as never),
        () => request.run({ id: "a" }, 1 as never)
      ]
    ) {
      expect(() => within(call)).toThrow(/takes a function.*got 1/)
    }
  })
  it("a duration that is none", () => {
    for (const duration of [NaN, "soon", {}, undefined]) {
      expect(() => within(() => compat.timeout(async () => {}, duration as never))).toThrow(/takes a duration/)
    }
  })
  it("entries that are none", () => {
    for (const entries of [undefined, null, 1, "a"]) {
      expect(() => Request.provide(entries as never)).toThrow(/takes entries, as in/)
      expect(() => Request.layer(entries as never)).toThrow(/takes entries, as in/)
      expect(() => request.run(entries as never, () => 1)).toThrow(/takes entries, as in/)
    }
  })
  it("an id, a fork or a join that is none", () => {
    expect(() => Context.Tag(1 as never)()).toThrow(/takes an id/)
    expect(() => Context.Tag("test/errors/bad")({ fork: "copy" as never })).toThrow(
      /fork is a function, as Context.copy/
    )
    expect(() => Context.Tag("test/errors/bad")({ join: "both" as never })).toThrow(/join is "isolate" or "merge"/)
  })
  it("a write that fails loses nothing", () => {
    within(() => {
      request.set("user", "ann")
      expect(() => compat.timeout(async () => {}, NaN)).toThrow()
      expect(request.toObject()).toEqual({ id: "a", user: "ann" })
    })
  })
})

const errorOf = (f: () => unknown): Error => {
  try {
    f()
  } catch (error) {
    return error as Error
  }
  throw new Error("nothing was thrown")
}

describe("each message names what is missing and the line that mends it", () => {
  const messages: ReadonlyArray<readonly [Error, string]> = [
    [
      errorOf(() => context.get("user")),
      "context.get: no task is running here. Start one with context.run({ … }, fn), or provide the bridge to the fiber " +
      "that started this code, which else loses its task at the first await: Effect.provide(program, compat.layer)."
    ],
    [
      new BridgeError({ operation: "context.get" }),
      "context.get: the fiber that called this runs outside compat.layer. Provide the bridge once, at the root of the " +
      "app: Effect.provide(program, compat.layer)."
    ],
    [
      new NotAttachedError({ operation: "context.get", context: "app/Request" }),
      "context.get: the context \"app/Request\" is not attached here. Attach it with " +
      "Effect.provide(program, Tag.layer({ … })), or in promise code with compat.make(Tag).run({ … }, fn)."
    ],
    [
      new KeyNotFoundError({ context: "app/Request", key: "user" }),
      "The context \"app/Request\" has no key \"user\" here. Set it with set(\"user\", value), or read it with " +
      "get(\"user\", fallback)."
    ],
    [
      new ForkError({ context: "app/Request", key: "user", cause: new Error("it is a function") }),
      "The context \"app/Request\" cannot copy its key \"user\" for a child (it is a function). Keep it out, or " +
      "fork with { fork: Context.copy }."
    ],
    [
      new ForkError({ context: "app/Request", cause: "no" }),
      "The context \"app/Request\" cannot fork (no): its fork takes the parent's HashMap and returns the child's."
    ]
  ]
  for (const [error, message] of messages) {
    it(`${error.name}: ${message.slice(0, 30)}…`, () => {
      expect(error.message).toBe(message)
      expect(error.name).toBe((error as unknown as { _tag: string })._tag)
    })
  }
  it("and reaches the reader of a log", async () => {
    const failed = Effect.runPromise(Effect.sync(() => context.get("a")))
    await expect(failed).rejects.toThrow("Provide the bridge once, at the root of the app")
    const missing = Effect.runPromise(Effect.sync(() => request.get("id")).pipe(Effect.provide(ContextLayer)))
    await expect(missing).rejects.toThrow(Request.key)
    await expect(Effect.runPromise(Ctx.getOrFail("a").pipe(Effect.provide(ContextLayer)))).rejects.toThrow(
      "has no key \"a\""
    )
  })
})
