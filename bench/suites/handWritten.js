/** The handlers of the hand-written servers. */
import { AsyncLocalStorage } from "node:async_hooks"
import { compat, Context } from "../../dist/index.js"

class Request extends Context.Tag("bench/Request")() {}

const context = compat.make(Request)
const als = new AsyncLocalStorage()

const answer = (response, user) => {
  response.setHeader("content-type", "application/json")
  response.end(JSON.stringify(user))
}

const lookUp = async (id) => ({ id, name: "Ann" })

const entriesOf = ({ headers, method, url }) => ({ request_id: headers["x-request-id"], method, url })

export const handlers = {
  context: (message, response) =>
    context.run(entriesOf(message), async () => {
      const user = await lookUp(context.get("request_id"))
      context.set("user", user.name)
      answer(response, { ...user, seen: context.get("user") })
    }),
  storage: (message, response) =>
    als.run(new Map(Object.entries(entriesOf(message))), async () => {
      const user = await lookUp(als.getStore().get("request_id"))
      als.getStore().set("user", user.name)
      answer(response, { ...user, seen: als.getStore().get("user") })
    })
}
