/**
 * The `baggage` header of the W3C: name and value pairs that go with a request from service to service.
 *
 * White space is optional everywhere. A value may have `=` in it, and may be empty. A name is taken as it stands, case
 * and `%` included. Properties are kept as they came. Several headers count as one. What is no member is skipped, so
 * that one bad member does not cost the others; of members with one name the last counts. Nothing here throws, and
 * every function takes time that is linear in its input.
 *
 * @see https://www.w3.org/TR/baggage/
 *
 * @module
 * @since 1.0.0
 */
import { isToken } from "./internal/policy/grammar.js"
import * as members from "./internal/policy/members.js"

/**
 * A member of a baggage header.
 *
 * @category models
 * @since 1.0.0
 */
export interface Member {
  /** A token of HTTP; `User` and `user` are two. */
  readonly key: string
  /** Decoded: any text. */
  readonly value: string
  /** What the header has after the member's first `;`, as it stands there. */
  readonly properties?: string
}

/**
 * The most members of a header: 180. More are left out.
 *
 * @category options
 * @since 1.0.0
 */
export const maxMembers: number = members.maxMembers

/**
 * The most bytes of a header, commas included: 8192. A member that does not fit is left out whole.
 *
 * @category options
 * @since 1.0.0
 */
export const maxBytes: number = members.maxBytes

/**
 * The members of a header, or of several. Bytes that are no UTF-8 become U+FFFD, a `%` that encodes nothing is kept.
 *
 * @example
 * ```ts
 * import * as Baggage from "aiocontext/Baggage"
 *
 * console.log(Baggage.parse("tenant=a%20b ; ttl=5, locale = en"))
 * // => [
 * // =>   { key: 'tenant', value: 'a b', properties: ' ttl=5' },
 * // =>   { key: 'locale', value: 'en' }
 * // => ]
 * ```
 *
 * @category decoding
 * @since 1.0.0
 */
export const parse = (header: string | ReadonlyArray<string>): ReadonlyArray<Member> =>
  Array.from(members.split(header).values(), (member) => ({ ...member, value: members.decode(member.value) }))

/**
 * A header with these members, values percent-encoded. A member whose name is no token is left out, and so are
 * properties that would break the header; half a surrogate pair becomes U+FFFD.
 *
 * @example
 * ```ts
 * import * as Baggage from "aiocontext/Baggage"
 *
 * console.log(Baggage.format([{ key: "tenant", value: "a b" }, { key: "locale", value: "en" }]))
 * // => tenant=a%20b,locale=en
 * ```
 *
 * @category encoding
 * @since 1.0.0
 */
export const format = (list: Iterable<Member>): string =>
  members.join(Array.from(list).filter(({ key }) => isToken(key)).map(onWire))

const onWire = ({ key, properties, value }: Member): members.RawMember => {
  const member = { key, value: members.encode(value) }
  return properties !== undefined && /^[\t -+\--~]*$/.test(properties) ? { ...member, properties } : member
}
