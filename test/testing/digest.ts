/** A program that prints what one seed of the demo's handler gives: its trace, in short. */
import { createHash } from "node:crypto"
import { demo } from "./subjects.js"

const { trace } = await demo({ requests: 20, seeds: [7] })
console.log(createHash("sha256").update(trace.join("\n")).digest("hex"))
