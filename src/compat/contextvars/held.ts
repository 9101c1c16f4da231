/**
 * The context that a task runs in.
 */
import * as HashMap from "effect/HashMap"
import type { Local } from "../../internal/effect3/refs.js"
import { isLeftOver, ownBeforeWrite } from "../../internal/task/access.js"
import * as locals from "../../internal/task/local.js"
import type { Runner } from "../../internal/task/task.js"
import type { ContextVar } from "./variable.js"

/** The values of variables, by variable. */
export type Bindings = HashMap.HashMap<ContextVar<unknown>, unknown>

/** What makes a context one and the same. */
export interface ContextCell {
  bindings: Bindings
  entered: boolean
}

/** The context that a task runs in. */
export interface Held {
  readonly cell: ContextCell
  /** The task's own bindings as it last knew them, for code that it leaves behind; none in a context that was given. */
  readonly moment: Bindings | undefined
  /** Whether it is the task's, still what the program had when the task started, or one that was given. */
  readonly from: "task" | "program" | "given"
  /** The context that the whole task was given: it is entered for as long as the task runs. */
  readonly whole?: ContextCell | undefined
}

export const none: Bindings = HashMap.empty()

export const makeCell = (bindings: Bindings): ContextCell => ({ bindings, entered: false })

const hold = (bindings: Bindings, from: Held["from"]): Held => ({ cell: makeCell(bindings), moment: bindings, from })

/** What a task holds that is given a context to run in. */
export const given = (cell: ContextCell): Held => ({ cell, moment: undefined, from: "given", whole: cell })

/** What code holds that enters a context. */
const entered = (cell: ContextCell, outer: Held | undefined): Held => ({
  cell,
  moment: undefined,
  from: "given",
  whole: outer?.whole
})

export const isIn = (cell: ContextCell, held: Held | undefined): boolean => held?.cell === cell || held?.whole === cell

export const current: Local<Held | undefined> = locals.makeLocal<Held | undefined>("contextvars", undefined, {
  fork: (held) => held && hold(held.cell.bindings, held.from === "program" ? "program" : "task"),
  detach: (held) => held && hold(held.moment ?? held.cell.bindings, held.from),
  inherit: (own, outer, inTask) => {
    if (own?.from === "given" || (own?.from === "task" && (outer === undefined || !inTask))) {
      return own
    }
    // not the run's own: a runtime that is built in the run takes along what it sets, and not what the run was started with
    return outer && hold(outer.cell.bindings, "program")
  },
  isInherited: (held) => held?.from === "program"
})

export const bindingsOf = (runner: Runner): Bindings => {
  const held = locals.valueIn(runner, current)
  return held === undefined
    ? none
    : held.moment !== undefined && isLeftOver(runner)
    ? held.moment
    : held.cell.bindings
}

/** The context to write to. */
export const ownOf = (runner: Runner): Held => {
  ownBeforeWrite(runner)
  return locals.valueIn(runner, current) ?? hold(none, "task")
}

export const write = (runner: Runner, held: Held, bindings: Bindings): void => {
  held.cell.bindings = bindings
  if (held.moment !== undefined) {
    locals.writeIn(runner, current, { cell: held.cell, moment: bindings, from: "task" })
  }
}

export const enter = <A>(runner: Runner, cell: ContextCell, f: () => A): A =>
  locals.runWith(runner, { local: current, value: entered(cell, locals.valueIn(runner, current)), f })
