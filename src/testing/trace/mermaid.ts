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
      return ["attach", ...Object.entries(value as object).map(([key, value]) => `${key} = ${short(value)}`)]
        .map(plain).join("<br/>")
    }
    case "detach": {
      return `detach ${plain(context!)}`
    }
    case "set": {
      return plain(`${key} = ${short(value)}`)
    }
    case "delete": {
      return plain(`delete ${key}`)
    }
    case "leak": {
      return plain(`sees ${other}'s ${key} = ${short(value)}`)
    }
    case "end": {
      return "ends"
    }
    default: {
      return undefined
    }
  }
}

/** Writes a trace as a Mermaid diagram: a lane is thick while its fiber runs. */
export const mermaidOf = (fibers: ReadonlyArray<string>, events: ReadonlyArray<TraceEvent>): string => {
  const running = new Set<string>()
  const lane = (fiber: string): string => `f${fibers.indexOf(fiber)}`
  const arrow = (from: string | undefined, sign: string, to: string, text: string): ReadonlyArray<string> =>
    from === undefined || !fibers.includes(from) ? [] : [`${lane(from)}${sign}${lane(to)}: ${text}`]
  const start = (fiber: string): ReadonlyArray<string> => {
    const before = running.has(fiber)
    running.add(fiber)
    return before ? [] : [`activate ${lane(fiber)}`]
  }
  const stop = (fiber: string): ReadonlyArray<string> => running.delete(fiber) ? [`deactivate ${lane(fiber)}`] : []
  const linesOf = (event: TraceEvent): ReadonlyArray<string> => {
    const { fiber, kind, other } = event
    const note = noteOf(event)
    const noted = note === undefined ? [] : [`note over ${lane(fiber)}: ${note}`]
    switch (kind) {
      case "fork": {
        return arrow(other, "->>", fiber, "fork")
      }
      case "join": {
        return arrow(other, "-->>", fiber, "join")
      }
      case "resume": {
        return [...arrow(other, "-)", fiber, "wakes"), ...start(fiber)]
      }
      case "suspend": {
        return stop(fiber)
      }
      case "end": {
        return [...stop(fiber), ...noted]
      }
      case "leak": {
        return ["rect rgb(254, 202, 202)", ...noted, "end"]
      }
      default: {
        return [...start(fiber), ...noted]
      }
    }
  }
  const lines = [...events.flatMap(linesOf), ...Array.from(running).flatMap(stop)]
  return [
    "sequenceDiagram",
    ...fibers.map((fiber) => `  participant ${lane(fiber)} as ${plain(fiber)}`),
    ...lines.map((line) => `  ${line}`)
  ].join("\n")
}
