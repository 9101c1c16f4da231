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

/** A layer for a task. `writer` is what lives for as long as the task can write. */
export const makeLayer = (entries: Entries, behind: Cell | undefined, writer: object): Cell => {
  const parent = folded(behind)
  return { entries, parent, writer: new WeakRef(writer), depth: parent === undefined ? 0 : parent.depth + 1 }
}

const isFixed = ({ writer }: Cell): boolean => writer === undefined || writer.deref() === undefined

const enough = 8

/** What is behind a new layer, with those cells in one that nobody can write any more. */
const folded = (behind: Cell | undefined): Cell | undefined => {
  // at 8, 16, 32, and so on: the work grows no faster than what there is to look at
  const depth = behind === undefined ? 0 : behind.depth + 1
  if (behind === undefined || depth < enough || (depth & (depth - 1)) !== 0) {
    return behind
  }
  const cells: Array<Cell> = []
  for (let cell: Cell | undefined = behind; cell !== undefined; cell = cell.parent) {
    cells.push(cell)
  }
  const last = cells.findLastIndex((cell) => !isFixed(cell)) + 1
  if (last === cells.length) {
    return behind
  }
  const fixed: Cell = {
    entries: withBehind(HashMap.empty(), cells[last]),
    parent: undefined,
    writer: undefined,
    depth: 0
  }
  if (last === 0) {
    return fixed
  } // what may still change stays in front: others read it too, and now have less behind it

  ;(cells[last - 1] as { parent: Cell | undefined }).parent = fixed
  ;(behind as { depth: number }).depth = last
  return behind
}
