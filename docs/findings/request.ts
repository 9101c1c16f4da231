// A request whose first asker is interrupted before its batch is sent stays in the cache, and nobody else has an answer.
import { Effect, Fiber, Request, RequestResolver } from "effect"
import { hangs, places } from "./yields.js"

class GetName extends Request.TaggedClass("GetName")<string, never, { readonly id: number }> {}

const names = RequestResolver.makeBatched((requests: ReadonlyArray<GetName>) =>
  Effect.forEach(requests, (request) => Request.succeed(request, "ann"), { discard: true })
)

const neverAnswered = Effect.gen(function*() {
  const cache = yield* Request.makeCache({ capacity: 10, timeToLive: "1 minute" })
  const name = Effect.request(new GetName({ id: 1 }), names).pipe(
    Effect.withRequestCaching(true),
    Effect.withRequestCache(cache)
  )
  const first = yield* Effect.forkDaemon(name)
  yield* (yield* Effect.forkDaemon(Fiber.interrupt(first))).await
  return yield* hangs(name)
})

export const found: ReadonlyArray<number> = await places(neverAnswered)
console.log("a request without an answer, by a yield before operation", found.join(" "))
