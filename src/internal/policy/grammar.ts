/**
 * What may stand in a header, by the grammar of HTTP.
 */

/** A `token` of RFC 9110, 5.6.2: the form of a header's name and of a baggage member's. */
export const isToken = (text: string): boolean => /^[!#$%&'*+.^_`|~\w-]+$/.test(text)

/** Visible ASCII, blanks only between: what every hop hands on as it came (RFC 9110, 5.5). */
export const isHeaderValue = (text: string): boolean => /^(?:[!-~](?:[ -~]*[!-~])?)?$/.test(text)

/** Whether a text has no half of a surrogate pair alone: those have no UTF-8. */
export const isWellFormed = (text: string): boolean => !/\p{Surrogate}/u.test(text)

const encoder = /* @__PURE__ */ new TextEncoder()

/** The length of a text in UTF-8. */
export const byteLength = (text: string): number => /[^ -~]/.test(text) ? encoder.encode(text).length : text.length
