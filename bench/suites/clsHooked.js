/** `cls-hooked`, in a process of its own: its hooks slow down every promise of the process it is loaded in. */
import clsHooked from "cls-hooked"
import { AsyncLocalStorage } from "node:async_hooks"
import { compat } from "../../dist/index.js"
import { once, ratio, reads, suite } from "../harness.js"
import { Ctx, entries } from "./fixtures.js"

const context = compat.make(Ctx)
const als = new AsyncLocalStorage()
const namespace = clsHooked.createNamespace("bench")

const nothing = () => undefined

const fill = (entries) => {
  for (const [key, value] of entries) {
    namespace.set(key, value)
  }
}

const eight = entries(8)
const keys = Object.keys(eight)
const four = entries(4)
const fourPairs = Object.entries(four)

const inTask = (f) =>
  als.run(new Map(Object.entries(eight)), () =>
    namespace.runAndReturn(() => {
      fill(Object.entries(eight))
      return context.run(eight, f)
    }))

await suite([
  ratio({
    id: "cls-hooked-get",
    what: "`context.get`, beside `cls-hooked`",
    against: "`als.getStore().get(key)`",
    underPeers: true,
    ours: reads(keys, (key) => context.get(key)),
    base: reads(keys, (key) => als.getStore().get(key)),
    peers: { "cls-hooked": reads(keys, (key) => namespace.get(key)) },
    within: inTask
  }),
  ratio({
    id: "cls-hooked-run",
    what: "`context.run(entries, fn)`, 4 keys, beside `cls-hooked`",
    against: "`als.run(new Map(entries), fn)`",
    underPeers: true,
    ours: once(() => context.run(four, nothing)),
    base: once(() => als.run(new Map(fourPairs), nothing)),
    peers: { "cls-hooked": once(() => namespace.runAndReturn(() => fill(fourPairs))) },
    within: inTask
  })
])
