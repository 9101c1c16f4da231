/**
 * Values that tell whose they are, and the search for those of others.
 */
import * as Chunk from "effect/Chunk"
import * as HashMap from "effect/HashMap"
import * as HashSet from "effect/HashSet"

/** What each request's own strings contain: short, safe in a header, and in no text by accident. */
export const markOf = (request: number): string => `~r${request}~`

/** A request's name in reports. */
export const nameOf = (request: number): string => `r${request}`

/** A value found where it does not belong. */
export interface Finding {
  readonly owner: number
  readonly key: string
  readonly value: unknown
  /** Where in what was searched, as it would be written in code. */
  readonly path: string
}

interface Known {
  readonly owner: number
  readonly key: string
}

/** The values of all requests of a run. */
export class Canaries {
  private readonly exact = new Map<unknown, Known | "several">()
  private readonly keys = new Map<number, ReadonlyArray<readonly [string, unknown]>>()

  add(owner: number, values: object): void {
    const entries = Object.entries(values)
    this.keys.set(owner, entries)
    this.own(owner, values)
    for (const [key, value] of entries) {
      if (isTelling(value)) {
        const known = this.exact.get(value)
        // a value that two requests have tells nothing
        this.exact.set(value, known === undefined ? { owner, key } : "several")
      }
    }
  }

  /** Says that an object, with whatever is in it, is a request's. */
  own(owner: number, object: object): void {
    this.exact.set(object, { owner, key: this.keys.get(owner)?.[0]?.[0] ?? "" })
  }

  /** The first value in `found` that is another request's. */
  search(found: unknown, reader: number, path: string = ""): Finding | undefined {
    return this.visit(found, reader, path, new Set())
  }

  private visit(value: unknown, reader: number, path: string, seen: Set<unknown>): Finding | undefined {
    if (typeof value === "string") {
      return this.inText(value, reader, path)
    }
    const known = this.exact.get(value)
    if (known !== undefined && known !== "several" && known.owner !== reader) {
      const inside = this.keys.get(known.owner)?.find(([key, child]) => key === known.key && child !== value)
      return inside === undefined
        ? { ...known, value, path }
        : { ...known, value: inside[1], path: `${path}${stepTo(known.key)}` }
    }
    // a request's own object is its own, whatever is in it
    if (typeof value !== "object" || value === null || known !== undefined || seen.has(value) || seen.size > limit) {
      return undefined
    }
    seen.add(value)
    for (const [step, child] of childrenOf(value)) {
      const finding = this.visit(child, reader, `${path}${step}`, seen)
      if (finding !== undefined) {
        return finding
      }
    }
    return undefined
  }

  private inText(text: string, reader: number, path: string): Finding | undefined {
    const known = this.exact.get(text)
    if (known !== undefined && known !== "several") {
      return known.owner === reader ? undefined : { ...known, value: text, path }
    }
    for (const match of text.matchAll(marks)) {
      const owner = Number(match[1])
      if (owner !== reader) {
        const entry = this.keys.get(owner)?.find(([, value]) => typeof value === "string" && text.includes(value))
        return { owner, key: entry?.[0] ?? "a value with the mark", value: entry?.[1] ?? match[0], path }
      }
    }
    return undefined
  }
}

const marks = /~r(\d+)~/g

// more objects than this are not what one request answers
const limit = 10_000

// small numbers, flags and the like turn up everywhere
const isTelling = (value: unknown): boolean =>
  typeof value === "string" ? value.length > 3 : typeof value === "number"
    ? Math.abs(value) > 9_999
    : (typeof value === "object" && value !== null) || typeof value === "bigint" || typeof value === "symbol"

function* childrenOf(value: object): Iterable<readonly [step: string, child: unknown]> {
  if (value instanceof Map || HashMap.isHashMap(value)) {
    for (const [key, child] of value as Iterable<[unknown, unknown]>) {
      yield [" (a key)", key]
      yield [`.get(${typeof key === "string" ? JSON.stringify(key) : "…"})`, child]
    }
  } else if (value instanceof Set || HashSet.isHashSet(value) || Chunk.isChunk(value)) {
    let index = 0
    for (const child of value) {
      yield [` (element ${index++})`, child]
    }
  } else if (Array.isArray(value)) {
    for (const [index, child] of value.entries()) {
      yield [`[${index}]`, child]
    }
  } else if (!ArrayBuffer.isView(value)) {
    for (const key of Reflect.ownKeys(value)) {
      const descriptor = Reflect.getOwnPropertyDescriptor(value, key)
      if (descriptor !== undefined && "value" in descriptor) {
        yield [typeof key === "symbol" ? `[${String(key)}]` : stepTo(key), descriptor.value]
        if (typeof key === "string") {
          yield [" (a key)", key]
        }
      }
    }
  }
}

const stepTo = (key: string): string => /^[A-Za-z_$][\w$]*$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`
