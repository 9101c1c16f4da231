import { context } from "../app-context.js"

/** A logger as old as the code base: it works with or without a request. */
export interface Line {
  readonly id: string
  readonly message: string
}

const listeners = new Set<(line: Line) => void>()

export const onLine = (listener: (line: Line) => void): void => {
  listeners.add(listener)
}

export const emit = (line: Line): void => {
  for (const listener of listeners) {
    listener(line)
  }
}

export const log = (message: string): void => emit({ id: context.peek("request_id", "-"), message })
