/** The other end of the HTTP rows: sends requests to a port of this machine when it is told to. */
import autocannon from "autocannon"

process.on("message", async ({ port, amount, connections }) => {
  const start = performance.now()
  const { errors, non2xx } = await autocannon({
    url: `http://127.0.0.1:${port}/users`,
    headers: { "x-request-id": "r-1" },
    connections,
    amount,
    sampleInt: 10
  })
  process.send({ failed: errors + non2xx, perSecond: amount * 1000 / (performance.now() - start) })
})
