/**
 * Whose code runs: a request's, or the kit's own. It follows the async context and the fiber, so code beside a world
 * (another test of the same file, say) is nobody's and meets the real clock.
 */
import * as internals from "../internals.js"
import type { AnyFiber } from "../internals.js"
import type { World } from "./schedule.js"

/** Whose code runs. */
export interface Owner {
  readonly world: World
  /** `undefined`: the kit. */
  readonly request: number | undefined
}

const storage = internals.makeStorage<Owner>()
const owners = new WeakMap<AnyFiber, Owner>()
let active: Owner | undefined
let present: World | undefined

/** Says which world runs from here on, and what was left of the one before belongs to. */
export const enter = (world: World): void => {
  present = world
}

// a worker that a request has started outlives its run, and is nobody's in the next one
const living = (owner: Owner | undefined): Owner | undefined => owner?.world.closed === true ? present?.kit : owner

/** Whose fiber it is: of the one who starts it. */
export const ownerOf = (fiber: AnyFiber): Owner | undefined => {
  const known = owners.get(fiber)
  if (known !== undefined) {
    return living(known)
  }
  const owner = living(storage.getStore() ?? active)
  if (owner !== undefined) {
    owners.set(fiber, owner)
  }
  return owner
}

/** Whose code runs here. */
export const currentOwner = (): Owner | undefined => {
  const fiber = internals.currentFiber()
  return (fiber === undefined ? undefined : ownerOf(fiber)) ?? living(storage.getStore() ?? active)
}

/** The world that the code which runs here belongs to. */
export const currentWorld = (): World | undefined => currentOwner()?.world

/** Runs code as someone's, and what it starts. */
export const runAs = <A>(owner: Owner, f: () => A): A => storage.run(owner, () => runStep(owner, f))

/** Runs a step that has its async context: whatever in it has none is the owner's. */
export const runStep = <A>(owner: Owner, f: () => A): A => {
  const before = active
  active = owner
  try {
    return f()
  } finally {
    active = before
  }
}
