/** The proxies of a route in words: URLs without user names and passwords. */
import type { AppliedRoute } from './choose.ts'

/** All that it may go by, in the order in which they were written. */
export function labelsOf(route: AppliedRoute): readonly string[] {
  switch (route.kind) {
    case 'direct':
    case 'block':
      return []
    case 'proxy':
      return [route.hop.label]
    case 'chain':
      return route.links.flatMap(labelsOf)
    case 'pool':
      return route.members.flatMap(labelsOf)
  }
}
