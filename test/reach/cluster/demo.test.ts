/** Whether the demo notices what it is there to notice. */
import { expect, it } from "@effect/vitest"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { join } from "node:path"

it(
  "the demo of the cluster fails where the context is left off the messages, and says of whom the steps believed to be",
  async () => {
    const child = spawn(
      process.execPath,
      [
        "--import",
        "tsx",
        "--conditions=@aiocontext/source",
        join(import.meta.dirname, "../../../examples/cluster/demo.ts"),
        "--orders",
        "6",
        "--without"
      ],
      { stdio: ["ignore", "ignore", "pipe"] }
    )
    let said = ""
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      said += text
    })
    const [code] = await once(child, "exit")
    expect(code).toBe(1)
    expect(said).toContain("was for nobody's of nobody's")
  },
  600_000
)
