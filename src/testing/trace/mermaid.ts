/**
 * A trace as text that draws itself where Markdown is shown (a pull request, an issue, an editor): a Mermaid sequence
 * diagram, one lane a fiber, an arrow for every fork, join and wake-up, and a leak in red.
 */
import { short } from "./event.js"
import type { TraceEvent } from "./event.js"

// what Mermaid would read as its own
const plain = (text: string): string => text.replace(/[#;:\n"<>{}]/g, (sign) => `#${sign.charCodeAt(0)};`)

const noteOf = ({ context, key, kind, other, value }: TraceEvent): string | undefined => {
  switch (kind) {
    case "attach": {
      return `attach ${Object.entries(value as object).map(([key, value]) => `${key} = ${short(value)}`).join(", ")}`
    }
    case "detach": {
      return `detach ${context}`
    }
    case "set": {
      return `${key} = ${short(value)}`
    }
    case "delete": {
      return `delete ${key}`
    }
    case "leak": {
      return `sees ${other}'s ${key} = ${short(value)}`
    }
    case "end": {
      return "ends"
    }
    default: {
      return undefined
    }
  }
}

/** Writes a trace as a Mermaid diagram. */
export const mermaidOf = (fibers: ReadonlyArray<string>, events: ReadonlyArray<TraceEvent>): string => {
  const lane = (fiber: string): string => `f${fibers.indexOf(fiber)}`
  const arrow = (from: string | undefined, sign: string, to: string, text: string): ReadonlyArray<string> =>
    from === undefined || !fibers.includes(from) ? [] : [`${lane(from)}${sign}${lane(to)}: ${text}`]
  const lines = events.flatMap((event): ReadonlyArray<string> => {
    const { fiber, kind, other } = event
    const note = noteOf(event)
    if (kind === "leak") {
      return ["rect rgb(254, 202, 202)", `note over ${lane(fiber)}: ${plain(note!)}`, "end"]
    }
    if (note !== undefined) {
      return [`note over ${lane(fiber)}: ${plain(note)}`]
    }
    switch (kind) {
      case "fork": {
        return arrow(other, "->>", fiber, "fork")
      }
      case "join": {
        return arrow(other, "-->>", fiber, "join")
      }
      case "resume": {
        return arrow(other, "-)", fiber, "wakes")
      }
      default: {
        return []
      }
    }
  })
  return [
    "sequenceDiagram",
    ...fibers.map((fiber) => `  participant ${lane(fiber)} as ${plain(fiber)}`),
    ...lines.map((line) => `  ${line}`)
  ].join("\n")
}
