/** Whether a handler can tell where its sender lives. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { id } from "../request.js"
import type { As, Started } from "./app.js"
import { elsewhere, folder, here, settled } from "./runners.js"

const sender: As = { id, tenant: "a", roles: ["x"], retries: 3, token: "secret-of-a" }

const everything = { ...sender, locale: "en" }
const travels = { id, tenant: "a", roles: ["x"], locale: "en", retries: 0 }

type Runner = Pick<Started, "call">

const join = (decorated: boolean, second: typeof here | typeof elsewhere) =>
  Effect.gen(function*() {
    const options = { decorated, storage: { sqlite: `${yield* folder}/cluster.db` } }
    const a: Runner = yield* here(options)
    const b: Runner = yield* second(options)
    const { onFirst, onSecond } = yield* settled(a, b)
    return { a, local: onFirst, remote: onSecond }
  })

const table = (
  { a, local, remote }: { readonly a: Runner; readonly local: string; readonly remote: string }
) =>
  Effect.promise(async () => ({
    built: { local: await a.call("built", sender, local), remote: await a.call("built", sender, remote) },
    ask: { local: await a.call("see", sender, local), remote: await a.call("see", sender, remote) },
    stream: { local: await a.call("stream", sender, local), remote: await a.call("stream", sender, remote) },
    nested: {
      local: await a.call("ask", sender, local, remote),
      remote: await a.call("ask", sender, remote, local)
    },
    persisted: {
      local: await a.call("save", sender, local, "m-1"),
      remote: await a.call("save", sender, remote, "m-1")
    }
  }))

const places: ReadonlyArray<
  readonly [
    string,
    (decorated: boolean) => Effect.Effect<
      { readonly a: Runner; readonly local: string; readonly remote: string },
      never,
      Scope.Scope
    >
  ]
> = [
  ["two runners in one process", (decorated) => join(decorated, here)],
  ["two OS processes over sockets and SQLite", (decorated) => join(decorated, elsewhere)]
]

describe.sequential("local and remote", () => {
  for (const [place, joined] of places) {
    it.scopedLive(`differ without the layer: a local handler has the sender's whole map, its secrets too, on ${place}`, () =>
      Effect.gen(function*() {
        expect(yield* Effect.flatMap(joined(false), table)).toEqual({
          built: { local: everything, remote: {} },
          ask: { local: everything, remote: {} },
          stream: { local: [everything, everything], remote: [{}, {}] },
          nested: { local: {}, remote: {} },
          persisted: { local: {}, remote: {} }
        })
      }))
    it.scopedLive(`are equal with it: both see the sender's travelling keys and nothing else, on ${place}`, () =>
      Effect.gen(function*() {
        expect(yield* Effect.flatMap(joined(true), table)).toEqual({
          built: { local: {}, remote: {} },
          ask: { local: travels, remote: travels },
          stream: { local: [travels, travels], remote: [travels, travels] },
          nested: { local: travels, remote: travels },
          persisted: { local: travels, remote: travels }
        })
      }))
  }
})
