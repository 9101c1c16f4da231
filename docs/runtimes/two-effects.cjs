// A CommonJS program and an ES module have two copies of Effect, with classes of their own.
const { Supervisor } = require("effect")
import("effect").then((imported) => {
  console.log(imported.Supervisor.AbstractSupervisor === Supervisor.AbstractSupervisor) // => false
  console.log(imported.FiberRef.currentSupervisor === require("effect").FiberRef.currentSupervisor) // => false
})
