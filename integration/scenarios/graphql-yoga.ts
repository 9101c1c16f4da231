import { createSchema, createYoga } from "graphql-yoga"
import { createServer } from "node:http"
import { post, serve } from "../harness/http.js"
import type { Scenario } from "../harness/scenario.js"
import { work } from "../harness/work.js"

interface RequestContext {
  readonly request: Request
}

const idOf = ({ request }: RequestContext) => request.headers.get("x-request-id")!

export const scenario: Scenario = {
  library: "GraphQL Yoga",
  packages: ["graphql-yoga", "graphql"],
  start: async ({ checkOf, enter, run }) => {
    const schema = createSchema<RequestContext>({
      typeDefs: `
        type Order { id: String, lines: [Line] }
        type Line { text: String }
        type Query { order: Order }
      `,
      resolvers: {
        Query: {
          order: async (_, __, context) => {
            const check = checkOf(idOf(context))
            check("in a resolver")
            await run(check.id, work)
            check("after the run")
            return { id: check.id, lines: [{}, {}] }
          }
        },
        Line: {
          text: async (_, __, context) => {
            checkOf(idOf(context))("in a resolver of a list")
            return "a line"
          }
        }
      }
    })
    const yoga = createYoga({
      schema,
      logging: false,
      plugins: [{
        onExecute: ({ args }: { readonly args: { readonly contextValue: RequestContext } }) => {
          checkOf(idOf(args.contextValue))("in a plugin")
        }
      }]
    })
    const server = createServer((request, response) => {
      void enter(request.headers["x-request-id"] as string, () => yoga(request, response))
    })
    const { stop, url } = await serve(server)
    return {
      request: (id) => post(`${url}/graphql`, id, { query: "{ order { id lines { text } } }" }),
      stop
    }
  },
  expected: {}
}
