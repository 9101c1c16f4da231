/**
 * A trace as a picture: one lane a fiber, time from left to right, an arrow for every fork, join and wake-up.
 *
 * The drawing is Apache ECharts' (an optional peer dependency), which makes an SVG without a browser.
 */
import { short } from "./event.js"
import type { TraceEvent } from "./event.js"

interface Segment {
  readonly coords: ReadonlyArray<readonly [number, number]>
}

interface Point {
  readonly value: readonly [number, number]
  readonly label: object
  readonly itemStyle?: object
}

interface Drawing {
  readonly lives: Array<Segment>
  readonly slices: Array<Segment>
  readonly forks: Array<Segment>
  readonly joins: Array<Segment>
  readonly wakes: Array<Segment>
  readonly points: Array<Point>
  readonly names: Array<Point>
}

const colours = {
  fork: "#2563eb",
  join: "#7c3aed",
  wake: "#d97706",
  slice: "#0f766e",
  life: "#cbd5e1",
  leak: "#dc2626",
  text: "#0f172a"
}

const column = 64
const lane = 88

const labelOf = ({ key, kind, other, value }: TraceEvent): string | undefined => {
  switch (kind) {
    case "attach": {
      return `attach ${Object.entries(value as object).map(([key, value]) => `${key} = ${short(value)}`).join("\n")}`
    }
    case "detach": {
      return "detach"
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
    default: {
      return undefined
    }
  }
}

const layOut = (fibers: ReadonlyArray<string>, events: ReadonlyArray<TraceEvent>): Drawing => {
  const drawing: Drawing = { lives: [], slices: [], forks: [], joins: [], wakes: [], points: [], names: [] }
  const births = new Map<string, number>()
  const running = new Map<string, number>()
  const row = (fiber: string) => fibers.indexOf(fiber)
  const stop = (fiber: string, at: number) => {
    const from = running.get(fiber)
    if (from !== undefined) {
      drawing.slices.push({ coords: [[from, row(fiber)], [at, row(fiber)]] })
      running.delete(fiber)
    }
  }
  const labelled = new Map<number, number>()
  events.forEach((event, at) => {
    const { fiber, kind, other } = event
    const arrow = (from: string, to: string): Segment => ({ coords: [[at, row(from)], [at, row(to)]] })
    if (!births.has(fiber)) {
      births.set(fiber, at)
      drawing.names.push({ value: [at, row(fiber)], label: { formatter: fiber } })
      if (kind !== "fork") {
        running.set(fiber, at)
      }
    }
    if (kind === "fork" && other !== undefined) {
      drawing.forks.push(arrow(other, fiber))
    } else if (kind === "join") {
      drawing.joins.push(arrow(other!, fiber))
    } else if (kind === "resume") {
      running.set(fiber, at)
      if (other !== undefined) {
        drawing.wakes.push(arrow(other, fiber))
      }
    } else if (kind === "suspend") {
      stop(fiber, at)
    } else if (kind === "end") {
      stop(fiber, at)
      drawing.lives.push({ coords: [[births.get(fiber)!, row(fiber)], [at, row(fiber)]] })
      births.delete(fiber)
    }
    const label = labelOf(event)
    if (label !== undefined) {
      // neighbours in a lane take turns above and below it
      const turn = (labelled.get(row(fiber)) ?? 0) + 1
      labelled.set(row(fiber), turn)
      drawing.points.push({
        value: [at, row(fiber)],
        label: {
          formatter: label,
          position: turn % 2 === 1 ? "top" : "bottom",
          ...(kind === "leak" ? { color: "#ffffff", backgroundColor: colours.leak } : {})
        },
        ...(kind === "leak" ? { itemStyle: { color: colours.leak } } : {})
      })
    }
  })
  for (const [fiber, from] of births) {
    stop(fiber, events.length)
    drawing.lives.push({ coords: [[from, row(fiber)], [events.length, row(fiber)]] })
  }
  return drawing
}

const lines = (name: string, data: ReadonlyArray<Segment>, color: string, width: number, arrows: boolean): object => ({
  type: "lines",
  name,
  coordinateSystem: "cartesian2d",
  symbol: arrows ? ["none", "arrow"] : "none",
  symbolSize: 9,
  silent: true,
  itemStyle: { color },
  lineStyle: { color, width, opacity: 1, type: name === "wake" ? "dashed" : "solid" },
  data
})

interface Charts {
  readonly init: (
    element: null,
    theme: null,
    options: { readonly renderer: "svg"; readonly ssr: true; readonly width: number; readonly height: number }
  ) => {
    readonly setOption: (option: object) => void
    readonly renderToSVGString: () => string
    readonly dispose: () => void
  }
}

const load = async (): Promise<Charts> => {
  // a name that no bundler follows: the package is optional
  const name: string = "echarts"
  try {
    return await import(name) as Charts
  } catch (cause) {
    throw new Error("trace.picture() draws with the package echarts, which is not installed: npm i -D echarts", {
      cause
    })
  }
}

/** Draws a trace. */
export const draw = async (fibers: ReadonlyArray<string>, events: ReadonlyArray<TraceEvent>): Promise<string> => {
  const charts = await load()
  const { forks, joins, lives, names, points, slices, wakes } = layOut(fibers, events)
  const chart = charts.init(null, null, {
    renderer: "svg",
    ssr: true,
    width: 300 + column * Math.max(events.length, 6),
    height: 110 + lane * fibers.length
  })
  chart.setOption({
    animation: false,
    backgroundColor: "#ffffff",
    textStyle: { fontFamily: "sans-serif", color: colours.text },
    legend: { top: 12, left: 24, data: ["runs", "fork", "wake", "join"], itemWidth: 22 },
    grid: { left: 150, right: 150, top: 84, bottom: 16 },
    xAxis: { type: "value", min: 0, max: events.length, show: false },
    yAxis: {
      type: "category",
      inverse: true,
      data: fibers,
      axisLine: { show: false },
      axisTick: { show: false },
      axisLabel: { show: false }
    },
    series: [
      lines("life", lives, colours.life, 2, false),
      lines("runs", slices, colours.slice, 7, false),
      lines("fork", forks, colours.fork, 2, true),
      lines("wake", wakes, colours.wake, 2, true),
      lines("join", joins, colours.join, 2, true),
      {
        // where a fiber starts, which in a long run is far from the left edge
        type: "scatter",
        name: "names",
        symbolSize: 0,
        label: {
          show: true,
          position: "left",
          distance: 10,
          fontSize: 13,
          fontWeight: "bold",
          color: colours.text
        },
        data: names
      },
      {
        type: "scatter",
        name: "values",
        symbolSize: 11,
        itemStyle: { color: "#ffffff", opacity: 1, borderColor: colours.text, borderWidth: 2 },
        label: {
          show: true,
          distance: 8,
          fontSize: 11,
          color: colours.text,
          backgroundColor: "#f8fafc",
          borderColor: colours.life,
          borderWidth: 1,
          borderRadius: 3,
          padding: [3, 5]
        },
        data: points
      }
    ]
  })
  const svg = chart.renderToSVGString()
  chart.dispose()
  return svg
}
