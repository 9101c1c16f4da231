import { describe, expect, it } from "@effect/vitest"
import { BridgeError, context, ContextLayer, Ctx, ForkError, KeyNotFoundError, NotAttachedError } from "aiocontext"
import { Effect, Runtime } from "effect"
import { outside } from "../support.js"
import { Request, request } from "./operations.js"

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
      "context.get: no task is running here. Start one with context.run({ … }, fn), or put the bridge under the fiber " +
      "that started this code, which else loses its task at the first await: Effect.provide(program, compat.layer), or node --import aiocontext/register."
    ],
    [
      new BridgeError({ operation: "context.get" }),
      "context.get: the fiber that called this runs outside the bridge. Put it under everything, and not beside other " +
      "layers in Layer.mergeAll: Effect.provide(main, compat.layer), or node --import aiocontext/register."
    ],
    [
      new NotAttachedError({ operation: "context.get", context: "app/Request" }),
      "context.get: the context \"app/Request\" is not attached here. Attach it with " +
      "Effect.provide(program, Tag.layer({ … })), or in promise code with compat.make(Tag).run({ … }, fn)."
    ],
    [
      new NotAttachedError({ operation: "get", context: "app/Request", isLate: true }),
      "get: the context \"app/Request\" is not attached here: Layer.late leaves that to each message, and this runs outside " +
      "of one. Read it where a message is handled, or attach it here with Tag.provide({ … })."
    ],
    [
      new KeyNotFoundError({ context: "app/Request", key: "user" }),
      "The context \"app/Request\" has no key \"user\" here. Set it with set(\"user\", value), or read it with " +
      "get(\"user\", fallback)."
    ],
    [
      new ForkError({ context: "app/Request", key: "user", cause: new Error("it is a function") }),
      "The context \"app/Request\" cannot copy its key \"user\" for a child (it is a function). Keep it out, or " +
      "fork with { fork: \"copy\" }."
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

  it("and a service that is not found is said to be defined in the line that defines its class", () => {
    expect(() => Effect.runSync(Request as unknown as Effect.Effect<unknown>)).toThrow(
      /Service not found: test\/errors\/Request \(defined at .*operations\.ts:\d+/
    )
  })
  it("and reaches the reader of a log", async () => {
    const failed = Runtime.runPromise(outside)(Effect.sync(() => context.get("a")))
    await expect(failed).rejects.toThrow("Put it under everything")
    const missing = Effect.runPromise(Effect.sync(() => request.get("id")).pipe(Effect.provide(ContextLayer)))
    await expect(missing).rejects.toThrow(Request.key)
    await expect(Effect.runPromise(Ctx.getOrFail("a").pipe(Effect.provide(ContextLayer)))).rejects.toThrow(
      "has no key \"a\""
    )
  })
})
