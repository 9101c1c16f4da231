/**
 * `chain`: a child's own entries, and its parent's current ones behind them.
 *
 * Each task that writes has a layer of its own: a cell that its children read. A task that has not written reads its
 * parent's. What nobody can write any more is folded into one cell, so that a line of tasks keeps what it can still read.
 */
import * as HashMap from "effect/HashMap"
import * as Option from "effect/Option"
import type { Entries } from "./entries.js"
import { lookup } from "./entries.js"
import type { Cell } from "./region.js"

/** An entry of the maps behind a task's own. */
export const lookupBehind = (behind: Cell | undefined, key: string): Option.Option<unknown> => {
  for (let cell = behind; cell !== undefined; cell = cell.parent) {
    const found = lookup(cell.entries, key)
    if (Option.isSome(found)) {
      return found
    }
  }
  return Option.none()
}

/** A task's own entries, with those behind them. O(n) where something is behind. */
export const withBehind = (own: Entries, behind: Cell | undefined): Entries => {
  let all = own
  for (let cell = behind; cell !== undefined; cell = cell.parent) {
    all = HashMap.union(cell.entries, all)
  }
  return all
}

/** A layer for a task that is about to write. `writer` is what lives for as long as the task can write. */
export const makeLayer = (entries: Entries, behind: Cell | undefined, writer: object): Cell => ({
  entries,
  parent: folded(behind),
  writer: new WeakRef(writer)
})

const isFixed = ({ writer }: Cell): boolean => writer === undefined || writer.deref() === undefined

// Folding copies entries, so it waits until it gets rid of several layers at once.
const enough = 8

const folded = (behind: Cell | undefined): Cell | undefined => {
  const layers: Array<Cell> = []
  for (let cell = behind; cell !== undefined; cell = cell.parent) {
    layers.push(cell)
  }
  const moving = layers.findLastIndex((cell) => !isFixed(cell)) + 1
  if (layers.length - moving < enough) {
    return behind
  }
  const fixed: Cell = { entries: withBehind(HashMap.empty(), layers[moving]), parent: undefined, writer: undefined }
  // what may still change stays in front: the layers themselves are read by others, and now have less behind them
  const last = layers[moving - 1]
  if (last === undefined) {
    return fixed
  }
  ;(last as { parent: Cell | undefined }).parent = fixed
  return behind
}
