/** Listening places as text: `127.0.0.1:1080`, `[::1]:1080`, `unix:/run/socksmith.sock`. Host names are not taken: what is opened must be plain. */
import type { Place } from '@socksmith/engine'
import { type Endpoint, formatDestination, parseIp } from '@socksmith/protocol'

export const PLACE_EXPECTED = 'expected ADDRESS:PORT such as 127.0.0.1:1080 or [::1]:1080, or unix:/path'

// sun_path holds 108 octets with its final NUL.
const UNIX_PATH_OCTETS_MAX = 107

/** The place that the text names; `undefined` when it names none. */
export function parsePlace(text: string): Place | undefined {
  if (text.startsWith('unix:')) {
    const path = text.slice('unix:'.length)
    const fits = path !== '' && !path.includes('\0') && Buffer.byteLength(path) <= UNIX_PATH_OCTETS_MAX
    return fits ? { kind: 'unix', path } : undefined
  }
  const endpoint = parseEndpoint(text)
  return endpoint && { kind: 'ip', endpoint }
}

/** `192.0.2.1:53` or `[2001:db8::1]:53`; with `defaultPort` the port, and then the brackets, may be left out. */
export function parseEndpoint(text: string, defaultPort?: number): Endpoint | undefined {
  const bare = defaultPort === undefined ? undefined : parseIp(text)
  if (bare !== undefined && defaultPort !== undefined) return { address: bare, port: defaultPort }
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+)):(0|[1-9][0-9]{0,4})$/.exec(text)
  if (match === null || Number(match[3]) > 65_535) return undefined
  const [, bracketed, plain = ''] = match
  const address = parseIp(bracketed ?? plain)
  if (address === undefined || (bracketed !== undefined) !== (address.type === 'ipv6')) return undefined
  return { address, port: Number(match[3]) }
}

/** The text that {@link parsePlace} reads. A Unix socket's nameless client end is `unix:`. */
export function formatPlace(place: Place): string {
  return place.kind === 'unix' ? `unix:${place.path}` : formatDestination(place.endpoint)
}
