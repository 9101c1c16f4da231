/**
 * Runs the isolation test on everything of ours that is concurrent: 1,000 seeds in a row, or as many as the first argument
 * says; further arguments pick the subjects whose name contains one. Fails on the first finding.
 */
import Table from "cli-table3"
import { demo, subjects } from "../test/testing/subjects.js"

const [seeds = "1000", ...picked] = process.argv.slice(2)

const table = new Table({ head: ["subject", "seeds", "requests", "steps", "seconds"], style: { head: [], border: [] } })

const measure = async (name: string, test: () => ReturnType<typeof demo>): Promise<void> => {
  const start = performance.now()
  const report = await test()
  const seconds = ((performance.now() - start) / 1000).toFixed(1)
  table.push([name, report.seeds.length, report.requests, report.steps, seconds])
  console.log(`${name}: ${report.seeds.length} seeds passed in ${seconds} seconds`)
}

for (const [name, subject] of Object.entries(subjects)) {
  if (picked.length === 0 || picked.some((part) => name.includes(part))) {
    await measure(name, () => subject({ requests: 6, seeds: Number(seeds) }))
  }
}
if (picked.length === 0) {
  await measure("the demo's handler, 200 requests", () => demo({ requests: 200, seeds: [1] }))
}
console.log(table.toString())
