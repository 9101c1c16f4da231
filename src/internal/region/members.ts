/**
 * The members of a context tag: the map of the fiber that runs them.
 */
import type * as EffectContext from "effect/Context"
import * as Effect from "effect/Effect"
import * as HashMap from "effect/HashMap"
import type * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { KeyNotFoundError } from "../../errors.js"
import type { AnyFiber } from "../effect3/fiber.js"
import { syncWithFiber } from "../effect3/fiber.js"
import { checkKey, fromInput } from "../map/entries.js"
import { allEntries, type Change, getEntry, type Holder } from "../map/held.js"
import type { Region } from "../map/region.js"
import { isRegion, makeRegion } from "../map/region.js"
import type { ContextSpec } from "./context.js"
import { clear, mapIn, remove, SpecId } from "./context.js"
import { fibers } from "./fibers.js"
import { provide, provideLayer } from "./provide.js"

/** Makes the members of a tag. Their types are those of `Context.TagClass`. */
export const members = (tag: EffectContext.Tag<any, any>, spec: ContextSpec): object => {
  const { definition, ref } = spec
  const id = definition.key
  const { modify, notAttached, open, peek } = mapIn(spec, fibers)

  const at = (operation: string): string => `${id}.${operation}`

  /** What an operation does with the map of the fiber that runs it. */
  const withMap = <A>(operation: string, f: (map: Holder, fiber: AnyFiber) => A): Effect.Effect<A> =>
    syncWithFiber((fiber) => {
      const map = open(fiber)
      if (map === undefined) {
        // the types rule this out, so it is a defect
        throw notAttached(fiber, operation)
      }
      return f(map, fiber)
    })

  const keyed = <A>(operation: string, key: string, f: (map: Holder, fiber: AnyFiber) => A): Effect.Effect<A> => {
    checkKey(at(operation), key)
    return withMap(operation, f)
  }

  const changing = (operation: string, change: Change): Effect.Effect<boolean> =>
    withMap(operation, (map, fiber) => modify(fiber, map, change))

  const getOption = (key: string) => keyed("get", key, (map) => getEntry(map, key))

  const data = withMap("data", allEntries)

  const locally = <A, E, R>(effect: Effect.Effect<A, E, R>, entries: object): Effect.Effect<A, E, R> => {
    const added = fromInput(at("locally"), entries)
    return Effect.acquireUseRelease(
      withMap("locally", (map, fiber) => {
        // not the whole map, which the region would hold
        let before = HashMap.empty<string, Option.Option<unknown>>()
        modify(fiber, map, (own) => {
          before = HashMap.map(added, (_, key) => HashMap.get(own, key))
          return HashMap.union(own, added)
        })
        return before
      }),
      () => effect,
      (before) =>
        changing(
          "locally",
          (own) => HashMap.reduce(before, own, (map, entry, key) => HashMap.modifyAt(map, key, () => entry))
        )
    )
  }

  return {
    [SpecId]: spec,
    ref,
    get: (key: string, fallback?: unknown) =>
      keyed("get", key, (map) => {
        const found = getEntry(map, key)
        return found._tag === "Some" ? found.value : fallback
      }),
    getOption,
    getOrFail: (key: string) =>
      Effect.mapError(Effect.flatten(getOption(key)), () => new KeyNotFoundError({ context: id, key })),
    peek: (key: string) =>
      syncWithFiber((fiber) => {
        const map = peek(fiber)
        return map === undefined ? Option.none() : getEntry(map, key)
      }),
    set: (key: string, value: unknown) =>
      keyed("set", key, (map, fiber) => void modify(fiber, map, HashMap.set(key, value))),
    merge: (entries: object) => Effect.asVoid(changing("merge", HashMap.union(fromInput(at("merge"), entries)))),
    update: (key: string, f: (value: unknown) => unknown) =>
      keyed("update", key, (map, fiber) => {
        const value = f(Option.getOrUndefined(getEntry(map, key)))
        // opened anew: `f` may have written, by way of promise code's map
        modify(fiber, open(fiber)!, HashMap.set(key, value))
      }),
    delete: (key: string) => keyed("delete", key, (map, fiber) => modify(fiber, map, remove(key))),
    has: (key: string) => keyed("has", key, (map) => Option.isSome(getEntry(map, key))),
    size: Effect.map(data, HashMap.size),
    keys: Effect.map(data, (entries) => Array.from(HashMap.keys(entries))),
    entries: Effect.map(data, HashMap.toEntries),
    clear: Effect.asVoid(changing("clear", clear(spec))),
    data,
    dataOf: (fiber: AnyFiber) =>
      Effect.suspend(() => {
        const map = open(fiber)
        return map === undefined ? Effect.fail(notAttached(fiber, "dataOf")) : Effect.succeed(allEntries(map))
      }),
    snapshot: Effect.map(data, (seed) => ({
      data: seed,
      run: <A, E, R>(effect: Effect.Effect<A, E, R>) => provide(effect, { spec, seed, tag })
    })),
    locally: (...args: [object] | [Effect.Effect<unknown>, object]) =>
      args.length === 1
        ? (effect: Effect.Effect<unknown>) => locally(effect, args[0])
        : locally(...args),
    // In the members below `this` is the class that the user wrote, so that `attached` can name it.
    provide(this: unknown, ...args: [object] | [Effect.Effect<unknown>, object]): unknown {
      const seed = fromInput(at("provide"), args.at(-1), definition.seed)
      const attaching = { spec, seed, tag: this ?? tag }
      return args.length === 1
        ? (effect: Effect.Effect<unknown>) => provide(effect, attaching)
        : provide(args[0], attaching)
    },
    layer(this: unknown, entries: object): Layer.Layer<unknown> {
      return provideLayer(
        tag,
        { spec, tag: this ?? tag },
        Effect.succeed(fromInput(at("layer"), entries, definition.seed))
      )
    },
    of(this: unknown, entries: object): Region {
      return isRegion(entries)
        ? entries
        : makeRegion({
          definition,
          seed: fromInput(at("of"), entries, definition.seed),
          kind: "service",
          tag: this ?? tag
        })
    }
  }
}
