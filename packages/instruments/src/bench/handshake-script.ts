/**
 * A handshake as a list of things to say and to hear, composed once: the tunnels of a run all say the same. The client's
 * machine of the protocol package does it for one tunnel; here its work would be a part of what is measured.
 */
import {
  COMMAND,
  type Decoded,
  type Destination,
  type Failure,
  METHOD,
  decodeHttpConnectResponse,
  decodeSocks4Reply,
  decodeSocks5Answer,
  decodeSocks5Selection,
  decodeUserPasswordReply,
  encodeHttpConnectRequest,
  encodeSocks4Request,
  encodeSocks5Greeting,
  encodeSocks5Request,
  encodeUserPasswordRequest,
  failure,
  selectionFault,
  socks4Fault,
  userPasswordFault,
} from '@socksmith/protocol'
import type { ProxyUrl } from './proxy-url.ts'

/** What is sent, and how the answer to it is read. */
export interface Step {
  readonly send: Uint8Array
  /** `consumed` octets of what came, with BND when the answer tells it; need-more; or the refusal. */
  readonly read: (octets: Uint8Array) => Decoded<Answer>
}

export interface Answer {
  readonly bound?: Destination
}

export type ScriptCommand = 'connect' | 'udp-associate'

/** The steps through this proxy to `destination`, or why its protocol cannot say this. */
export function composeScript(
  proxy: Pick<ProxyUrl, 'protocol' | 'credentials'>,
  command: ScriptCommand,
  destination: Destination,
): readonly Step[] | Failure {
  if (proxy.protocol === 'socks5') return socks5Steps(proxy.credentials, command, destination)
  if (command === 'udp-associate') return failure('command_not_supported', 'us', 'only SOCKS5 carries UDP')
  return proxy.protocol === 'http' ? httpSteps(proxy.credentials, destination) : socks4Steps(proxy, destination)
}

function socks5Steps(
  credentials: ProxyUrl['credentials'],
  command: ScriptCommand,
  destination: Destination,
): readonly Step[] {
  const method = credentials === undefined ? METHOD.none : METHOD.userPassword
  const steps: Step[] = [
    { send: encodeSocks5Greeting({ methods: [method] }), read: octets => selectionOf(octets, method) },
  ]
  if (credentials !== undefined) {
    steps.push({
      send: encodeUserPasswordRequest(credentials),
      read: octets => judged(decodeUserPasswordReply(octets), userPasswordFault),
    })
  }
  const code = command === 'connect' ? COMMAND.connect : COMMAND.udpAssociate
  steps.push({ send: encodeSocks5Request({ command: code, reserved: 0, destination }), read: decodeSocks5Answer })
  return steps
}

function selectionOf(octets: Uint8Array, method: number): Decoded<Answer> {
  return judged(decodeSocks5Selection(octets), selection => selectionFault(selection, [method]))
}

function socks4Steps(
  { credentials }: Pick<ProxyUrl, 'credentials'>,
  destination: Destination,
): readonly Step[] | Failure {
  const { address } = destination
  if (address.type === 'ipv6') return failure('bad_address', 'us', 'SOCKS4 carries no IPv6 address')
  // The 4a mark: an address 0.0.0.x with x not 0, and the name behind the user id.
  const ip = address.type === 'domain' ? Uint8Array.of(0, 0, 0, 1) : address.octets
  const userid = credentials?.username ?? new Uint8Array(0)
  const send = encodeSocks4Request({ command: COMMAND.connect, userid, ip, destination })
  return [{ send, read: octets => judged(decodeSocks4Reply(octets), socks4Fault) }]
}

function httpSteps(credentials: ProxyUrl['credentials'], destination: Destination): readonly Step[] {
  const send = encodeHttpConnectRequest({ destination, ...(credentials === undefined ? {} : { credentials }) })
  return [{ send, read: octets => judged(decodeHttpConnectResponse(octets), () => undefined) }]
}

function judged<T extends object>(decoded: Decoded<T>, faultOf: (value: T) => Failure | undefined): Decoded<Answer> {
  if (decoded.kind !== 'whole') return decoded
  const fault = faultOf(decoded.value)
  return fault === undefined ? { ...decoded, value: ANSWER } : { kind: 'malformed', failure: fault }
}

const ANSWER: Answer = {}
