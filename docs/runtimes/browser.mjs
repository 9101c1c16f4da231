// What a browser lacks: a value of synchronous code is gone after an await, and nothing there brings it back.
let current
const run = (value, f) => {
  const before = current
  current = value
  try { return f() } finally { current = before }
}
const seen = await run("r-1", async () => {
  const first = current
  await Promise.resolve()
  return [first, current]
})
console.log(seen) // => [ "r-1", undefined ]
