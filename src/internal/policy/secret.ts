/**
 * Which keys hold a secret.
 */
import * as AST from "effect/SchemaAST"
import { type AnyPolicy, type Field, typeOf } from "./policy.js"

/** Whether a schema holds a secret, at any depth. */
const isRedacted = (ast: AST.AST, seen: Set<AST.AST> = new Set()): boolean => {
  if (seen.has(ast)) {
    return false
  }
  seen.add(ast)
  const within = (types: ReadonlyArray<AST.AST>): boolean => types.some((type) => isRedacted(type, seen))
  switch (ast._tag) {
    case "Declaration":
      return AST.getTypeConstructorAnnotation(ast).pipe((found) =>
        found._tag === "Some" && found.value._tag === "effect/Redacted"
      ) || within(ast.typeParameters)
    case "Refinement":
      return within([ast.from])
    case "Transformation":
      return within([ast.from, ast.to])
    case "Union":
      return within(ast.types)
    case "TupleType":
      return within([...ast.elements, ...ast.rest].map(({ type }) => type))
    case "TypeLiteral":
      return within([...ast.propertySignatures, ...ast.indexSignatures].map(({ type }) => type))
    case "Suspend":
      return within([ast.f()])
    default:
      return false
  }
}

/** Whether a key's value must be shown nowhere. */
export const isSecret = (field: Field, policy: AnyPolicy): boolean =>
  policy.secret === true || isRedacted(typeOf(field))
