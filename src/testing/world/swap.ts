/** Gives an object other members, as if they had been its own. */
export const swap = (target: object, members: object): void => {
  for (const [name, value] of Object.entries(members)) {
    Object.defineProperty(target, name, { value, configurable: true, enumerable: true, writable: true })
  }
}
