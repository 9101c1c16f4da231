/** What a measured row says, in words and figures. */

const boundOf = ({ atMost, atLeast }, major) => {
  const limit = atMost ?? atLeast
  return typeof limit === "object" ? limit[major] : limit
}

/** A row's figures for one version of Node: the comparisons that were made, and what came of them. */
export const verdict = (row, major) => {
  const limit = boundOf(row, major)
  const { median, q1, q3 } = row.value
  const within = (value) => row.atLeast === undefined ? value <= limit : value >= limit
  const behind = row.underPeers === true
    ? Object.entries(row.peers).filter(([, { value }]) => value.median >= 1).map(([name]) => name)
    : []
  return {
    limit,
    missed: (limit !== undefined && !within(median)) || behind.length > 0,
    /** Both sides of the bound lie between the quartiles. */
    unclear: limit !== undefined && within(q1) !== within(q3),
    /** Neither side is faster, as far as this run can tell. */
    hidden: row.kind === "ratio" && q1 < 1 && q3 > 1,
    behind
  }
}

const figure = (value) => value >= 100 ? value.toFixed(0) : value >= 0.095 ? value.toFixed(2) : value.toFixed(3)

const bytes = (value) => Math.abs(value) >= 1e5 ? `${(value / 1e6).toFixed(2)} MB` : `${value.toFixed(0)} B`

const show = (row, value) => row.kind === "difference" ? bytes(value) : figure(value)

/** The value alone. */
export const medianOf = (row) => show(row, row.value.median)

/** The value with its quartiles. */
export const valueOf = (row) =>
  row.value.q1 === row.value.q3
    ? show(row, row.value.median)
    : `${show(row, row.value.median)} (${show(row, row.value.q1)} – ${show(row, row.value.q3)})`

/** An absolute figure, with its unit. */
export const amountOf = ({ unit }, value) =>
  unit === "bytes" ? bytes(value)
    : unit === "ns" ? value >= 1000 ? `${(value / 1000).toFixed(1)} µs` : `${value.toFixed(value < 10 ? 1 : 0)} ns`
    : `${value.toFixed(0)} ${unit}`

/** The bound, as the table says it. */
export const limitOf = (row, major) => {
  const limit = boundOf(row, major)
  const words = limit === undefined ? [] : [`${row.atMost === undefined ? "≥" : "≤"} ${show(row, limit)}`]
  return [...words, ...(row.underPeers === true ? ["under every peer"] : [])].join(", ")
}

/** Whether the bound holds, in words. */
export const wordsOf = (row, major) => {
  const { behind, hidden, limit, missed, unclear } = verdict(row, major)
  const outcome = limit === undefined && row.underPeers !== true ? [] : [missed ? "missed" : "met"]
  return [
    ...outcome,
    ...(behind.length > 0 ? [`slower than ${behind.join(", ")}`] : []),
    ...(unclear ? ["the spread spans the bound"] : hidden ? ["the spread hides the difference"] : [])
  ].join("; ")
}
