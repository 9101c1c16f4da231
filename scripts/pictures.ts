/**
 * Draws docs/guide/pictures/*.dot, each into an SVG beside it. The SVGs are committed: a reader of the pages needs no
 * build.
 */
import { instance } from "@viz-js/viz"
import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

const folder = fileURLToPath(new URL("../docs/guide/pictures/", import.meta.url))
const viz = await instance()

for (const name of readdirSync(folder).filter((name) => name.endsWith(".dot"))) {
  const svg = viz.renderString(readFileSync(folder + name, "utf8"), {
    format: "svg",
    graphAttributes: { bgcolor: "white", pad: 0.2, nodesep: 0.5, ranksep: 0.5, fontname: "Helvetica" },
    nodeAttributes: { shape: "plain", fontname: "Helvetica", fontsize: 13 },
    edgeAttributes: { fontname: "Helvetica", fontsize: 12, color: "#555555", fontcolor: "#333333" }
  })
  writeFileSync(folder + name.replace(/\.dot$/, ".svg"), svg)
}
