/**
 * What a context's definition must not say: found where the class is defined, with the key and the cure.
 */
import { DefinitionError } from "../../errors.js"
import { isToken } from "./grammar.js"
import type { Fields } from "./plan.js"
import { type AnyPolicy, type Field, isOptional, policyOf } from "./policy.js"
import { isSecret } from "./secret.js"

/** Headers that mean something to somebody else: tracing, routing, connections, bodies, credentials. */
const reserved = new RegExp(
  `^(?:${
    [
      "traceparent",
      "tracestate",
      "b3",
      "x-b3-.*",
      "baggage",
      "host",
      "connection",
      "keep-alive",
      "proxy-.*",
      "te",
      "trailer",
      "transfer-encoding",
      "upgrade",
      "content-.*",
      "expect",
      "cookie",
      "set-cookie",
      "authorization"
    ].join("|")
  })$`
)

const headerProblem = (name: string): string | undefined =>
  !isToken(name) || /[A-Z_]/.test(name)
    ? `its header ${JSON.stringify(name)} is not lower-case letters, digits and dashes. Write it as "x-request-id".`
    : reserved.test(name)
    ? `the header "${name}" is not a context's to set. Take a name of your own, as "x-${name}".`
    : undefined

const problemOf = (key: string, field: Field, policy: AnyPolicy): string | undefined => {
  const { baggage, fork, header } = policy
  if (key === "__proto__") {
    return `it is no name for a key. Take another one.`
  }
  if (header !== undefined && baggage !== undefined) {
    return `it has a header and a baggage name. Keep one of them.`
  }
  if ((header ?? baggage) !== undefined && isSecret(field, policy)) {
    return `a secret never leaves the process (Schema.Redacted encodes to the plain value). Take its wire name away.`
  }
  if (baggage !== undefined && !isToken(baggage)) {
    return `its baggage name ${JSON.stringify(baggage)} is no token: letters, digits and !#$%&'*+.^_\`|~- only.`
  }
  if (fork === "drop" && !isOptional(field)) {
    return `fork: "drop" would take a key that must be there. Make it optional, or fork with a function.`
  }
  return header === undefined ? undefined : headerProblem(header)
}

const nameOf = ({ baggage, header }: AnyPolicy): string | undefined =>
  header !== undefined ? `header "${header}"` : baggage !== undefined ? `baggage name "${baggage}"` : undefined

/** Throws a {@link DefinitionError} where a context must not be as its fields say. */
export const check = (context: string, fields: Fields): void => {
  const keys = new Map<string, string>()
  for (const [key, field] of Object.entries(fields)) {
    const policy = policyOf(field)
    const name = nameOf(policy)
    const other = name && keys.get(name)
    const problem = other
      ? `its ${name} is that of the key ${JSON.stringify(other)} too. Give each a name of its own.`
      : problemOf(key, field, policy)
    if (problem !== undefined) {
      throw new DefinitionError({ context, key, problem })
    }
    if (name !== undefined) {
      keys.set(name, key)
    }
  }
}
