/** The ratios as bars, Node by Node. */
import * as vega from "vega"
import { compile } from "vega-lite"

const shortened = (text) => text.replaceAll("`", "")

/** An SVG of the rows that are ratios. One is as fast as the peer. */
export const drawChart = ({ nodes }) => {
  const values = Object.entries(nodes).flatMap(([major, { suites }]) =>
    Object.values(suites).flat().filter(({ kind, unit }) => kind === "ratio" && unit === "ns").map((row) => ({
      row: `${shortened(row.what)} / ${shortened(row.against)}`,
      node: `Node ${major}`,
      ratio: row.value.median,
      low: row.value.q1,
      high: row.value.q3
    }))
  )
  const y = { field: "row", type: "nominal", sort: null, title: null, axis: { labelLimit: 560 } }
  const yOffset = { field: "node" }
  const scale = { type: "log", domainMin: 0.002 }
  const { spec } = compile({
    $schema: "https://vega.github.io/schema/vega-lite/v5.json",
    title: "Time taken, by what a user would pick instead (left of the line is faster)",
    width: 420,
    height: { step: 11 },
    background: "white",
    data: { values },
    layer: [
      {
        mark: { type: "bar" },
        encoding: {
          y,
          yOffset,
          x: { field: "ratio", type: "quantitative", scale, title: "ratio, median of the rounds" },
          x2: { datum: 1 },
          color: { field: "node", title: null, scale: { range: ["#4c78a8", "#9ecae9"] } }
        }
      },
      {
        mark: { type: "rule", color: "#333" },
        encoding: { y, yOffset, x: { field: "low", type: "quantitative", scale }, x2: { field: "high" } }
      },
      { mark: { type: "rule", color: "#d62728" }, encoding: { x: { datum: 1 } } }
    ]
  })
  return new vega.View(vega.parse(spec), { renderer: "none" }).toSVG()
}
