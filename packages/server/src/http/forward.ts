/**
 * One absolute-form request (RFC 9112 section 3.2.2): who asks, may they, then the same request in origin form to the
 * target, and its response back. Message framing is Node's; hop-by-hop fields end here (RFC 9110 section 7.6.1).
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { pipeline } from 'node:stream'
import { ConnectionDuplex } from '@socksmith/engine'
import { BASIC_CHALLENGE, type Failure, basicCredentials, failure, mappingOf } from '@socksmith/protocol'
import { type Reached, dialTarget } from '../dial.ts'
import type { Ruling } from '../decide.ts'
import { MeteredConnection } from '../limit/metered-connection.ts'
import { SessionLimits } from '../limit/session-limits.ts'
import type { SessionEnd, SessionRecord } from '../record.ts'
import { refuserOf, ruledBy, wayOfRecord } from '../session-record.ts'
import type { Login } from '../login/login.ts'
import type { Session } from '../session.ts'
import { allowedTargets } from '../target.ts'
import { type AbsoluteTarget, parseAbsoluteForm } from './absolute-form.ts'
import { endToEndFields } from './fields.ts'
import { watchIdle } from './idle-watch.ts'
import { nodeHttp } from './node-http.ts'

/** What a request came to, for its record. */
interface Outcome {
  /** Absent when the client was gone before any. */
  readonly status?: number
  readonly failure?: Failure
  /** Who broke it off. */
  readonly brokenOff?: 'client-left' | 'target-reset'
  readonly user?: string
  readonly parameters?: Login['parameters']
  readonly target?: AbsoluteTarget
  readonly upstream?: ConnectionDuplex
  readonly reached?: Reached
  readonly ruling?: Ruling | undefined
}

/** Serves the request to its end and makes its record. Never rejects. */
export async function forward(session: Session, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { clock } = session.context.engine
  const [startedAtMs, startMs] = [clock.wallMs(), clock.monotonicMs()]
  const gone = new AbortController()
  response.once('close', () => gone.abort())
  const { context } = session
  let over: SessionEnd | undefined
  const cut = (end: SessionEnd): void => {
    over ??= end
    response.destroy()
    gone.abort()
  }
  const limits = new SessionLimits(context.gate, context.counting, cut)
  const outcome = await outcomeOf(session, { request, response, gone: gone.signal, cut }, limits)
  const { status, failure: cause } = outcome
  if (cause !== undefined && status !== undefined && !response.headersSent) answer(response, status, cause)
  session.context.options.onSession?.({
    ...recordOf(session, outcome, over ?? endOf(outcome), limits.limit),
    startedAtMs,
    durationMs: Math.round(clock.monotonicMs() - startMs),
  })
  limits.release()
}

/** The client's side of one request. */
interface Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** The client has closed, or the request was cut. */
  readonly gone: AbortSignal
  /** Ends it at once. */
  readonly cut: (end: SessionEnd) => void
}

async function outcomeOf(session: Session, asked: Exchange, limits: SessionLimits): Promise<Outcome> {
  const { request, gone } = asked
  const { context } = session
  if (context.options.access?.connect === false) {
    const cause = failure('command_not_supported', 'client', 'requests over HTTP are switched off')
    return { status: mappingOf(cause.code).httpStatus, failure: cause }
  }
  const login = await loginOf(session, request)
  if (login === undefined) {
    return { status: 407, failure: failure('auth_rejected', 'client', 'no valid Proxy-Authorization') }
  }
  const { user } = login
  const known = login
  const target = parseAbsoluteForm(request.url ?? '')
  if (target === undefined) {
    const cause = failure('bad_target', 'client', 'this is a proxy: it takes CONNECT and http:// targets')
    return { ...known, status: 400, failure: cause }
  }
  const going = session.going(
    { destination: target.destination, scheme: 'http' },
    user === session.user ? undefined : login,
  )
  const facts = session.facts('forward', user)
  const allowed = await allowedTargets(context, facts, target.destination, going)
  if ('failure' in allowed) {
    const { failure: cause, ruling } = allowed
    return { ...known, target, ruling, status: mappingOf(cause.code).httpStatus, failure: cause }
  }
  const { candidates, way } = allowed
  const [granted] = candidates
  const limited = (granted && limits.hold(granted)) ?? session.descriptor.take()
  if (limited !== undefined) {
    return { ...known, target, ruling: granted, status: mappingOf(limited.code).httpStatus, failure: limited }
  }
  if (granted !== undefined) session.noteGranted(granted)
  const dialing = dialTarget(
    context,
    candidates.map(one => one.to),
    way,
  )
  gone.addEventListener('abort', () => dialing.cancel())
  const reached = await dialing.result
  if ('code' in reached) {
    if (gone.aborted) return { ...known, target, ruling: granted, brokenOff: 'client-left' }
    return { ...known, target, ruling: granted, status: mappingOf(reached.code).httpStatus, failure: reached }
  }
  const { meters } = limits
  const metered = (meters.up ?? meters.down) && new MeteredConnection(reached.connection, meters)
  const upstream = new ConnectionDuplex(metered ?? reached.connection, reached.early)
  if (gone.aborted) drop(upstream)
  const { engine, limits: usual } = context
  const moved = (): number => upstream.octetsIn + upstream.octetsOut
  const endWatch = watchIdle(engine.clock, limits.idleMs(usual.idleMs), moved, () => asked.cut('idle'))
  const exchanged = await exchange(asked, target, upstream)
  endWatch()
  metered?.free()
  return { ...known, target, upstream, reached, ruling: granted, ...exchanged }
}

/** Who asks; nobody where nobody is asked, and `undefined` where the credentials are wrong. */
async function loginOf(session: Session, request: IncomingMessage): Promise<Partial<Login> | undefined> {
  const nobody = session.user === undefined ? {} : { user: session.user }
  if (!session.takesPassword || session.user !== undefined) return nobody
  const field = request.headers['proxy-authorization']
  const credentials = field === undefined ? undefined : basicCredentials([['proxy-authorization', field]])
  if (credentials === undefined && !session.needsPassword) return nobody
  return credentials && session.judge(credentials)
}

/** Sends the request on and the response back; resolves when both are over. */
function exchange(
  { request, response, gone }: Exchange,
  target: AbsoluteTarget,
  upstream: ConnectionDuplex,
): Promise<Pick<Outcome, 'status' | 'failure' | 'brokenOff'>> {
  return new Promise(resolve => {
    const outgoing = nodeHttp().request({
      createConnection: () => upstream,
      method: request.method ?? 'GET',
      path: target.originForm,
      setHost: false,
      headers: requestFields(request, target),
    })
    gone.addEventListener('abort', () => outgoing.destroy())
    outgoing.on('error', error => {
      drop(upstream)
      if (response.headersSent) response.destroy()
      if (gone.aborted) return resolve({ brokenOff: 'client-left' })
      const cause = failure('general_failure', 'target', `the target does not speak HTTP: ${error.message}`)
      resolve({ status: 502, failure: cause })
    })
    outgoing.on('response', incoming => {
      const status = incoming.statusCode ?? 502
      response.writeHead(status, incoming.statusMessage, responseFields(incoming))
      let brokenOff: 'client-left' | 'target-reset' = 'client-left'
      // Before the pipeline closes the response, as if the client had left.
      incoming.once('error', () => (brokenOff = gone.aborted ? 'client-left' : 'target-reset'))
      pipeline(incoming, response, error => {
        drop(upstream)
        if (error == null) return resolve({ status })
        response.destroy()
        resolve({ status, brokenOff })
      })
    })
    pipeline(request, outgoing, () => {})
  })
}

// The stream would wait for a target that reads no more. Nothing that it could still get is of use to anybody.
function drop({ connection }: ConnectionDuplex): void {
  if (connection.unsentOctets > 0) connection.reset()
  else connection.destroy()
}

function requestFields(request: IncomingMessage, target: AbsoluteTarget): string[] {
  // The authority of the target wins over the Host field (RFC 9112 section 3.2.2).
  const fields = ['Host', target.authority, ...endToEndFields(request.rawHeaders, ['host'])]
  if (request.headers['transfer-encoding'] !== undefined) fields.push('Transfer-Encoding', 'chunked')
  return [...fields, 'Via', `${request.httpVersion} socksmith`, 'Connection', 'close']
}

function responseFields(incoming: IncomingMessage): string[] {
  return [...endToEndFields(incoming.rawHeaders, []), 'Via', `${incoming.httpVersion} socksmith`]
}

function answer(response: ServerResponse, status: number, cause: Failure): void {
  const fields: Record<string, string> = { 'Content-Type': 'text/plain; charset=utf-8', Connection: 'close' }
  if (status === 407) fields['Proxy-Authenticate'] = BASIC_CHALLENGE
  response.writeHead(status, fields)
  response.end(`The proxy did not serve this request: ${cause.detail ?? cause.code.replaceAll('_', ' ')}.\n`)
}

function endOf({ brokenOff, failure: cause }: Outcome): SessionEnd {
  if (brokenOff !== undefined) return brokenOff
  if (cause === undefined) return 'target-finished'
  return cause.blame === 'target' ? 'failed' : 'refused'
}

function recordOf(
  session: Session,
  outcome: Outcome,
  end: SessionEnd,
  limit: string | undefined,
): Omit<SessionRecord, 'startedAtMs' | 'durationMs'> {
  const { origin } = session
  const { upstream, target, reached, failure: cause } = outcome
  return {
    id: origin.id,
    client: origin.client,
    listener: origin.place,
    ...(origin.listener.name !== undefined && { listenerName: origin.listener.name }),
    protocol: 'http',
    command: 'forward',
    clientToTarget: upstream?.octetsOut ?? 0,
    targetToClient: upstream?.octetsIn ?? 0,
    ...(outcome.status !== undefined && { reply: outcome.status }),
    end,
    ...(limit !== undefined && { limit }),
    ...(end === 'refused' && { refusedBy: refuserOf(outcome.ruling, limit) }),
    ...(outcome.user !== undefined && { user: outcome.user }),
    ...(outcome.parameters !== undefined && { parameters: outcome.parameters }),
    ...(outcome.target !== undefined && { method: session.methodOf(outcome.user) }),
    ...ruledBy(outcome.ruling),
    ...(target !== undefined && { target: target.destination }),
    ...wayOfRecord(reached?.target, reached?.via),
    ...(cause !== undefined && { failure: cause.code }),
    ...(cause?.detail !== undefined && { detail: cause.detail }),
  }
}
