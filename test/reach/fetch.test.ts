import { describe, expect, it } from "@effect/vitest"
import { compat } from "aiocontext"
import * as FetchContext from "aiocontext/propagation/Fetch"
import { Effect, Fiber } from "effect"
import * as undici from "undici"
import { sleep } from "../support.js"
import { id, otherId, Request } from "./request.js"
import { recorder, redirect, type Seen } from "./servers.js"

const entries = { id, tenant: "a b", locale: "en", retries: 0 } as const
const everything = { "x-request-id": id, baggage: "tenant=a%20b,locale=en" }
const request = compat.make(Request)

const reached = ({ headers }: Seen) => ({
  ...headers["x-request-id"] === undefined ? {} : { "x-request-id": headers["x-request-id"] },
  ...headers["baggage"] === undefined ? {} : { baggage: headers["baggage"] }
})
const host = (url: string): string => new URL(url).host

describe("a wrapped fetch", () => {
  const calling = (
    call: (send: typeof fetch, url: string) => Promise<unknown>,
    trusted: (url: string) => FetchContext.Options["trusted"] = () => []
  ) =>
    Effect.gen(function*() {
      const { seen, url } = yield* recorder
      const options = trusted(url)
      const send = FetchContext.wrap(fetch, Request, options ? { trusted: options } : {})
      yield* Effect.promise(() => request.run(entries, () => call(send, url)))
      return seen
    }).pipe(Effect.scoped)

  it.live("sends a stranger public keys, and a trusted host all", () =>
    Effect.gen(function*() {
      expect((yield* calling((send, url) => send(url))).map(reached)).toEqual([{ "x-request-id": id }])
      expect((yield* calling((send, url) => send(url), (url) => [host(url)])).map(reached)).toEqual([everything])
    }))
  it.live("sends nothing where the context is not attached", () =>
    Effect.gen(function*() {
      const { seen, url } = yield* recorder
      yield* Effect.promise(() => FetchContext.wrap(fetch, Request, { trusted: ["127.0.0.1"] })(url))
      expect(seen.map(reached)).toEqual([{}])
    }).pipe(Effect.scoped))
  it.live("sends the values of the task, after it waited too", () =>
    Effect.map(
      calling(async (send, url) => {
        await sleep(1)
        request.set("id", otherId)
        await send(url)
      }),
      (seen) => expect(seen.map(reached)).toEqual([{ "x-request-id": otherId }])
    ))
  it.live("leaves headers alone that are there, and replaces the context's own members of baggage", () =>
    Effect.map(
      calling(
        (send, url) => send(url, { headers: { "X-Request-Id": "mine", baggage: "tenant=old,other=1" } }),
        (url) => [host(url)]
      ),
      (seen) =>
        expect(seen.map(reached)).toEqual([{ "x-request-id": "mine", baggage: `${everything.baggage},other=1` }])
    ))
  it.live("takes a Request, with its method, headers and body", () =>
    Effect.map(
      calling((send, url) =>
        send(new globalThis.Request(`${url}/a`, { method: "PUT", headers: { "x-own": "1" }, body: "body" }))
      ),
      ([seen]) =>
        expect([seen!.method, seen!.url, seen!.headers["x-own"], seen!.body, reached(seen!)]).toEqual([
          "PUT",
          "/a",
          "1",
          "body",
          { "x-request-id": id }
        ])
    ))
  it.live("decides anew for each hop of a redirect", () =>
    Effect.gen(function*() {
      const friend = yield* recorder
      const stranger = yield* recorder
      const send = FetchContext.wrap(fetch, Request, { trusted: [host(friend.url)] })
      const response = yield* Effect.promise(() =>
        request.run(entries, () =>
          send(redirect(friend.url, redirect(stranger.url, `${friend.url}/end`, 307), 308), {
            method: "POST",
            body: "body",
            headers: { authorization: "s3cret" }
          }))
      )
      expect([response.status, response.redirected, response.url]).toEqual([200, true, `${friend.url}/end`])
      expect(friend.seen.map(reached)).toEqual([everything, everything])
      expect(stranger.seen.map(reached)).toEqual([{ "x-request-id": id }])
      expect([...friend.seen, ...stranger.seen].map(({ body, headers }) => [body, headers.authorization])).toEqual([
        ["body", "s3cret"],
        ["body", undefined],
        ["body", undefined]
      ])
    }).pipe(Effect.scoped))
  it.live("follows none where it is told so", () =>
    Effect.gen(function*() {
      const { seen, url } = yield* recorder
      const send = FetchContext.wrap(fetch, Request)
      const response = yield* Effect.promise(() => send(redirect(url, `${url}/a`), { redirect: "manual" }))
      expect(response.status).toBe(302)
      const failed = yield* Effect.promise(() =>
        send(redirect(url, `${url}/a`), { redirect: "error" }).catch(() => "failed")
      )
      expect(failed).toBe("failed")
      expect(seen).toHaveLength(2)
    }).pipe(Effect.scoped))
  it("in a browser, which hides redirects, sends who is there in the end what anybody may have", async () => {
    const calls: Array<unknown> = []
    const browser: typeof fetch = async (_, init) => {
      calls.push([init!.redirect, new Headers(init!.headers).get("baggage")])
      return init!.redirect === "manual"
        ? Object.defineProperty(new Response(), "type", { value: "opaqueredirect" })
        : new Response("end")
    }
    const send = FetchContext.wrap(browser, Request, { trusted: ["api.internal"] })
    const response = await request.run(entries, () => send("http://api.internal/"))
    expect(await response.text()).toBe("end")
    expect(calls).toEqual([["manual", everything.baggage], ["follow", null]])
  })
})

// The layer is for the whole process: these tests are one after another, and only their own servers are asked.
describe.sequential("a layer over undici", () => {
  const clients: Record<
    string,
    (url: string, init?: { readonly headers?: Record<string, string> }) => Promise<unknown>
  > = {
    "the built-in fetch": (url, init) => fetch(url, init).then((response) => response.text()),
    "undici's fetch": (url, init) => undici.fetch(url, init).then((response) => response.text()),
    "undici's request": (url, init) => undici.request(url, init).then(({ body }) => body.text())
  }
  for (const [name, call] of Object.entries(clients)) {
    const calling = (
      trusted: (url: string) => ReadonlyArray<string>,
      init?: { readonly headers?: Record<string, string> }
    ) =>
      Effect.gen(function*() {
        const { seen, url } = yield* recorder
        yield* Effect.promise(() => request.run(entries, () => call(url, init))).pipe(
          Effect.provide(FetchContext.layer(Request, { trusted: trusted(url) }))
        )
        return seen.map(reached)
      }).pipe(Effect.scoped)

    it.live(`has ${name} send the context's entries, by trust`, () =>
      Effect.gen(function*() {
        expect(yield* calling(() => [])).toEqual([{ "x-request-id": id }])
        expect(yield* calling((url) => [host(url)])).toEqual([everything])
      }))
    it.live(`has ${name} keep the headers that it has`, () =>
      Effect.gen(function*() {
        const headers = { "X-Request-Id": "mine", Baggage: "tenant=old,other=1" }
        expect(yield* calling((url) => [host(url)], { headers })).toEqual([
          { "x-request-id": "mine", baggage: `${everything.baggage},other=1` }
        ])
        expect(yield* calling(() => [], { headers })).toEqual([{ "x-request-id": "mine", baggage: headers.Baggage }])
      }))
  }
  it.live("decides anew for each hop of a redirect", () =>
    Effect.gen(function*() {
      const friend = yield* recorder
      const stranger = yield* recorder
      yield* Effect.promise(() =>
        request.run(entries, () => fetch(redirect(friend.url, `${stranger.url}/a`)).then((response) => response.text()))
      ).pipe(Effect.provide(FetchContext.layer(Request, { trusted: [host(friend.url)] })))
      expect(friend.seen.map(reached)).toEqual([everything])
      expect(stranger.seen.map(reached)).toEqual([{ "x-request-id": id }])
    }).pipe(Effect.scoped))
  it.live("leaves nothing behind when it is closed, and nothing where no context is", () =>
    Effect.gen(function*() {
      const { seen, url } = yield* recorder
      const layer = FetchContext.layer(Request, { trusted: [host(url)] })
      yield* Effect.promise(() => fetch(url)).pipe(Effect.provide(layer))
      yield* Effect.promise(() => request.run(entries, () => fetch(url)))
      expect(seen.map(reached)).toEqual([{}, {}])
    }).pipe(Effect.scoped))
  it.live("sends a fiber's entries, of promise code under the bridge", () =>
    Effect.gen(function*() {
      const { seen, url } = yield* recorder
      const legacy = async () => {
        await sleep(1)
        await fetch(url)
      }
      const fiber = yield* Effect.fork(Effect.promise(legacy).pipe(Request.provide(entries)))
      yield* Fiber.join(fiber)
      expect(seen.map(reached)).toEqual([{ "x-request-id": id }])
    }).pipe(Effect.scoped, Effect.provide([compat.layer, FetchContext.layer(Request)])))
  it.live("keeps five hundred tasks apart", () =>
    Effect.gen(function*() {
      const { seen, url } = yield* recorder
      const ids = Array.from({ length: 500 }, (_, i) => `3f6f6d6e-6c0e-4d0e-9b0a-${String(i).padStart(12, "0")}`)
      yield* Effect.forEach(
        ids,
        (id) =>
          Effect.promise(() =>
            request.run({ ...entries, id }, async () => {
              await sleep(1)
              await (await fetch(`${url}/${id}`)).text()
            })
          ),
        { concurrency: 50 }
      ).pipe(Effect.provide(FetchContext.layer(Request)))
      expect(seen).toHaveLength(500)
      expect(seen.filter(({ headers, url }) => url !== `/${headers["x-request-id"]}`)).toEqual([])
    }).pipe(Effect.scoped))
})
