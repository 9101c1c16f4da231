// Loads all of the library in a process of its own, and prints what each promise of the process has, before and after.
const promiseHas = (): ReadonlyArray<symbol> => Object.getOwnPropertySymbols(Promise.resolve())

const before = promiseHas()
await import("aiocontext")
await import("aiocontext/compat/AsyncContext")
await import("aiocontext/compat/aiolocals")
await import("aiocontext/compat/aiotask")
await import("aiocontext/compat/contextvars")
await import("aiocontext/compat/local")
await import("aiocontext/testing")
const after = promiseHas()
console.log(JSON.stringify({ before: before.map(String), after: after.map(String) }))
