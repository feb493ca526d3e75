/** Two protections, one inside the other: what an inner method and the method around it bring. Knows neither. */
import type { Protection } from './exchange.ts'

/** The octets pass `inner` first when they leave. Either may be absent; datagrams need both to carry them. */
export function layeredProtection(inner?: Protection, outer?: Protection): Protection | undefined {
  if (inner === undefined || outer === undefined) return inner ?? outer
  const stream: Protection = {
    protect: octets => outer.protect(inner.protect(octets)),
    unprotect(octets) {
      const opened = outer.unprotect(octets)
      return opened instanceof Uint8Array ? inner.unprotect(opened) : opened
    },
  }
  if (!carriesDatagrams(inner) || !carriesDatagrams(outer)) return stream
  return {
    ...stream,
    protectDatagram(octets) {
      const once = inner.protectDatagram(octets)
      return once && outer.protectDatagram(once)
    },
    unprotectDatagram(octets) {
      const opened = outer.unprotectDatagram(octets)
      return opened instanceof Uint8Array ? inner.unprotectDatagram(opened) : opened
    },
  }
}

function carriesDatagrams(protection: Protection): protection is Required<Protection> {
  return protection.protectDatagram !== undefined && protection.unprotectDatagram !== undefined
}
