/**
 * The members of a baggage header as they stand on the wire: split, counted, and not yet decoded.
 */
import { byteLength, isToken } from "./grammar.js"

/** A member of a baggage header. */
export interface RawMember {
  readonly key: string
  /** Percent-encoded. */
  readonly value: string
  /** The text after the first `;`. */
  readonly properties?: string
}

/** The most members of a header. */
export const maxMembers = 180

/** The most bytes of a header. */
export const maxBytes = 8192

/** The most members that are looked at: between commas may be nothing. */
const maxTried = 512

/** Which of some members a header has room for: each whole or not at all. */
export const room = (): (text: string) => boolean => {
  let bytes = -1
  let members = 0
  return (text) => {
    const after = bytes + byteLength(text) + 1
    if (after > maxBytes || members === maxMembers) {
      return false
    }
    bytes = after
    members++
    return true
  }
}

// `trim` takes more than the blanks of the grammar. What it takes besides, nobody may send bare; and a regular
// expression that looks for blanks at the end of a text takes quadratic time.
const parse = (text: string): RawMember | undefined => {
  const semicolon = text.indexOf(";")
  const pair = semicolon < 0 ? text : text.slice(0, semicolon)
  const equals = pair.indexOf("=")
  const key = pair.slice(0, Math.max(equals, 0)).trim()
  const value = pair.slice(equals + 1).trim()
  const properties = semicolon < 0 ? "" : text.slice(semicolon + 1)
  return !isToken(key) ? undefined : properties === "" ? { key, value } : { key, value, properties }
}

/** The members of a header, or of several: of those with one name the last. Linear, and never throws. */
export const split = (header: string | ReadonlyArray<string>): ReadonlyMap<string, RawMember> => {
  const members = new Map<string, RawMember>()
  const fits = room()
  for (const part of (typeof header === "string" ? header : header.join(",")).split(",", maxTried)) {
    const text = part.trim()
    const member = parse(text)
    if (member && fits(text)) {
      members.set(member.key, member)
    }
  }
  return members
}

/** A member as text. */
export const text = ({ key, properties, value }: RawMember): string =>
  properties === undefined ? `${key}=${value}` : `${key}=${value};${properties}`

/** A header with those of the members that it has room for. */
export const join = (members: Iterable<RawMember>): string => Array.from(members, text).filter(room()).join(",")

// all but the `baggage-octet`s of the specification, and `%`
const needsEncoding = /[^!#$&-+\--:<-[\]-~]+/gu

/** A value, percent-encoded. Half a surrogate pair becomes U+FFFD. */
export const encode = (value: string): string =>
  value.replace(needsEncoding, (text) => encodeURIComponent(text.replace(/\p{Surrogate}/gu, "\uFFFD")))

/** The value of a percent-encoded text: bytes that are no UTF-8 become U+FFFD, and a `%` that encodes nothing stays. */
export const decode = (value: string): string => {
  if (!value.includes("%")) {
    return value
  }
  try {
    return decodeURIComponent(value)
  } catch {
    return decodeBytes(value)
  }
}

const decoder = /* @__PURE__ */ new TextDecoder("utf-8", { ignoreBOM: true })

const decodeBytes = (value: string): string => {
  const bytes = new TextEncoder().encode(value)
  let length = 0
  for (let i = 0; i < bytes.length; i++) {
    const digits = bytes[i] === 0x25 ? String.fromCharCode(bytes[i + 1] ?? 0, bytes[i + 2] ?? 0) : ""
    if (/^[\da-f]{2}$/i.test(digits)) {
      bytes[length++] = Number.parseInt(digits, 16)
      i += 2
    } else {
      bytes[length++] = bytes[i]!
    }
  }
  return decoder.decode(bytes.subarray(0, length))
}
