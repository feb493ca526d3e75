/**
 * The words of SOCKS on one connection of a probe: greeting, login, request, reply, said rightly; every wrong thing is
 * said by a case itself, with `stream.send`. Reads what the server says, names it in the transcript, judges only its form.
 */
import {
  type Destination,
  type Endpoint,
  type IpAddress,
  METHOD,
  SOCKS4_GRANTED,
  concat,
  decodeSocks4Reply,
  decodeSocks5Reply,
  encodeSocks5Address,
  formatDestination,
  uint16,
  utf8Octets,
} from '@socksmith/protocol'
import { Finding, expectThat } from './finding.ts'
import { type OctetStream, pause } from './octet-stream.ts'
import type { ProxyPlace } from './proxy-url.ts'
import type { Timing } from './timing.ts'
import { type Masked, longOctets } from './transcript.ts'
import { commandText, methodText, repText } from './words.ts'

/** A SOCKS5 reply. */
export interface Reply {
  readonly rep: number
  readonly reserved: number
  readonly bound: Destination
}

/** A SOCKS4 reply. */
export interface Reply4 {
  readonly version: number
  readonly code: number
  readonly bound: Endpoint
}

export interface DialogueTerms {
  readonly proxy: ProxyPlace
  readonly timing: Timing
  /** The METHOD by which the suite comes in. */
  readonly entryMethod: number
}

export class Dialogue {
  readonly stream: OctetStream
  readonly entryMethod: number
  readonly #proxy: ProxyPlace
  readonly #timing: Timing

  constructor(stream: OctetStream, { proxy, timing, entryMethod }: DialogueTerms) {
    this.stream = stream
    this.entryMethod = entryMethod
    this.#proxy = proxy
    this.#timing = timing
  }

  greet(...methods: readonly number[]): void {
    this.stream.send(greeting(methods), `greeting: ${methods.map(methodText).join(', ') || 'no methods'}`)
  }

  /** The METHOD that the server selects. */
  async selection(): Promise<number> {
    const [version, method] = await this.stream.read(2, 'the selection of a method')
    this.stream.line.meaning(`selection: ${methodText(method ?? 0)}`)
    expectThat(version === 5, 'VER 5 in the selection', `VER ${version}`)
    return method as number
  }

  /** The METHOD that the server selects; FF when it ends the connection in its place, which lets nobody in either. */
  async selectionOrEnd(): Promise<number> {
    await this.stream.until(() => this.stream.waiting.length >= 2, this.#timing.patienceMs)
    const isOver = this.stream.ending !== 'open' && this.stream.waiting.length === 0
    return isOver ? METHOD.noneAcceptable : this.selection()
  }

  /** Chooses a method and logs in where that is needed. */
  async enter(): Promise<void> {
    this.greet(this.entryMethod)
    await this.afterGreeting()
  }

  /** Reads the selection and logs in. */
  async afterGreeting(): Promise<void> {
    const wanted = this.entryMethod
    const method = await this.selection()
    expectThat(method === wanted, methodText(wanted), methodText(method))
    if (method !== METHOD.userPassword) return
    this.logIn()
    expectThat((await this.verdict()) === 0, 'status 0 for the right login', 'another')
  }

  /** The right user and password. */
  logIn(): void {
    const { username = NONE, password = NONE } = this.#proxy
    this.sendLogin(username, password, { masked: password.length })
  }

  /**
   * The right user and password, octet by octet. False when the server speaks or ends before they are whole: then the rest
   * is kept back, for nobody asks for it any more.
   */
  async logInOneByOne(): Promise<boolean> {
    const { username = NONE, password = NONE } = this.#proxy
    const octets = login(username, password)
    const place = octets.length - password.length
    for (const [index, octet] of octets.entries()) {
      if (this.stream.waiting.length > 0 || this.stream.ending !== 'open') return false
      const masked = index < place ? undefined : { offset: 0, length: 1, from: index - place }
      this.stream.send(Uint8Array.of(octet), index === 0 ? 'the right login, octet by octet' : undefined, masked)
      await pause(1)
    }
    return true
  }

  /** Any user and password. `masked`: so many octets of the password are those of the true one. */
  sendLogin(
    username: Uint8Array,
    password: Uint8Array,
    options: {
      readonly masked?: number
      readonly isCaseSwapped?: true
      readonly version?: number
      readonly tail?: Uint8Array
    } = {},
  ): void {
    const octets = concat([login(username, password, options.version), options.tail ?? NONE])
    const offset = 3 + username.length
    const swapped = options.isCaseSwapped === undefined ? {} : { isCaseSwapped: true as const }
    const masked: Masked | undefined = options.masked ? { offset, length: options.masked, ...swapped } : undefined
    this.stream.send(octets, `login of ${JSON.stringify(Buffer.from(username).toString())}`, masked)
  }

  /** The STATUS of the answer to a login. */
  async verdict(): Promise<number> {
    const [, status] = await this.stream.read(2, 'the answer to the login', this.#timing.loginMs)
    this.stream.line.meaning(`login: status ${status}${status === 0 ? ', accepted' : ', refused'}`)
    return status as number
  }

  /** The STATUS of the answer to a login; `undefined` when the server ends the connection in its place. */
  async verdictOrEnd(): Promise<number | undefined> {
    await this.stream.until(() => this.stream.waiting.length > 0, this.#timing.loginMs)
    const isOver = this.stream.ending !== 'open' && this.stream.waiting.length === 0
    return isOver ? undefined : this.verdict()
  }

  request(command: number, to: Destination, tail: Uint8Array = NONE): void {
    const octets = concat([request(command, to), tail])
    const behind = tail.length === 0 ? '' : `, and ${tail.length} octets behind it`
    this.stream.send(octets, `request: ${commandText(command)} ${formatDestination(to)}${behind}`)
  }

  /** A whole SOCKS5 reply, by its ATYP. */
  async reply(limitMs: number = this.#timing.patienceMs): Promise<Reply> {
    await this.stream.until(() => decodeSocks5Reply(this.stream.waiting).kind !== 'need-more', limitMs)
    const decoded = decodeSocks5Reply(this.stream.waiting)
    if (decoded.kind === 'malformed') {
      throw new Finding('a whole reply', `${decoded.failure.detail ?? decoded.failure.code} in ${this.#sample()}`)
    }
    if (decoded.kind === 'need-more') throw this.stream.missing('a whole reply', limitMs)
    this.stream.take(decoded.consumed)
    const { rep, reserved, bound } = decoded.value
    this.stream.line.meaning(`reply: ${repText(rep)}, BND ${formatDestination(bound)}`)
    return { rep, reserved, bound }
  }

  /** A whole reply; `undefined` when the server ends the connection without a word. */
  async replyOrEnd(limitMs: number = this.#timing.patienceMs): Promise<Reply | undefined> {
    await this.stream.until(() => this.stream.waiting.length > 0, limitMs)
    const isOver = this.stream.ending !== 'open' && this.stream.waiting.length === 0
    return isOver ? undefined : this.reply(limitMs)
  }

  /** A reply that grants the request. */
  async success(limitMs?: number): Promise<Reply> {
    const reply = await this.reply(limitMs)
    expectThat(reply.rep === 0, 'REP 00 (succeeded)', repText(reply.rep))
    return reply
  }

  /** A reply with one of these codes; `words` for the finding. */
  async refusal(codes: readonly number[], limitMs?: number): Promise<Reply> {
    const reply = await this.reply(limitMs)
    expectThat(codes.includes(reply.rep), codes.map(repText).join(' or '), repText(reply.rep))
    return reply
  }

  request4(
    command: number,
    to: Endpoint,
    options: { readonly userid?: Uint8Array; readonly host?: string; readonly tail?: Uint8Array } = {},
  ): void {
    const octets = concat([request4(command, to, options.userid, options.host), options.tail ?? NONE])
    const place = options.host === undefined ? formatDestination(to) : `${options.host}:${to.port} (4a)`
    this.stream.send(octets, `SOCKS4 request: ${commandText(command)} ${place}`)
  }

  /** A SOCKS4 reply: eight octets. */
  async reply4(limitMs: number = this.#timing.patienceMs): Promise<Reply4> {
    const octets = await this.stream.read(8, 'a SOCKS4 reply', limitMs)
    const decoded = decodeSocks4Reply(octets)
    if (decoded.kind !== 'whole') throw new Finding('a SOCKS4 reply', Buffer.from(octets).toString('hex'))
    const { version, code, bound } = decoded.value
    this.stream.line.meaning(`SOCKS4 reply: code ${code}${code === SOCKS4_GRANTED ? ', granted' : ', rejected'}`)
    return { version, code, bound }
  }

  async granted4(): Promise<Reply4> {
    const reply = await this.reply4()
    expectThat(reply.code === SOCKS4_GRANTED, 'code 90 (granted)', `code ${reply.code}`)
    return reply
  }

  async rejected4(): Promise<Reply4> {
    const reply = await this.reply4()
    expectThat(reply.code !== SOCKS4_GRANTED, 'code 91 (rejected)', 'code 90 (granted)')
    return reply
  }

  /** Sends octets through a tunnel to an echo, and reads them back. */
  async echo(octets: Uint8Array = longOctets(64)): Promise<void> {
    this.stream.send(octets, 'through the tunnel')
    await this.expectOctets(octets, 'the octets back from the echo')
  }

  /** The next octets are these. */
  async expectOctets(octets: Uint8Array, what: string): Promise<void> {
    const got = Buffer.from(await this.stream.read(octets.length, what))
    if (got.equals(octets)) return
    const at = got.findIndex((octet, index) => octet !== octets[index])
    throw new Finding(what, `other octets from number ${at} on: ${got.toString('hex', at, at + 16)}`)
  }

  /** The server ends the connection within the time that RFC 1928 section 6 leaves it. */
  async closed(limitMs: number = this.#timing.closeMs): Promise<void> {
    const ending = await this.stream.end(limitMs)
    if (ending === 'open') {
      this.stream.line.event('gave-up', `waited ${limitMs / 1000} s for the end`)
      throw new Finding('the end of the connection', `it is open after ${limitMs / 1000} s`)
    }
  }

  /** Nothing comes for the quiet time. */
  async quiet(what: string): Promise<void> {
    await this.stream.until(() => this.stream.waiting.length > 0, this.#timing.quietMs)
    expectThat(this.stream.waiting.length === 0, what, this.#sample())
  }

  /** The server does not serve: it says a failure, says nothing, or closes. `isService` recognises the octets of a grant. */
  async notServed(
    isService: (octets: Uint8Array) => boolean,
    what: string,
    limitMs: number = this.#timing.patienceMs,
  ): Promise<void> {
    await this.stream.until(() => isService(this.stream.waiting), limitMs)
    expectThat(!isService(this.stream.waiting), what, this.#sample())
  }

  #sample(): string {
    const { waiting } = this.stream
    return waiting.length === 0 ? 'nothing' : Buffer.from(waiting).toString('hex').slice(0, 64)
  }
}

const NONE = new Uint8Array(0)

/** 05, the number of methods, the methods. */
export function greeting(methods: readonly number[]): Uint8Array {
  return Uint8Array.of(5, methods.length, ...methods)
}

/** A login as RFC 1929 section 2 draws it. */
export function login(username: Uint8Array, password: Uint8Array, version = 1): Uint8Array {
  return concat([Uint8Array.of(version, username.length), username, Uint8Array.of(password.length), password])
}

/** 05 CMD 00 ATYP DST.ADDR DST.PORT. */
export function request(command: number, to: Destination): Uint8Array {
  return concat([Uint8Array.of(5, command, 0), encodeSocks5Address(to)])
}

/** A request whose name field holds any octets at all. */
export function requestForName(command: number, name: Uint8Array, port: number): Uint8Array {
  return concat([Uint8Array.of(5, command, 0, 3, name.length), name, Uint8Array.from(uint16(port))])
}

/** 04 CD PORT IPv4 USERID 00, and with a host 4a's address and HOST 00. */
export function request4(command: number, to: Endpoint, userid: Uint8Array = NONE, host?: string): Uint8Array {
  const ip = host === undefined ? to.address.octets : Uint8Array.of(0, 0, 0, 1)
  const parts = [Uint8Array.of(4, command, ...uint16(to.port)), ip, userid, Uint8Array.of(0)]
  if (host !== undefined) parts.push(utf8Octets(host), Uint8Array.of(0))
  return concat(parts)
}

/** A name as a destination. */
export function named(name: string, port: number): Destination {
  return { address: { type: 'domain', name }, port }
}

export function at(address: IpAddress, port: number): Endpoint {
  return { address, port }
}
