import { describe, expect, it } from "@effect/vitest"
import { compat, context } from "aiocontext"
import {
  Context,
  ContextEnteredError,
  ContextVar,
  copyContext,
  LookupError,
  Token,
  TokenError
} from "aiocontext/compat/contextvars"
import { Effect, Fiber } from "effect"
import { asTask, sleep, withResolvers } from "../../support.js"

/** Runs code in a context without values, so that tests do not meet. */
const isolated = <A>(f: () => A): A => new Context().run(f)

const tokenError = (reason: string) => expect.objectContaining({ _tag: "TokenError", reason })

describe("CPython's Lib/test/test_context.py", () => {
  it("test_context_var_new_1: a variable has the name it was given, which cannot be changed", () => {
    expect(() => new (ContextVar as any)()).toThrow(TypeError)
    expect(() => new (ContextVar as any)(1)).toThrow(/takes its name, a string.*and got 1/)
    const variable = new ContextVar("aaa")
    expect(variable.name).toBe("aaa")
    expect(() => {
      ;(variable as any).name = "bbb"
    }).toThrow(TypeError)
    expect(variable.name).toBe("aaa")
  })

  it("test_context_getset_1: get, set, reset, copies", () =>
    isolated(() => {
      const c = new ContextVar<number | string>("c")
      expect(() => c.get()).toThrow(LookupError)
      expect(c.get(null)).toBe(null)

      const t0 = c.set(42)
      expect(c.get()).toBe(42)
      expect(c.get(null)).toBe(42)
      expect(t0.oldValue).toBe(Token.MISSING)
      expect(t0.var).toBe(c)

      const t = c.set("spam")
      expect(c.get()).toBe("spam")
      expect(c.get(null)).toBe("spam")
      expect(t.oldValue).toBe(42)
      c.reset(t)

      expect(c.get()).toBe(42)
      expect(c.get(null)).toBe(42)

      c.set("spam2")
      expect(() => c.reset(t)).toThrow(tokenError("used"))
      expect(c.get()).toBe("spam2")

      const ctx1 = copyContext()
      expect(ctx1.has(c)).toBe(true)

      c.reset(t0)
      expect(() => c.reset(t0)).toThrow(tokenError("used"))
      expect(c.get(null)).toBe(null)

      expect(ctx1.has(c)).toBe(true)
      expect(ctx1.get(c)).toBe("spam2")
      expect(ctx1.get(c, "aa")).toBe("spam2")
      expect(ctx1.size).toBe(1)
      expect(Array.from(ctx1.entries())).toEqual([[c, "spam2"]])
      expect(Array.from(ctx1.values())).toEqual(["spam2"])
      expect(Array.from(ctx1.keys())).toEqual([c])
      expect([...ctx1]).toEqual([c])

      const ctx2 = copyContext()
      expect(ctx2.has(c)).toBe(false)
      expect(ctx2.get(c)).toBe(undefined)
      expect(ctx2.get(c, "aa")).toBe("aa")
      expect(ctx2.size).toBe(0)
      expect([...ctx2]).toEqual([])
    }))
})

describe("the examples of PEP 567", () => {
  it("contextvars.ContextVar: a token takes a set back", () =>
    isolated(() => {
      const variable = new ContextVar<number>("var")
      expect(variable.get(null)).toBe(null)
      const token = variable.set(1)
      try {
        expect(variable.get()).toBe(1)
      } finally {
        variable.reset(token)
      }
      expect(variable.get(null)).toBe(null)
    }))

  it("the docs' echo server: every client has its own address", async () => {
    const address = new ContextVar<string>("client_addr")
    const goodbye = () => `Good bye, client @ ${address.get()}`
    const handle = async (client: string) => {
      address.set(client)
      await sleep(1)
      return goodbye()
    }
    const clients = ["127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"]
    const lines = await asTask(() => compat.all(clients.map((client) => () => handle(client))))
    expect(lines).toEqual(clients.map((client) => `Good bye, client @ ${client}`))
  })
})

describe("outside every task", () => {
  it("a variable keeps what it is set to, and tasks begin with a copy of it", async () => {
    const variable = new ContextVar<string>("top")
    const token = variable.set("program")
    await sleep(1)
    expect(variable.get()).toBe("program")

    const gate = withResolvers()
    const promise = context.run({}, async () => {
      await gate.promise
      const before = variable.get()
      variable.set("task")
      return [before, variable.get()]
    })
    const fiber = Effect.runFork(
      Effect.gen(function*() {
        yield* Effect.promise(() => gate.promise)
        const before = variable.get()
        variable.set("fiber")
        yield* Effect.sleep(1)
        return [before, variable.get()]
      }).pipe(Effect.provide(compat.layer))
    )
    variable.set("changed")
    gate.resolve()
    expect(await promise).toEqual(["program", "task"])
    expect(await Effect.runPromise(Fiber.join(fiber))).toEqual(["program", "fiber"])
    expect(variable.get()).toBe("changed")
    variable.reset(token)
    expect(variable.get(null)).toBe(null)
  })
})

describe("bad input", () => {
  it("a name that is no string", () => {
    expect(() => new ContextVar(Symbol("s") as any)).toThrow(/takes its name.*Symbol\(s\)/)
    expect(() => new ContextVar(null as any)).toThrow(TypeError)
  })

  it("values and defaults of undefined are there", () =>
    isolated(() => {
      const variable = new ContextVar<undefined>("var", { default: undefined })
      expect(variable.get()).toBe(undefined)
      const token = variable.set(undefined)
      expect(variable.get(1)).toBe(undefined)
      expect(copyContext().has(variable)).toBe(true)
      variable.reset(token)
      expect(variable.get(1)).toBe(1)
      expect(() => new ContextVar("other", {}).get()).toThrow(
        "ContextVar.get: the variable \"other\" has no value in this context. Set it first with set(value), read it with"
          + " get(fallback), or define it with new ContextVar(\"other\", { default: value })."
      )
    }))

  it("variables of one name are two", () =>
    isolated(() => {
      const one = new ContextVar<number>("same")
      const two = new ContextVar<number>("same")
      one.set(1)
      expect(two.get(null)).toBe(null)
      expect(copyContext().size).toBe(1)
    }))

  it("the errors are classes of their own", () => {
    expect(new TokenError({ variable: "v", reason: "used" })).toBeInstanceOf(Error)
    expect(new LookupError({ variable: "v" })._tag).toBe("LookupError")
    expect(new ContextEnteredError({ operation: "Context.run" })._tag).toBe("ContextEnteredError")
  })
})
