/**
 * One key's value as text and back.
 *
 * **The law.** What is encoded decodes to the same value; what cannot be carried is left out, never cut. A schema alone
 * does not keep it (JSON has no `NaN`, and of two members of a union the first one decodes), so a value that is not
 * text already is decoded again before it is sent.
 */
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import * as AST from "effect/SchemaAST"
import { type Field, signatureOf, typeOf } from "./policy.js"

/** Entries of a context, as a plain object. */
export type Entries = { readonly [key: string]: unknown }

/** The codec of one key. */
export interface Codec {
  /** The value as text; `undefined` where it cannot be carried. Never throws. */
  readonly encode: (value: unknown) => string | undefined
  /** The key's entry, or none where the schema makes nothing of the text; `undefined` where it refuses. Never throws. */
  readonly decode: (text: string) => Entries | undefined
}

const isText = (ast: AST.AST): boolean => {
  switch (ast._tag) {
    case "StringKeyword":
    case "TemplateLiteral":
      return true
    case "Literal":
      return typeof ast.literal === "string"
    case "Enums":
      return ast.enums.every(([, value]) => typeof value === "string")
    case "Refinement":
      return isText(ast.from)
    case "Union":
      return ast.types.every(isText)
    default:
      return false
  }
}

const refuseProto = (key: string, value: unknown): unknown => {
  if (key === "__proto__") {
    // schemas of records would set the prototype of what they make
    throw new TypeError("__proto__ is no key")
  }
  return value
}

const parseJson = (text: string): unknown =>
  /__proto__|\\u/.test(text) ? JSON.parse(text, refuseProto) : JSON.parse(text)

/** Whether a value is the same one after it was JSON. One with a cycle takes all of the stack, and that is caught. */
const isJson = (value: unknown): boolean => {
  switch (typeof value) {
    case "string":
    case "boolean":
      return true
    case "number":
      return Number.isFinite(value)
    case "object":
      return value === null || (Array.isArray(value) ? Array.from(value).every(isJson) : isJsonObject(value))
    default:
      return false
  }
}

const isJsonObject = (value: object): boolean => {
  const prototype = Object.getPrototypeOf(value)
  return (prototype === Object.prototype || prototype === null) &&
    Reflect.ownKeys(value).every((key) => typeof key === "string" && key !== "__proto__" && isJson(value[key as never]))
}

/** What fails in any way gives nothing: what a schema's own functions throw, a text that is no JSON. */
const total = <A, B>(f: (input: A) => B | undefined) => (input: A): B | undefined => {
  try {
    return f(input)
  } catch {
    return undefined
  }
}

/** Makes the codec of a field: raw text where the encoded side is text, JSON for all else. */
export const make = (key: string, field: Field): Codec => {
  const schema = Schema.Struct({ [key]: field }) as unknown as Schema.Schema<Entries, Entries>
  const signature = signatureOf(field)
  const isMapped = signature?._tag === "PropertySignatureTransformation"
  const encodedKey = isMapped ? String(signature.from.fromKey ?? key) : key

  const type = typeOf(field)
  const isRaw = isText(AST.encodedAST(type))
  // whether the encoded side of a value is the value
  const isPlain = AST.typeAST(type) === type && (!isMapped || "from" in field)

  const encoder = Schema.encodeUnknownEither(schema)
  const decoder = Schema.decodeUnknownEither(schema)
  const isSame = total(Schema.equivalence<Entries, Entries, never>)(schema)

  const textOf = (encoded: unknown): string | undefined =>
    isRaw
      ? typeof encoded === "string" ? encoded : undefined
      : isJson(encoded)
      ? JSON.stringify(encoded)
      : undefined

  const decode = (text: string): Entries | undefined =>
    Either.getOrUndefined(decoder({ [encodedKey]: isRaw ? text : parseJson(text) }))

  const encode = (value: unknown): string | undefined => {
    if (isPlain && isRaw && typeof value === "string") {
      return decode(value)?.[key] === value ? value : undefined
    }
    const entries = { [key]: value }
    const text = textOf(Either.getOrUndefined(encoder(entries))?.[encodedKey])
    if (text === undefined || (isPlain && !isMapped && isJson(value))) {
      return text
    }
    const decoded = decode(text)
    return decoded && isSame?.(entries, decoded) ? text : undefined
  }

  return { encode: total(encode), decode: total(decode) }
}
