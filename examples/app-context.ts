import { compat, Context } from "aiocontext"

/** What a request carries. */
export class RequestContext extends Context.Tag("example/RequestContext")<RequestContext, {
  readonly request_id: string
  readonly priced_for?: string
}>() {}

/** The same map, for code that knows nothing of Effect. */
export const context = compat.make(RequestContext)
