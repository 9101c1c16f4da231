/** The map in promise code. */
import "reflect-metadata"
import { requestContext, asyncLocalStorage as requestStorage } from "@fastify/request-context"
import { context as otel, createContextKey } from "@opentelemetry/api"
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks"
import { Effect } from "effect"
import { ClsServiceManager } from "nestjs-cls"
import { AsyncLocalStorage } from "node:async_hooks"
import { compat } from "../../dist/index.js"
import { once, ratio, reads, suite } from "../harness.js"
import { Ctx, entries } from "./fixtures.js"

const context = compat.make(Ctx)
const als = new AsyncLocalStorage()
const cls = ClsServiceManager.getClsService()
otel.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())

const otelKeys = Object.fromEntries(Object.keys(entries(8)).map((key) => [key, createContextKey(key)]))
const otelContext = (from, entries) =>
  Object.entries(entries).reduce((context, [key, value]) => context.setValue(otelKeys[key], value), from)

const nothing = () => undefined

const eight = entries(8)
const keys = Object.keys(eight)
const four = entries(4)
const fourPairs = Object.entries(four)

/** Runs code where every peer has its eight entries. */
const everywhere = (f) =>
  als.run(new Map(Object.entries(eight)), () =>
    requestStorage.run({ ...eight }, () =>
      otel.with(otelContext(otel.active(), eight), () =>
        cls.runWith({ ...eight }, f))))

const inTask = (f) => everywhere(() => context.run(eight, f))

const inFiber = (f) =>
  everywhere(() =>
    Effect.runPromise(
      Effect.promise(async () => {
        await Promise.resolve()
        return f()
      }).pipe(Ctx.provide(eight), Effect.provide(compat.layer))
    )
  )

const peersOfGet = {
  "@fastify/request-context": reads(keys, (key) => requestContext.get(key)),
  "@opentelemetry/api": reads(keys, (key) => otel.active().getValue(otelKeys[key])),
  "nestjs-cls": reads(keys, (key) => cls.get(key))
}

const get = reads(keys, (key) => context.get(key))
const getBase = reads(keys, (key) => als.getStore().get(key))

let n = 0

const set = once(() => context.set("key_3", n++))
const setBase = once(() => {
  const copy = new Map(als.getStore())
  copy.set("key_3", n++)
  return als.run(copy, nothing)
})

await suite([
  ratio({
    id: "context-get-task",
    what: "`context.get` in promise code of a task",
    against: "`als.getStore().get(key)`",
    atMost: 2.5,
    underPeers: true,
    ours: get,
    base: getBase,
    peers: peersOfGet,
    within: inTask
  }),
  ratio({
    id: "context-get-fiber",
    what: "`context.get` in promise code of a fiber",
    against: "`als.getStore().get(key)`",
    atMost: 2.5,
    underPeers: true,
    ours: get,
    base: getBase,
    peers: peersOfGet,
    within: inFiber
  }),
  ratio({
    id: "context-set-task",
    what: "`context.set` in a promise task",
    against: "copying the `Map` and `als.run`",
    atMost: 1,
    ours: set,
    base: setBase,
    within: inTask
  }),
  ratio({
    id: "context-set-fiber",
    what: "`context.set` in a fiber's promise code",
    against: "copying the `Map` and `als.run`",
    atMost: 3,
    ours: set,
    base: setBase,
    within: inFiber
  }),
  ratio({
    id: "context-run",
    what: "`context.run(entries, fn)`, 4 keys",
    against: "`als.run(new Map(entries), fn)`",
    atMost: 5,
    underPeers: true,
    ours: once(() => context.run(four, nothing)),
    base: once(() => als.run(new Map(fourPairs), nothing)),
    peers: {
      "@opentelemetry/api": once(() => otel.with(otelContext(otel.active(), four), nothing)),
      "nestjs-cls": once(() =>
        cls.run({ ifNested: "override" }, () => {
          for (const [key, value] of fourPairs) {
            cls.set(key, value)
          }
        })
      )
    },
    within: everywhere
  }),
  ratio({
    id: "bind",
    what: "`compat.bind(fn)` and its call",
    against: "`AsyncLocalStorage.bind(fn)` and its call",
    atMost: 0.5,
    ours: once(() => compat.bind(nothing)()),
    base: once(() => AsyncLocalStorage.bind(nothing)()),
    within: inTask
  })
])
