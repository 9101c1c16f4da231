/** The context of the tests of this folder, and a test in both places where promise code runs. */
import { it } from "@effect/vitest"
import { compat, Context } from "aiocontext"
import { Effect } from "effect"
import { bridged } from "../support.js"

export class Request extends Context.Tag("test/promise/Request")<Request, {
  readonly id: string
  readonly user?: string
}>() {}

export const request = compat.make(Request)

/** The same in a promise task and in the promise code of a fiber. */
export const everywhere = (name: string, f: () => Promise<void>): void => {
  it(`${name}, in a promise task`, () => request.run({ id: "a" }, f))
  it.live(`${name}, in a fiber's promise code`, () => Effect.promise(f).pipe(Request.provide({ id: "a" }), bridged))
}
