/**
 * The responses of `@effect/platform`, which is an optional companion and not imported.
 */
import * as effect from "effect"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"

import FiberRef = effect.FiberRef

type ResponseHandler = (request: unknown, response: unknown) => Effect.Effect<unknown, unknown, never>

// What `@effect/platform` passes each response through before it sends it, found by the name that it has there: the
// library does not import it.
const responseHandlers = (): effect.FiberRef.FiberRef<Option.Option<ResponseHandler>> =>
  effect.GlobalValue.globalValue(
    Symbol.for("@effect/platform/HttpApp/preResponseHandlers"),
    () => FiberRef.unsafeMake<Option.Option<ResponseHandler>>(Option.none())
  )

/**
 * Changes the response of a request: that of the app, or what the server makes of the app's failure. `f` may be called
 * twice. The handler goes when the app succeeds; where it fails it has to outlive it, for the server to find.
 */
export const onResponse = <A, E, R>(app: Effect.Effect<A, E, R>, f: (response: A) => A): Effect.Effect<A, E, R> =>
  Effect.suspend(() => {
    const handlers = responseHandlers()
    return Effect.flatMap(FiberRef.get(handlers), (before) => {
      const handler: ResponseHandler = (request, response) =>
        Effect.map(
          Option.isSome(before) ? before.value(request, response) : Effect.succeed(response),
          (response) => f(response as A)
        )
      return FiberRef.set(handlers, Option.some(handler)).pipe(
        Effect.zipRight(app),
        Effect.map(f),
        Effect.tap(() => FiberRef.set(handlers, before))
      )
    })
  })

/** A copy of an `HttpServerResponse` with one more header. */
export const withHeader = <A>(response: A, name: string, value: string): A => {
  if (typeof response !== "object" || response === null || !("headers" in response)) {
    return response
  }
  return copyWith(response, { headers: copyWith(response.headers as object, { [name]: value }) })
}

const copyWith = <A extends object>(original: A, properties: object): A =>
  Object.assign(Object.create(Object.getPrototypeOf(original)), original, properties)
