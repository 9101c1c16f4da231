/**
 * What is attached to a fiber.
 */
import type { AnyFiber } from "../effect3/fiber.js"
import { servicesOfFiber, stateOf } from "../effect3/fiber.js"
import { mapRefs } from "../effect3/refs.js"
import type { Entries } from "../map/entries.js"
import { hasMap, inForce } from "../map/held.js"
import { markOf } from "../map/mark.js"
import { isRegion, type Region } from "../map/region.js"

/** The regions that a fiber is in, one a context: those of its services, and those of its maps. */
export const attachedTo = (fiber: AnyFiber): ReadonlyArray<Region> => {
  const regions = new Map<string, Region>()
  for (const service of servicesOfFiber(fiber)) {
    if (isRegion(service) && hasMap(service)) {
      regions.set(service.definition.key, service)
    }
  }
  for (const [ref, [[, value]]] of stateOf(fiber).locals) {
    const key = mapRefs.get(ref)
    const region = key === undefined ? undefined : markOf(inForce(value as Entries, regions.get(key)))?.region
    if (region?.tag !== undefined) {
      regions.set(region.definition.key, region)
    }
  }
  return Array.from(regions.values())
}
