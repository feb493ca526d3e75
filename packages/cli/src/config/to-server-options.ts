/** From the checked configuration to the options of the server package. Refuses what would be dangerous or cannot work. */
import { EXIT, type Outcome, type Trouble, done } from '../exit.ts'
import { type IpAddress, type Ipv4Address, type Ipv6Address, parseIp } from '@socksmith/protocol'
import {
  type ListenerOptions,
  type Limits,
  type LoginOptions,
  type Network,
  type PortRange,
  type ServerOptions,
  parseNetwork,
} from '@socksmith/server'
import type { Place } from '@socksmith/engine'
import type { Decider } from '@socksmith/policy'
import { routeOfVia } from '../reach/via.ts'
import { openCertificateFiles } from '../tls/certificate-files.ts'
import { routeLoop } from '../ways/fit.ts'
import type { Config } from './config.ts'
import { type CompleteListener, completeListeners, isOpenToAll } from './effective.ts'
import { LIMIT_WORDS, type LimitKind } from './limits.ts'
import { LOGIN_WORDS } from './login.ts'
import { parsePlace } from './place-text.ts'
import { parseDuration, parsePortRange, parseSize } from './quantities.ts'

/** What of the server's options comes from the configuration; the rest is made by whoever starts it. */
export type ConfiguredOptions = Omit<ServerOptions, 'engine' | 'resolver' | 'authenticate' | 'onSession' | 'onEvent'>

/**
 * The server's options. `hasUsers`: whether anybody can log in. `onTrouble` hears of certificate files that broke while
 * the server ran.
 */
export function toServerOptions(
  config: Config,
  hasUsers: boolean,
  onTrouble: (message: string) => void,
  policy?: Decider,
): Outcome<ConfiguredOptions> {
  const limits = limitsOf(config)
  const listeners: ListenerOptions[] = []
  const fault = listenersFault(config, hasUsers, policy)
  if (fault !== undefined) return { ok: false, trouble: fault }
  for (const listener of completeListeners(config, hasUsers)) {
    const options = listenerOptions(listener, limits.handshakeMs, onTrouble)
    if (!options.ok) return options
    listeners.push(options.value)
  }
  const route = config.via.length === 0 ? undefined : routeOfVia(config.via)
  const loop = routeLoop('via', route, placesOf(config), config.dns)
  if (loop !== undefined) return { ok: false, trouble: loop }
  const { access } = config
  return done({
    listeners,
    access: {
      ...(access['inside-from'] === undefined ? {} : { insideFrom: networksOf(access['inside-from']) }),
      insideOpen: networksOf(access['inside-open']),
      connect: access.commands.includes('connect'),
      bind: access.commands.includes('bind'),
      udpAssociate: access.commands.includes('udp-associate'),
    },
    bind: { ...portsOf(config.bind.ports), anyPeer: config.bind['any-peer'] },
    udp: { ...portsOf(config.udp.ports), fullCone: config.udp['full-cone'], reassemble: config.udp.reassemble },
    limits,
    login: loginOf(config),
    ...(route && { route }),
    outgoing: byFamily(config.outgoing),
  })
}

/** Where the listeners of a configuration are to be opened. */
export function placesOf({ listen }: Config): readonly Place[] {
  return listen.map(one => checked(parsePlace(typeof one === 'string' ? one : one.address)))
}

/** Why these listeners must not be opened, or not be governed by this policy. */
export function listenersFault(config: Config, hasUsers: boolean, policy?: Decider): Trouble | undefined {
  for (const listener of completeListeners(config, hasUsers)) {
    const fault = listenerFault(listener, config, hasUsers, policy)
    if (fault !== undefined) return fault
  }
  return undefined
}

function listenerFault(
  listener: CompleteListener,
  config: Config,
  hasUsers: boolean,
  policy: Decider | undefined,
): Trouble | undefined {
  const { address, auth, tls } = listener
  const place = checked(parsePlace(address))
  if (isOpenToAll(listener, place) && !config['danger-open-proxy'] && !refusesStrangers(policy, listener, place)) {
    const way = 'Add users (--users FILE or --user NAME:PASSWORD), or listen on 127.0.0.1, or say --danger-open-proxy.'
    return { exitCode: EXIT.REFUSED, message: `${address} would be a proxy for everybody who can reach it. ${way}` }
  }
  if (auth === 'rules' && config.policy === undefined) {
    return fault(address, 'leaves it to the rules who comes in, but there are none; name a policy (policy, --policy)')
  }
  if (auth === 'password' && !hasUsers) {
    return fault(address, 'asks for a password, but there are no users; name a users file (users.file, --users)')
  }
  if (auth === 'certificate' && tls?.['client-ca'] === undefined) {
    return fault(address, 'asks for a client certificate; it needs tls with certificate, key and client-ca')
  }
  if (tls?.['client-certificate'] !== undefined && tls['client-ca'] === undefined) {
    return fault(address, 'has tls.client-certificate; it needs tls.client-ca too, to know whom to believe')
  }
  if (listener.mode !== undefined && place.kind !== 'unix')
    return fault(address, 'has a file mode, which only a Unix socket can have')
  return undefined
}

/** Somewhere on the Internet: no rule has reason to name them. */
const STRANGERS = ['93.184.216.34', '2606:2800:21f:cb07:6820:80da:af6b:8b2c'].map(text => checked(parseIp(text)))

/** Whether the policy lets nobody in who comes from there, at any time. */
function refusesStrangers(policy: Decider | undefined, listener: CompleteListener, place: Place): boolean {
  if (policy === undefined) return false
  const isIpv4 = place.kind === 'ip' && place.endpoint.address.type === 'ipv4'
  // A PROXY header may name a client of any family.
  const able = STRANGERS.filter(
    ({ type }) => !isIpv4 || type === 'ipv4' || listener['proxy-protocol-from'] !== undefined,
  )
  const known = { listener: listener.name ?? listener.address, method: 'none', user: null } as const
  return policy
    .moments(Date.now())
    .every(nowMs => able.every(client => policy.decide({ ...known, nowMs, client }).verdict === 'deny'))
}

function fault(address: string, message: string): Trouble {
  return { exitCode: EXIT.DATA, message: `the listener ${address} ${message}` }
}

function listenerOptions(
  listener: CompleteListener,
  timeoutMs: number,
  onTrouble: (message: string) => void,
): Outcome<ListenerOptions> {
  const { tls, mode, protocols, advertise } = listener
  const trusted = listener['proxy-protocol-from']
  const files = tls && openCertificateFiles(tls, timeoutMs, onTrouble)
  if (files?.ok === false) return files
  return done({
    place: checked(parsePlace(listener.address)),
    protocols: {
      socks4: protocols.includes('socks4'),
      socks5: protocols.includes('socks5'),
      http: protocols.includes('http'),
    },
    authentication: listener.auth,
    // As configured: the real address is known only once it is open.
    name: listener.name ?? listener.address,
    ...(files === undefined ? {} : { tls: files.value }),
    ...(mode === undefined ? {} : { mode: Number.parseInt(mode, 8) }),
    ...(trusted === undefined ? {} : { proxyProtocolFrom: networksOf(trusted) }),
    ...(advertise === undefined ? {} : { advertise: byFamily(advertise) }),
  })
}

const PARSE: { readonly [K in LimitKind]: (value: string | number) => number | undefined } = {
  count: Number,
  duration: parseDuration,
  size: parseSize,
}

function limitsOf(config: Config): Limits {
  const entries = LIMIT_WORDS.map(word => [word.option, checked(PARSE[word.kind](checked(config.limits[word.key])))])
  return Object.fromEntries(entries)
}

function loginOf({ login }: Config): LoginOptions {
  const values = LOGIN_WORDS.map(word => [word.option, checked(PARSE[word.kind](checked(login[word.key]) as string))])
  return { ...Object.fromEntries(values), trusted: networksOf(login.trusted) }
}

function portsOf(text: string | number | undefined): { ports?: PortRange } {
  return text === undefined ? {} : { ports: checked(parsePortRange(text)) }
}

function networksOf(texts: readonly string[]): readonly Network[] {
  return texts.map(text => checked(parseNetwork(text)))
}

function byFamily(texts: readonly string[]): { ipv4?: Ipv4Address; ipv6?: Ipv6Address } {
  const addresses = texts.map(text => checked<IpAddress>(parseIp(text)))
  const ipv4 = addresses.find(one => one.type === 'ipv4')
  const ipv6 = addresses.find(one => one.type === 'ipv6')
  return { ...(ipv4 && { ipv4 }), ...(ipv6 && { ipv6 }) }
}

/** A value that the schema has checked: when it is missing after all, schema and conversion disagree, which is a bug. */
function checked<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('a configuration value passed the schema and cannot be converted')
  return value
}
