/** Which header fields go through a proxy, and which end at it (RFC 9110 section 7.6.1). */

const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/** The fields to pass on, as Node's flat list of names and values; `also` are further lower-case names to leave out. */
export function endToEndFields(raw: readonly string[], also: readonly string[]): string[] {
  const dropped = new Set([...HOP_BY_HOP, ...also, ...namedByConnection(raw)])
  const kept: string[] = []
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const [name, value] = [raw[i] as string, raw[i + 1] as string]
    if (!dropped.has(name.toLowerCase())) kept.push(name, value)
  }
  return kept
}

// Connection names further fields that are meant for the next hop only.
function namedByConnection(raw: readonly string[]): string[] {
  const names: string[] = []
  for (let i = 0; i + 1 < raw.length; i += 2) {
    if (raw[i]?.toLowerCase() !== 'connection') continue
    names.push(...(raw[i + 1] as string).split(',').map(name => name.trim().toLowerCase()))
  }
  return names
}
