import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "@effect/vitest"
import { compat, Context } from "aiocontext"
import { withContext } from "aiocontext/testing"
import { Effect } from "effect"
import { setTimeout as sleep } from "node:timers/promises"

class Session extends Context.Tag("test/within/Session")<Session, {
  readonly request_id: string
  readonly user?: string
  readonly opened?: string
}>() {}
const session = compat.make(Session)

describe("withContext", () => {
  const within = withContext(Session, { request_id: "t-1" })
  const left: Array<unknown> = []

  beforeAll(async () => {
    await sleep(1)
    session.set("opened", "by beforeAll")
  })
  beforeEach<{ readonly task: { readonly name: string } }>(async ({ task }) => {
    await sleep(1)
    session.set("user", `user of ${task.name}`)
  })
  afterEach(async () => {
    await sleep(1)
    left.push(session.get("user"))
  })
  afterAll(() => {
    expect(session.get("request_id")).toBe("t-1")
    expect(session.get("user")).toBe(undefined)
    expect(left.toSorted()).toEqual([
      "set by a nested test",
      "set by an async test",
      "set by an effect",
      "user of fixtures run in it"
    ])
  })

  it("surrounds an async test", async () => {
    expect(session.toObject()).toEqual({
      request_id: "t-1",
      opened: "by beforeAll",
      user: "user of surrounds an async test"
    })
    await sleep(1)
    session.set("user", "set by an async test")
    await sleep(2)
    expect(session.get("user")).toBe("set by an async test")
  })

  it.effect("surrounds an effect", () =>
    within(Effect.gen(function*() {
      expect(yield* Session.get("user")).toBe("user of surrounds an effect")
      yield* Effect.promise(async () => {
        await sleep(1)
        expect(session.get("request_id")).toBe("t-1")
      })
      yield* Session.set("user", "set by an effect")
    })))

  const withUser = it.extend<{ readonly user: string }>({
    user: async ({ task: _ }, use) => {
      await sleep(1)
      session.set("opened", "by a fixture")
      await use(String(session.get("user")))
      expect(session.get("opened")).toBe("by a fixture")
    }
  })

  withUser("fixtures run in it", ({ user }) => {
    expect(user).toBe("user of fixtures run in it")
    expect(session.get("opened")).toBe("by a fixture")
  })

  describe("in a suite within the suite", () => {
    beforeEach(() => session.set("opened", `again, for ${session.get("user")}`))

    it("surrounds a nested test", async () => {
      expect(session.get("opened")).toBe("again, for user of surrounds a nested test")
      session.set("user", "set by a nested test")
      await sleep(1)
      expect(session.get("user")).toBe("set by a nested test")
    })
  })
})

describe("outside of its suite", () => {
  it("there is no context", () => {
    expect(session.attached).toBe(false)
  })

  it.effect("an effect is in the context that a wrapper says, and no other", () =>
    Effect.gen(function*() {
      expect((yield* Session.peek("request_id"))._tag).toBe("None")
    }))
})
