/**
 * A key's policy, and where it is found: an annotation of the key's schema or of its property signature.
 */
import * as Schema from "effect/Schema"
import * as AST from "effect/SchemaAST"

/**
 * How far one trusts the other side of a boundary: a `"trusted"` peer is one's own, `"public"` is anybody.
 *
 * @category models
 * @since 1.0.0
 */
export type Trust = "trusted" | "public"

/**
 * How a key behaves: where its value may go and come from, where it is shown, what forks and joins make of it. A key
 * without a `header` or `baggage` never leaves the process.
 *
 * @category models
 * @since 1.0.0
 */
export interface Policy<A> {
  /** The header that carries the value: lower case, and of HTTP's visible ASCII only. */
  readonly header?: string
  /** The member of the W3C `baggage` header that carries the value, in any characters. */
  readonly baggage?: string
  /** Who may set the key from outside. Default: `"trusted"`. */
  readonly in?: Trust | false
  /** Who is sent the key. Default: `"trusted"`. */
  readonly out?: Trust | false
  /** The most bytes of the value as it stands on the wire; a longer one does not travel. Default: 256, baggage 1024. */
  readonly maxBytes?: number
  /** Never on a log line or a span; with a wire name, a definition error. */
  readonly secret?: boolean
  /** Whether log lines carry the key, and under which name. */
  readonly log?: boolean | string
  /** Whether spans carry the key, and under which name. */
  readonly span?: boolean | string
  /** What a child starts with, after the context's own fork: the value, none, a `structuredClone`, or what `f` gives. */
  readonly fork?: "copy" | "drop" | "deepCopy" | ((value: A) => A)
  /**
   * What a join makes of a child's change: nothing; the child's value, or its deletion; or what `f` gives, which is not
   * asked about a deletion. Goes before the context's `join`.
   */
  readonly join?: "isolate" | "child" | ((parent: A | undefined, child: A) => A)
}

/** A key's policy, whatever the type of its value. */
export type AnyPolicy = Policy<any>

/** What may be a field of a context: a schema, or a property signature, that needs no services. */
export type Field = Schema.Struct.Field

const PolicyId: unique symbol = Symbol.for("aiocontext/ContextSchema/policy")

type Annotated = Schema.Schema.All & Schema.PropertySignature.All

/** A schema or property signature with a policy. */
export const annotate = <S>(self: S, policy: AnyPolicy): S =>
  // both kinds have the method, and keep what they are
  (self as Annotated).annotations({ [PolicyId]: policy }) as S

const inAnnotations = ({ annotations }: AST.Annotated): AnyPolicy | undefined =>
  annotations[PolicyId] as AnyPolicy | undefined

const inType = (ast: AST.AST): AnyPolicy | undefined =>
  inAnnotations(ast) ?? (ast._tag === "Refinement" ? inType(ast.from) : undefined)

const isNullish = (ast: AST.AST): boolean =>
  ast._tag === "UndefinedKeyword" || (ast._tag === "Literal" && ast.literal === null)

const present = (ast: AST.AST): AST.AST => {
  const types = ast._tag === "Union" ? ast.types.filter((type) => !isNullish(type)) : [ast]
  return types.length === 0 ? ast : AST.Union.make(types)
}

/** The field as a property signature's AST, if it is one. */
export const signatureOf = (field: Field): Schema.PropertySignature.AST | undefined =>
  Schema.isPropertySignature(field) ? field.ast : undefined

/** The schema inside a field, which `optional` and its like wrap. */
export const typeOf = (field: Field): AST.AST => {
  const signature = signatureOf(field)
  if (!signature) {
    return field.ast as AST.AST
  }
  const { from } = field as { readonly from?: Schema.Schema.All }
  return from?.ast ?? present(signature._tag === "PropertySignatureDeclaration" ? signature.type : signature.from.type)
}

/** The policy of a field: the outermost of those that are in it. */
export const policyOf = (field: Field): AnyPolicy => {
  const signature = signatureOf(field)
  const outer = signature && inAnnotations(signature._tag === "PropertySignatureDeclaration" ? signature : signature.to)
  return outer ?? inType(typeOf(field)) ?? {}
}

/** Whether a map may lack the field. */
export const isOptional = (field: Field): boolean => {
  const signature = signatureOf(field)
  return signature !== undefined &&
    (signature._tag === "PropertySignatureDeclaration" ? signature : signature.to).isOptional
}

/** Whether a seed may lack the field, because there is a value for it. */
export const hasDefault = (field: Field): boolean => {
  const signature = signatureOf(field)
  return signature !== undefined &&
    (signature._tag === "PropertySignatureDeclaration" ? signature : signature.to).defaultValue !== undefined
}
