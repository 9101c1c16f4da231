/**
 * What a trace is made of, and how it reads.
 */

/**
 * One thing that happened.
 *
 * @since 1.0.0
 * @category models
 */
export interface TraceEvent {
  readonly kind: "fork" | "end" | "suspend" | "resume" | "join" | "attach" | "detach" | "set" | "delete" | "leak"
  /** The fiber that it happened to. */
  readonly fiber: string
  /** The parent of a fork, the waker of a resume, the child of a join, the request whose value a leak shows. */
  readonly other?: string
  readonly context?: string
  readonly key?: string
  readonly value?: unknown
}

/** A value, short enough for a line. */
export const short = (value: unknown): string => {
  const text = typeof value === "string" ? value : JSON.stringify(value) ?? String(value)
  return text.length > 40 ? `${text.slice(0, 39)}…` : text
}

/** An event, as a line. */
export const lineOf = ({ context, fiber, key, kind, other, value }: TraceEvent): string => {
  switch (kind) {
    case "fork": {
      return `${fiber} starts${other === undefined ? "" : `, forked by ${other}`}`
    }
    case "resume": {
      return `${fiber} goes on${other === undefined ? "" : `, woken by ${other}`}`
    }
    case "join": {
      return `${fiber} joins ${other}`
    }
    case "attach": {
      return `${fiber} attaches ${context} ${short(value)}`
    }
    case "detach": {
      return `${fiber} detaches ${context}`
    }
    case "set": {
      return `${fiber} sets ${context} ${key} = ${short(value)}`
    }
    case "delete": {
      return `${fiber} deletes ${context} ${key}`
    }
    case "leak": {
      return `${fiber} sees ${other}'s ${key} = ${short(value)}`
    }
    case "suspend": {
      return `${fiber} suspends`
    }
    case "end": {
      return `${fiber} ends`
    }
  }
}
