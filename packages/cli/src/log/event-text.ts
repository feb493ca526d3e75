/** What a server event says to a person. */
import type { Failure } from '@socksmith/protocol'
import { type Ban, type ServerEvent, subjectText } from '@socksmith/server'
import { formatPlace } from '../config/place-text.ts'

/** One sentence; `undefined` for what the command tells in its own way. */
export function eventText(event: ServerEvent): string | undefined {
  switch (event.kind) {
    // The ready line and the farewell say these.
    case 'listening':
    case 'deaf':
    case 'draining':
      return undefined
    case 'accept-failure':
      return `cannot accept on ${formatPlace(event.place)}: ${failureText(event.failure)}`
    case 'limit':
      return `${LIMIT_TEXT[event.limit]} has refused ${event.refused} ${event.refused === 1 ? 'newcomer' : 'newcomers'}`
    case 'ban':
      return `${subjectText(event.ban.subject)} is banned${untilText(event.ban)}: too many failed logins`
    case 'proxy-health':
      return event.detail === undefined
        ? `the proxy ${event.proxy} of the way ${event.way} works again`
        : `the proxy ${event.proxy} of the way ${event.way} does not work: ${event.detail}`
    case 'few-descriptors':
      return `${event.connections} connections are allowed, and this process may open descriptors for ${event.tunnels} tunnels at once; raise its limit (ulimit -n)`
    case 'preface-failure':
      return `${formatPlace(event.client)} failed in its PROXY header or TLS handshake on ${formatPlace(event.place)}: ${failureText(event.failure)}`
  }
}

const LIMIT_TEXT: { readonly [K in (ServerEvent & { kind: 'limit' })['limit']]: string } = {
  connections: 'the limit connections',
  connectionsPerClient: 'the limit connections-per-client',
  pendingDials: 'the limit pending-dials',
  udpAssociations: 'the limit udp-associations',
  descriptors: 'the number of descriptors of this process (ulimit -n)',
}

function untilText({ untilMs }: Ban): string {
  return untilMs === undefined ? '' : ` until ${new Date(untilMs).toISOString()}`
}

function failureText(failure: Failure): string {
  const said = failure.detail ?? failure.code
  return failure.errno === undefined ? said : `${said} (${failure.errno})`
}
