import { describe, expect, it } from "@effect/vitest"
import { compat } from "aiocontext"
import { Context, ContextVar, Token } from "aiocontext/compat/contextvars"
import { asTask } from "../../support.js"

/** Runs code in a context without values, so that tests do not meet. */
const isolated = <A>(f: () => A): A => new Context().run(f)

const tokenError = (reason: string) => expect.objectContaining({ _tag: "TokenError", reason })

describe("CPython's Lib/test/test_context.py", () => {
  it("test_context_getset_2: a token resets its own variable only", () =>
    isolated(() => {
      const v1 = new ContextVar<number>("v1")
      const v2 = new ContextVar<number>("v2")
      const t1 = v1.set(42)
      expect(() => v2.reset(t1)).toThrow(tokenError("variable"))
      expect(() => v2.reset(t1)).toThrow(/reset of "v2".*made by a different variable/)
      v1.reset(t1)
      expect(v1.get(null)).toBe(null)
    }))

  it("test_context_getset_3: a reset to nothing removes the entry", () => {
    const c = new ContextVar("c", { default: 42 })
    const ctx = new Context()
    ctx.run(() => {
      expect(c.get()).toBe(42)
      expect(ctx.get(c)).toBe(undefined)
      expect(ctx.get(c, "spam")).toBe("spam")
      expect(ctx.has(c)).toBe(false)
      expect(Array.from(ctx.keys())).toEqual([])

      const t = c.set(1)
      expect(Array.from(ctx.keys())).toEqual([c])
      expect(ctx.get(c)).toBe(1)

      c.reset(t)
      expect(Array.from(ctx.keys())).toEqual([])
      expect(ctx.has(c)).toBe(false)
      expect(c.get()).toBe(42)
    })
  })

  it("test_context_getset_4: a token resets in its own context only", () =>
    isolated(() => {
      const c = new ContextVar("c", { default: 42 })
      const ctx = new Context()
      const token = ctx.run(() => c.set(1))
      expect(() => c.reset(token)).toThrow(tokenError("context"))
      expect(() => c.reset(token)).toThrow(/made in a different context/)
      ctx.run(() => c.reset(token))
      expect(ctx.has(c)).toBe(false)
    }))
})

describe("CPython 3.14's disposable tokens", () => {
  it("a block that ends resets the variable", () =>
    isolated(() => {
      const c = new ContextVar("c", { default: 42 })
      {
        using token = c.set(36)
        expect(c.get()).toBe(36)
        expect(token.oldValue).toBe(Token.MISSING)
        {
          using _ = c.set(37)
          expect(c.get()).toBe(37)
        }
        expect(c.get()).toBe(36)
      }
      expect(c.get()).toBe(42)
    }))

  it("a block that throws resets the variable", () =>
    isolated(() => {
      const c = new ContextVar("c", { default: 42 })
      expect(() => {
        using _ = c.set(36)
        throw new RangeError("custom")
      }).toThrow(RangeError)
      expect(c.get()).toBe(42)
    }))

  it("a token that was used in the block cannot be disposed of", () =>
    isolated(() => {
      const c = new ContextVar("c", { default: 42 })
      expect(() => {
        using token = c.set(36)
        c.reset(token)
      }).toThrow(tokenError("used"))
      const token = c.set(1)
      token[Symbol.dispose]()
      expect(() => token[Symbol.dispose]()).toThrow(/already been used/)
      expect(c.get()).toBe(42)
    }))
})

describe("a task's tokens", () => {
  it("a token of the parent does not reset in a child", () =>
    asTask(async () => {
      const variable = new ContextVar<number>("cvar")
      const token = variable.set(5)
      await expect(compat.fork(() => variable.reset(token))).rejects.toThrow(tokenError("context"))
      variable.reset(token)
      expect(variable.get(null)).toBe(null)
    }))
})

describe("bad input", () => {
  it("a token that is none: nothing is lost", () =>
    isolated(() => {
      const variable = new ContextVar<number>("var")
      const token = variable.set(1)
      for (const bad of [1, undefined, null, {}, { var: variable, oldValue: 2 }, Token.MISSING]) {
        expect(() => variable.reset(bad as any)).toThrow(/takes the token that set\(value\) gave/)
      }
      expect(() => new (Token as any)()).toThrow(/Tokens are made by ContextVar.set/)
      expect(variable.get()).toBe(1)
      variable.reset(token)
      expect(variable.get(null)).toBe(null)
    }))

  it("tokens in any order: each restores what was before its own set", () =>
    isolated(() => {
      const variable = new ContextVar("var", { default: 0 })
      const first = variable.set(1)
      const second = variable.set(2)
      variable.reset(first)
      expect(variable.get()).toBe(0)
      variable.reset(second)
      expect(variable.get()).toBe(1)
    }))
})
