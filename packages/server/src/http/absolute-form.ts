/** The request target of a request to a proxy (RFC 9112 section 3.2.2): `http://host[:port]/path?query`. */
import { type Destination, checkNameText, parseIp } from '@socksmith/protocol'

export interface AbsoluteTarget {
  readonly destination: Destination
  /** For the Host field: as the client wrote it. */
  readonly authority: string
  /** Path and query, beginning with `/`. */
  readonly originForm: string
}

const HTTP_PORT = 80

/** `undefined` for anything but an absolute http target without user information. */
export function parseAbsoluteForm(target: string): AbsoluteTarget | undefined {
  const match = /^http:\/\/([^/?#]+)([^#]*)$/i.exec(target)
  if (match === null) return undefined
  const [, authority = '', rest = ''] = match
  const parts = /^(?:\[([0-9a-fA-F:.]+)\]|([^:@[\]]+))(?::([0-9]{1,5}))?$/.exec(authority)
  if (parts === null) return undefined
  const [, literal, name, portText] = parts
  const port = portText === undefined ? HTTP_PORT : Number(portText)
  if (port === 0 || port > 65_535) return undefined
  const host = literal ?? name ?? ''
  const ip = parseIp(host)
  if (ip === undefined && (literal !== undefined || !checkNameText(host).ok)) return undefined
  return {
    destination: { address: ip ?? { type: 'domain', name: host }, port },
    authority,
    originForm: rest.startsWith('/') ? rest : `/${rest}`,
  }
}
