/** Targets as text: `example.com:443`, `192.0.2.7:22`, `[2001:db8::1]:22`. Resolves nothing. */

export interface Target {
  readonly host: string
  readonly port: number
}

export const TARGET_EXPECTED = 'expected HOST:PORT such as example.com:443 or [2001:db8::1]:22'

/** The target that the text names; `undefined` when it names none. The host is checked where it is used. */
export function parseTarget(text: string): Target | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+)):([0-9]{1,5})$/.exec(text)
  const port = parsePort(match?.[3])
  const host = match?.[1] ?? match?.[2]
  return host === undefined || port === undefined ? undefined : { host, port }
}

/** A port, 1 to 65535. */
export function parsePort(text: string | undefined): number | undefined {
  if (text === undefined || !/^[1-9][0-9]{0,4}$/.test(text)) return undefined
  const port = Number(text)
  return port <= 65_535 ? port : undefined
}

/** The text of a target, with brackets where they belong. */
export function formatTarget({ host, port }: Target): string {
  return host.includes(':') && !host.startsWith('[') ? `[${host}]:${port}` : `${host}:${port}`
}
