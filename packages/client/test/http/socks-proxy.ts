/**
 * A small SOCKS proxy for these tests: it speaks 4, 4a, 5 and HTTP CONNECT, writes down what it was asked, and takes
 * every name and address to this machine, so that names need no resolver. Loopback only.
 */
import { once } from 'node:events'
import { type AddressInfo, type Socket, connect, createServer } from 'node:net'
import type { TestContext } from 'node:test'
import {
  ServerHandshake,
  type ServerHandshakeEvent,
  type Verdict,
  NO_ENDPOINT,
  failure,
  formatDestination,
  noneMethod,
  userPasswordServer,
} from '@socksmith/protocol'

export interface SocksProxyOptions {
  /** `"user:password"`; without it everybody may pass. */
  readonly password?: string
  /** Every request is answered with REP 05. */
  readonly refuses?: boolean
  /** The port of this machine that stands for what was asked (`"name:port"`); `undefined` refuses. Default: the port itself. */
  readonly portOf?: (asked: string) => number | undefined
  /** Takes connections and never says a word. */
  readonly isSilent?: boolean
}

export interface SocksProxy {
  readonly port: number
  /** `"name:port"` of each request, in order. */
  readonly asked: readonly string[]
  /** Connections that are open now. */
  readonly open: ReadonlySet<Socket>
  /** Resolves when the first connection comes. */
  readonly reached: Promise<Socket>
  /** `socks5h://...` with the password. */
  readonly url: string
}

/** Starts one; it ends with the test. */
export async function socksProxy(t: TestContext, options: SocksProxyOptions = {}): Promise<SocksProxy> {
  const asked: string[] = []
  const open = new Set<Socket>()
  const reached = Promise.withResolvers<Socket>()
  const server = createServer({ allowHalfOpen: true, noDelay: true }, client => {
    open.add(client)
    client.on('close', () => open.delete(client)).on('error', () => {})
    reached.resolve(client)
    if (options.isSilent === true) client.resume().on('end', () => client.end())
    else serve(client, options, asked)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(async () => {
    for (const client of open) client.destroy()
    server.close()
    await once(server, 'close')
  })
  const { port } = server.address() as AddressInfo
  const login = options.password === undefined ? '' : `${options.password}@`
  return { port, asked, open, reached: reached.promise, url: `socks5h://${login}127.0.0.1:${port}` }
}

function serve(client: Socket, { password, refuses, portOf }: SocksProxyOptions, asked: string[]): void {
  const handshake = new ServerHandshake({
    protocols: { socks4: true, socks5: true, http: true },
    methods: password === undefined ? [noneMethod] : [userPasswordServer],
    passwordRequired: password !== undefined,
    commands: ['connect'],
  })
  const onEvents = (events: readonly ServerHandshakeEvent[]): void => {
    for (const event of events) onEvent(event)
  }
  const onEvent = (event: ServerHandshakeEvent): void => {
    switch (event.kind) {
      case 'send':
        client.write(event.octets)
        break
      case 'authenticate':
        onEvents(handshake.verdict(verdictOf(event.claim, password)))
        break
      case 'request': {
        const { destination } = event.request
        const name = formatDestination(destination)
        asked.push(name)
        const port = refuses === true ? undefined : portOf === undefined ? destination.port : portOf(name)
        if (port === undefined) onEvents(handshake.fail(failure('connection_refused', 'target')))
        else join(client, port)
        break
      }
      case 'http':
      case 'failed':
        client.end()
        break
      case 'established':
    }
  }
  const join = (from: Socket, port: number): void => {
    const target = connect({ host: '127.0.0.1', port, allowHalfOpen: true, noDelay: true })
    target.on('error', () => onEvents(handshake.fail(failure('connection_refused', 'target'))))
    target.once('connect', () => {
      onEvents(handshake.succeed(NO_ENDPOINT))
      from.off('data', onData)
      target.write(handshake.takeRemainder())
      target.pipe(from)
      from.pipe(target)
    })
    from.on('close', () => target.destroy())
    target.on('close', () => from.destroy())
  }
  const onData = (octets: Buffer): void => onEvents(handshake.receive(octets))
  client.on('data', onData)
}

function verdictOf(
  claim: Extract<ServerHandshakeEvent, { kind: 'authenticate' }>['claim'],
  password?: string,
): Verdict {
  if (claim.kind !== 'password') return { kind: 'rejected' }
  const given = `${Buffer.from(claim.username).toString()}:${Buffer.from(claim.password).toString()}`
  return given === password ? { kind: 'accepted', user: 'somebody' } : { kind: 'rejected' }
}
