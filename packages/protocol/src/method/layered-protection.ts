/** Two protections, one inside the other: what an inner method and the method around it bring. Knows neither. */
import type { Protection } from './exchange.ts'

/** The octets pass `inner` first when they leave. Either may be absent; datagrams need both. */
export function layeredProtection(inner?: Protection, outer?: Protection): Protection | undefined {
  if (inner === undefined || outer === undefined) return inner ?? outer
  const stream: Protection = {
    protect: octets => outer.protect(inner.protect(octets)),
    unprotect(octets) {
      const opened = outer.unprotect(octets)
      return opened instanceof Uint8Array ? inner.unprotect(opened) : opened
    },
  }
  const { protectDatagram: protectInner, unprotectDatagram: unprotectInner } = inner
  const { protectDatagram: protectOuter, unprotectDatagram: unprotectOuter } = outer
  if (!protectInner || !unprotectInner || !protectOuter || !unprotectOuter) return stream
  return {
    ...stream,
    protectDatagram(octets) {
      const once = protectInner.call(inner, octets)
      return once && protectOuter.call(outer, once)
    },
    unprotectDatagram(octets) {
      const opened = unprotectOuter.call(outer, octets)
      return opened instanceof Uint8Array ? unprotectInner.call(inner, opened) : opened
    },
  }
}
