/**
 * What a request to another process is given, and whether that process is trusted.
 */
import { outgoing } from "./carrier.js"
import type { Carrier } from "./carrier.js"
import * as members from "./members.js"
import type { Plan } from "./plan.js"
import type { Trust } from "./policy.js"

/** Which hosts are trusted: `"api.internal"` at any port, `"api.internal:80"` at that one, or what a predicate says. */
export type Trusted = ReadonlyArray<string | ((url: URL) => boolean)>

const portOf = (url: URL): string => url.port || (url.protocol === "https:" ? "443" : "80")

const isMatch = (url: URL, trusted: Trusted[number]): boolean => {
  if (typeof trusted === "function") {
    try {
      return trusted(url)
    } catch {
      // who cannot be judged is not trusted
      return false
    }
  }
  const host = trusted.toLowerCase()
  return host === url.hostname || host === `${url.hostname}:${portOf(url)}`
}

/** How far the server of a URL is trusted. */
export const trustOf = (url: URL | undefined, trusted: Trusted = []): Trust =>
  url && trusted.some((host) => isMatch(url, host)) ? "trusted" : "public"

/**
 * The headers that a request gets. Those that it has already stay: `has` gives them. Its `baggage` is kept, with the
 * context's members in place of its own ones of the same names.
 */
export const additions = (
  plan: Plan,
  read: (key: string) => unknown,
  peer: Trust,
  has: (name: string) => string | null | undefined,
  others: ReadonlyArray<members.RawMember> = []
): Carrier => {
  const { headers, members: own } = outgoing(plan, read, peer)
  const fresh = Object.fromEntries(Object.entries(headers).filter(([name]) => typeof has(name) !== "string"))
  if (own.length === 0 && others.length === 0) {
    return fresh
  }
  // the context's own come first, so that they are not what a full header leaves out
  const all = new Map(own.map((member) => [member.key, member]))
  for (const member of [...members.split(has("baggage") ?? "").values(), ...others]) {
    if (!all.has(member.key)) {
      all.set(member.key, member)
    }
  }
  return { ...fresh, baggage: members.join(all.values()) }
}
