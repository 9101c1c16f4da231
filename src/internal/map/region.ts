/**
 * A region: where a context is attached. It is what the context's tag stands for among a fiber's services.
 *
 * The service proves that there is a map. Which map it is, the fiber's own fiber ref says; only a fiber without a map of
 * its own starts from the region's seed.
 */
import type * as Option from "effect/Option"
import { isTagged } from "effect/Predicate"
import type { Entries } from "./entries.js"

/** How a child gets its map. */
export type Strategy = "copy" | "deepCopy" | "chain" | "share" | ((parent: Entries) => Entries)

/** What a join does with a child's writes. */
export type Join = "isolate" | "merge"

/** What a join gives the parent for one key that the child changed; the same entry where it changes nothing. */
export type JoinKey = (
  key: string,
  parent: Option.Option<unknown>,
  child: Option.Option<unknown>
) => Option.Option<unknown>

/** A key that log lines or spans carry, and its name there. */
export interface Shown {
  readonly key: string
  readonly name: string
}

/** What a context does with single keys, where it knows them. */
export interface KeyPolicies {
  /** A seed with what it may leave out. */
  readonly seed?: ((entries: object) => object) | undefined
  /** What becomes of the map that the strategy gave a child. */
  readonly forkKeys?: ((child: Entries) => Entries) | undefined
  /** What a join makes of a key, instead of what `join` says. */
  readonly joinKey?: JoinKey | undefined
  /** The keys that may be shown: of those that are asked for, or of all. */
  readonly shown?: ((where: "log" | "span", keys?: ReadonlyArray<string>) => ReadonlyArray<Shown>) | undefined
}

/** What a context is: all but its shape, which is in the types alone. */
export interface Definition extends KeyPolicies {
  readonly key: string
  readonly fork: Strategy
  readonly join: Join
  /** The keys that `clear` leaves; where they are not known, it leaves those of the seed. */
  readonly required?: ReadonlyArray<string> | undefined
}

/** A map that its owner replaces and others read: what makes one map of many tasks, or lets a child see its parent's. */
export interface Cell {
  entries: Entries
  /** The maps behind it. */
  parent: Cell | undefined
  /** Who writes it, while somebody can. None where it never changes again. */
  readonly writer: WeakRef<object> | undefined
  /** The last one that it is behind of. */
  child: WeakRef<Cell> | undefined
}

/** A context attached somewhere. */
export interface Region {
  readonly _tag: "aiocontext/Region"
  readonly definition: Definition
  readonly seed: Entries
  /**
   * Who attached it. `provide` ends when its effect does. `layer` ends when its scope is closed, in whatever fiber. `service`
   * was made with `Tag.of`: it ends where the service does, and nobody is told. `late` is none yet: a service without a map,
   * for what is to have one when it runs.
   */
  readonly kind: "provide" | "layer" | "service" | "late"
  /** The tag that it was attached with. */
  readonly tag: unknown
  /** What a task reads that was handed the service alone. Under `share` the one map, under `chain` what was attached. */
  readonly cell: Cell
  /** The region as maps name it. Its own self, but for a service: a map must not keep a service that is gone. */
  readonly named: Region
  /** Of what maps name: the service, for as long as somebody has it. */
  readonly service: WeakRef<Region> | undefined
  /** Its scope is closed. */
  closed: boolean
}

/** Makes a region. */
export const makeRegion = (options: Pick<Region, "definition" | "seed" | "kind" | "tag">): Region => {
  const region: { -readonly [K in keyof Region]: Region[K] } = {
    _tag: "aiocontext/Region",
    definition: options.definition,
    seed: options.seed,
    kind: options.kind,
    tag: options.tag,
    cell: { entries: options.seed, parent: undefined, writer: undefined, child: undefined },
    named: undefined as never,
    service: undefined,
    closed: false
  }
  region.named = region
  if (options.kind === "service") {
    const named = { ...region, service: new WeakRef(region) }
    region.named = Object.assign(named, { named })
  }
  return region
}

/** Whether a service is a region. Told by its tag: another copy of the package may have made it. */
export const isRegion = (service: unknown): service is Region => isTagged(service, "aiocontext/Region")

/** Whether tasks read maps that others may change. */
export const isLinked = ({ fork }: Definition): boolean => fork === "share" || fork === "chain"

/** Whether a child's map is made when it starts, and not read from its parent's. */
export const isDerived = ({ fork, forkKeys }: Definition): boolean =>
  fork === "deepCopy" || typeof fork === "function" || forkKeys !== undefined

/** Whether something is done where a child starts: under `copy` and `share` it goes on with its parent's value. */
export const hasStart = (definition: Definition): boolean => definition.fork === "chain" || isDerived(definition)

/** Whether a join hands on what a child changed. */
export const isMerging = ({ join, joinKey }: Definition): boolean => join === "merge" || joinKey !== undefined
