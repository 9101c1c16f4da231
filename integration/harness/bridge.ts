/**
 * The way of the library: the same `AsyncLocalStorage`, and a context of its own, under the bridge.
 */
import { compat, Context } from "aiocontext"
import { ManagedRuntime } from "effect"
import type { Way } from "./ways.js"
import { inTurn, makeFiberTurn, storage } from "./ways.js"

class Request extends Context.Tag("integration/Request")<Request, { readonly request_id: string }>() {}
const request = compat.make(Request)

export const makeBridge = async (requests: number): Promise<Way> => {
  const runtime = ManagedRuntime.make(compat.layer)
  await runtime.runtime()
  const program = inTurn(makeFiberTurn(requests))
  return {
    name: "bridge",
    layer: compat.layer,
    enter: (id, next) => request.run({ request_id: id }, () => storage.run(id, next)),
    seen: () => [storage.getStore(), request.peek("request_id")],
    currentId: () => request.peek("request_id"),
    run: (code, first, woken) => request.runPromise(program(code, first, woken), { runtime: code.runtime ?? runtime }),
    bind: (f) => compat.bind(f) as typeof f,
    bindEmitter: compat.bindEmitter,
    outside: compat.outside,
    close: () => runtime.dispose()
  }
}
