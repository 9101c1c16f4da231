import { describe, expect, it } from "@effect/vitest"
import { Context } from "aiocontext"
import { Context as Service, Effect } from "effect"

class Request extends Context.Tag("test/region/attached/Request")<Request, {
  readonly id: string
  readonly user?: string
}>() {}

class Tenant extends Context.Tag("test/region/attached/Tenant")<Tenant, { readonly name: string }>() {}

class Unused extends Service.Tag("test/region/attached/Unused")<Unused, number>() {}

describe("Context.attached", () => {
  it.effect("lists what is attached where it runs", () =>
    Effect.gen(function*() {
      expect(yield* Context.attached).toEqual([])
      const [one, both] = yield* Effect.gen(function*() {
        const one = yield* Context.attached
        return [one, yield* Effect.provide(Context.attached, Tenant.layer({ name: "t" }))] as const
      }).pipe(Request.provide({ id: "a" }))
      expect(one).toEqual([Request])
      expect(both).toEqual([Request, Tenant])
    }))
})

describe("Context.attached", () => {
  it.effect("reads no property of other services: a strict double throws", () => {
    const strict = new Proxy({}, {
      get: (_, key) => {
        throw new Error(`unexpected ${String(key)}`)
      }
    })
    return Effect.map(Context.attached, (contexts) => expect(contexts.map(({ key }) => key)).toEqual([Tenant.key]))
      .pipe(
        Tenant.provide({ name: "t" }),
        Effect.provideService(Unused, strict as never)
      )
  })
})
