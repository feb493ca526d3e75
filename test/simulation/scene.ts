/**
 * One world while it runs: the server on its simulated engine, the clients and targets of the plan, and what is noticed
 * on the way. Judges only what cannot be judged later.
 */
import { type Place, type Resolution, createCachingResolver } from '@socksmith/engine'
import { type Endpoint, failure, formatDestination, sameAddress, utf8Text } from '@socksmith/protocol'
import {
  Ledger,
  type Server,
  type ServerOptions,
  type SessionRecord,
  createLedgerMemory,
  createServer,
  parseNetwork,
} from '@socksmith/server'
import { type Case, nameOf, newCase } from './actors/case.ts'
import { PASSWORD } from './actors/handshake.ts'
import { NoiseClient } from './actors/noise-client.ts'
import { Traffic } from './actors/traffic.ts'
import { TunnelClient, keysOf } from './actors/tunnel-client.ts'
import { UdpClient } from './actors/udp-client.ts'
import { proxyHeader } from './actors/words.ts'
import type { Fault } from './faults.ts'
import { LOOKUPS_AT_ONCE, type ListenerName, type WorldPlan } from './plan.ts'
import { WatchedTally } from './watched-tally.ts'
import { endpoint } from './world/address.ts'
import type { SimulatedConnection } from './world/connection.ts'
import { OUTSIDE, SimulatedEngine } from './world/engine.ts'
import { Network } from './world/network.ts'
import { DESCRIPTORS_RESERVED } from '../../packages/server/src/admission.ts'
import type { Physics } from './world/physics.ts'

const PORTS: { readonly [L in ListenerName]: number } = { open: 1_080, password: 1_081, proxied: 1_082 }
/** Where the connections of the trusted proxy come from. */
/** Of failed logins. */
const ACCOUNTS = 64
const PROXY_ADDRESS = '60.0.0.1'
const RELAY_PORTS = { first: 50_000, last: 50_007 } as const

export class Scene {
  readonly cases: readonly Case[]
  readonly engine: SimulatedEngine
  readonly server: Server
  readonly tally: WatchedTally
  /** Connections that came to no session: PROXY header missing, descriptors missing. */
  turnedAway = 0
  /** Look-ups that run. */
  lookups = 0
  isStopped = false
  readonly #physics: Physics
  readonly #network: Network
  readonly #plan: WorldPlan
  readonly #byClient = new Map<string, Case>()
  readonly #byTarget = new Map<string, Case>()
  readonly #byUdpClient = new Map<string, Case>()
  readonly #dialling = new Map<Case, number>()

  constructor(physics: Physics, plan: WorldPlan, fault: Fault) {
    this.#physics = physics
    this.#plan = plan
    this.cases = plan.clients.map(client => newCase(client))
    this.tally = new WatchedTally(physics)
    this.#network = new Network(physics, plan.datagrams)
    this.engine = new SimulatedEngine(physics, this.#network, {
      onAccepted: (connection, handle) => this.#onAccepted(connection, handle, fault),
      onDial: to => this.#onDial(to),
      onDialOver: (to, connection) => this.#onDialOver(to, connection, fault),
      onDatagramSent: (octets, to) => this.#onDatagramSent(octets, to),
    })
    this.engine.descriptorsMax = DESCRIPTORS_RESERVED + plan.descriptors
    fault.engine?.(this.engine)
    const options = this.#serverOptions()
    this.server = createServer(fault.options?.(options) ?? options)
    for (const aCase of this.cases) this.#register(aCase)
  }

  get listenerCount(): number {
    return this.#network.listenerCount
  }

  /** Opens the server, and sets down in time everything that the plan says. */
  async start(): Promise<void> {
    const { time } = this.#physics
    const places = await this.server.start()
    if ('code' in places) return this.#physics.violated(`cannot start: ${JSON.stringify(places)}`)
    for (const { atMs, forMs } of this.#plan.droughts) {
      time.later(atMs, () => (this.engine.isOutOfDescriptors = true))
      time.later(atMs + forMs, () => (this.engine.isOutOfDescriptors = false))
    }
    for (const { atMs, byMs } of this.#plan.jumps) time.later(atMs, () => time.jump(byMs))
    const { stop } = this.#plan
    if (stop !== undefined) time.later(stop.atMs, () => void this.#stop(stop.deadlineMs))
    for (const aCase of this.cases) time.later(aCase.plan.startMs, () => this.#begin(aCase))
  }

  async #stop(deadlineMs: number): Promise<void> {
    this.isStopped = true
    this.#physics.log?.(`stop within ${deadlineMs} ms`)
    await this.server.stop({ deadlineMs })
  }

  #serverOptions(): ServerOptions {
    const { limits, judgeMs, reassemble, fullCone, bindPorts } = this.#plan
    const { time } = this.#physics
    const protocols = { socks4: true, socks5: true, http: true }
    const trusted = parseNetwork(`${PROXY_ADDRESS}/32`)
    if (trusted === undefined) throw new Error('not a network')
    return {
      engine: this.engine,
      resolver: createCachingResolver({
        lookup: name => this.#lookup(name),
        clock: time,
        positiveTtlMs: 1_000,
        negativeTtlMs: 1_000,
        entriesMax: 2,
        concurrentMax: LOOKUPS_AT_ONCE,
        timeoutMs: 1_500,
      }),
      // For a handful of clients: as many accounts as usual would take longer to clear than a world takes.
      failures: new Ledger(
        createLedgerMemory(1, ACCOUNTS),
        0,
        () => time.monotonicMs(),
        () => time.wallMs(),
      ),
      listeners: [
        { place: place('open'), protocols, authentication: 'none' },
        { place: place('password'), protocols, authentication: 'password' },
        { place: place('proxied'), protocols, authentication: 'none', proxyProtocolFrom: [trusted] },
      ],
      authenticate: async ({ username, password }) => {
        await new Promise<void>(resolve => time.later(judgeMs, resolve))
        return utf8Text(username) === 'bob' && utf8Text(password) === PASSWORD ? 'bob' : undefined
      },
      limits,
      tally: this.tally,
      udp: { reassemble, fullCone, ...(bindPorts && { ports: RELAY_PORTS }) },
      bind: bindPorts ? { ports: RELAY_PORTS } : {},
      onSession: record => this.#onSession(record),
      onEvent: ({ kind }) => {
        if (kind === 'preface-failure' || kind === 'accept-failure') this.turnedAway++
      },
    }
  }

  #lookup(name: string): Promise<Resolution> {
    const found = this.cases.find(({ plan }) => nameOf(plan) === name)?.plan
    const { time } = this.#physics
    return new Promise(resolve => {
      if (found === undefined || found.kind === 'noise' || found.name === undefined) {
        return resolve(failure('name_not_found', 'target'))
      }
      this.lookups++
      const { answer, delayMs } = found.name
      const addresses = found.targets.map(target => target.endpoint.address)
      // A silent name server is given up by the operating system, long after everybody has stopped waiting.
      time.later(answer === 'silent' ? 20_000 : delayMs, () => {
        this.lookups--
        resolve(answer === 'right' ? addresses : failure('name_not_found', 'target'))
      })
    })
  }

  #register(aCase: Case): void {
    const { plan } = aCase
    this.#byClient.set(formatDestination(plan.from), aCase)
    if (plan.kind === 'noise') return
    const udpPort = plan.from.port + 1_000
    this.#byUdpClient.set(formatDestination({ ...plan.from, port: udpPort }), aCase)
    for (const { endpoint: at, fate, latencyMs } of plan.targets) {
      if (fate === 'own' || fate === 'inside') continue
      const key = formatDestination(at)
      this.#byTarget.set(key, aCase)
      this.#network.hosts.set(key, { fate, latencyMs, onConnection: one => this.#onTarget(aCase, at, one) })
    }
  }

  #begin(aCase: Case): void {
    const { plan } = aCase
    const { time, log } = this.#physics
    const at = { address: OUTSIDE.ipv4, port: PORTS[plan.listener] }
    const from = plan.listener === 'proxied' ? endpoint(PROXY_ADDRESS, 3_000 + plan.index) : plan.from
    log?.(`client ${plan.index}: begins, ${JSON.stringify({ ...plan, pieces: undefined, targets: undefined })}`)
    const connection = this.#network.connect(from, at)
    if (connection === undefined) {
      aCase.hasLeft = true
      return
    }
    const preface = plan.listener === 'proxied' ? proxyHeader(plan.from, at) : new Uint8Array(0)
    const client =
      plan.kind === 'noise'
        ? new NoiseClient(this.#physics, plan, connection)
        : plan.kind === 'udp'
          ? new UdpClient(this.#physics, this.#network, aCase as Case<typeof plan>, connection, this.#plan.fullCone)
          : new TunnelClient(this.#physics, this.#network, aCase as Case<typeof plan>, connection)
    client.start(preface)
    const { leave } = plan
    if (leave === undefined) return
    time.later(leave.afterMs, () => {
      log?.(`client ${plan.index}: leaves by ${leave.how}`)
      aCase.hasLeft = true
      client.leave(leave.how)
    })
  }

  #onTarget(aCase: Case, at: Endpoint, connection: SimulatedConnection): void {
    const { plan } = aCase
    const name = `target ${formatDestination(at)} of client ${plan.index}`
    if (plan.kind !== 'connect') return this.#physics.violated(`${name}: nobody asked for it`)
    const traffic = new Traffic(this.#physics, name, connection, keysOf(plan.index).target, plan.down)
    aCase.targets.set(formatDestination(at), traffic)
    traffic.start(0, new Uint8Array(0))
  }

  #onAccepted(connection: SimulatedConnection, handle: () => void, fault: Fault): void {
    fault.connection?.(connection)
    const { remote, local } = connection
    if (remote.kind !== 'ip' || local.kind !== 'ip') return
    const isMain = Object.values(PORTS).includes(local.endpoint.port)
    const { port } = remote.endpoint
    const aCase = isMain
      ? this.cases.find(({ plan }) => plan.from.port === port || 3_000 + plan.index === port)
      : this.#peerCase(remote.endpoint)
    if (isMain && aCase !== undefined) {
      aCase.serverEnd = connection
      aCase.acceptedAtMs = this.#physics.time.monotonicMs()
    } else aCase?.targetEnds.set(formatDestination(remote.endpoint), connection)
    handle()
    const admitted = this.cases.filter(
      ({ serverEnd }) => serverEnd !== undefined && serverEnd.cause === undefined,
    ).length
    if (admitted > this.#plan.limits.connections) this.#physics.violated(`${admitted} connections at once`)
    this.#checkDescriptors(admitted)
  }

  #checkDescriptors(admitted: number): void {
    const targets = this.cases.flatMap(({ targetEnds }) => [...targetEnds.values()])
    const open = targets.filter(({ cause }) => cause === undefined).length
    const held = admitted + open + this.#dialling.size + this.engine.datagramSockets
    if (held > this.#plan.descriptors) this.#physics.violated(`${held} descriptors at once`)
  }

  #peerCase(from: Endpoint): Case | undefined {
    return this.cases.find(({ targets }) => targets.has(formatDestination(from)))
  }

  #onDial(to: Endpoint): void {
    const aCase = this.#byTarget.get(formatDestination(to))
    if (isClosed(to)) this.#physics.violated(`dials ${formatDestination(to)}, which is closed to clients`)
    // Noise may happen to be a request.
    if (aCase === undefined) return
    if (aCase.records.length > 0) this.#physics.violated(`dials for client ${aCase.plan.index}, whose session is over`)
    if (aCase.plan.listener === 'password' && (aCase.plan.kind !== 'connect' || aCase.plan.credentials !== 'right')) {
      this.#physics.violated(`dials for client ${aCase.plan.index}, who has shown no password`)
    }
    this.#dialling.set(aCase, (this.#dialling.get(aCase) ?? 0) + 1)
    if (this.#dialling.size > this.#plan.limits.pendingDials) {
      this.#physics.violated(`${this.#dialling.size} dials at once`)
    }
  }

  #onDialOver(to: Endpoint, connection: SimulatedConnection | undefined, fault: Fault): void {
    const aCase = this.#byTarget.get(formatDestination(to))
    if (aCase === undefined) return
    const left = (this.#dialling.get(aCase) ?? 1) - 1
    if (left === 0) this.#dialling.delete(aCase)
    else this.#dialling.set(aCase, left)
    if (connection === undefined) return
    fault.connection?.(connection)
    aCase.targetEnds.set(formatDestination(to), connection)
  }

  #onDatagramSent(octets: Uint8Array, to: Endpoint): void {
    const key = formatDestination(to)
    const toClient = this.#byUdpClient.get(key)
    const aCase = toClient ?? this.#byTarget.get(key)
    if (isClosed(to)) this.#physics.violated(`a datagram to ${key}, which is closed to clients`)
    if (aCase === undefined) return
    if (aCase.records.length > 0) this.#physics.violated(`a datagram of client ${aCase.plan.index} after its end`)
    if (toClient === undefined) aCase.udpUp += octets.length
    else aCase.udpDown += octets.length - (octets[3] === 1 ? 10 : 22)
  }

  #onSession(record: SessionRecord): void {
    const client = record.client.kind === 'ip' ? formatDestination(record.client.endpoint) : 'unix'
    this.#physics.log?.(
      `record of ${client}: ${record.end} ${record.failure ?? ''} ${record.clientToTarget}/${record.targetToClient}`,
    )
    const aCase = this.#byClient.get(client)
    if (aCase === undefined) this.#physics.violated(`a record of ${client}, who is nobody`)
    else aCase.records.push(record)
  }
}

/** Loopback, private, or the server itself: nowhere for clients from outside. */
function isClosed({ address }: Endpoint): boolean {
  if (sameAddress(address, OUTSIDE.ipv4) || sameAddress(address, OUTSIDE.ipv6)) return true
  return address.type === 'ipv4' && [0, 10, 127].includes(address.octets[0] as number)
}

function place(name: ListenerName): Place {
  return { kind: 'ip', endpoint: { address: OUTSIDE.ipv4, port: PORTS[name] } }
}
