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
  const layer: Cell = { entries, parent: behind, writer: new WeakRef(writer), child: undefined }
  if (behind !== undefined) {
    behind.child = new WeakRef(layer)
  }
  lostWriters.register(writer, new WeakRef(layer))
  return layer
}

const isFixed = ({ writer }: Cell): boolean => writer === undefined || writer.deref() === undefined

/** Takes what is behind a cell into it, where nobody can write either any more. */
const fold = (cell: Cell | undefined): void => {
  const parent = cell?.parent
  if (cell !== undefined && parent !== undefined && isFixed(cell) && isFixed(parent)) {
    cell.entries = withBehind(cell.entries, parent)
    cell.parent = undefined
  }
}

// In a line of tasks nobody asks for what is far behind: it is folded when the collector finds that a task is gone.
const lostWriters = /* @__PURE__ */ new FinalizationRegistry<WeakRef<Cell>>((reference) => {
  const cell = reference.deref()
  fold(cell)
  fold(cell?.child?.deref())
})
