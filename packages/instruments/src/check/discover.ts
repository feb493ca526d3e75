/** Finds out what a server can do, by asking for each thing once and rightly. Judges nothing. */
import { ANY_IPV4, METHOD, NO_ENDPOINT, encodeSocks5Datagram, formatAddress } from '@socksmith/protocol'
import { type Abilities, type Ability, NEEDS, type Need } from './ability.ts'
import { at, named } from './dialogue.ts'
import { Finding } from './finding.ts'
import { COMMAND, type Pace, Probe, type Surroundings } from './probe.ts'
import { relayOf } from './relay.ts'
import { longOctets } from './transcript.ts'
import { methodText } from './words.ts'

/** What was found: the abilities, or why the server cannot be checked at all. */
export type Discovery =
  | { readonly kind: 'found'; readonly abilities: Abilities }
  | { readonly kind: 'hopeless'; readonly reason: string }

const CAN: Ability = { has: true }

/** Asks the server; `onStep` is told what is asked next. */
export async function discover(
  surroundings: Omit<Surroundings, 'abilities'>,
  pace: Pace,
  onStep: (what: string) => void,
): Promise<Discovery> {
  const found: Record<Need, Ability> = { ...nothing(), ...whereabouts(surroundings) }
  const ask = async (need: Need, question: (probe: Probe) => Promise<void>): Promise<void> => {
    const startedMs = performance.now()
    const once = (): Promise<Ability> => tryOut({ ...surroundings, abilities: found }, pace, question)
    const first = await once()
    // Many cases hang on it: an answer that may only have been late is asked for twice.
    const isLate = performance.now() - startedMs >= surroundings.timing.patienceMs
    found[need] = first.has || !isLate ? first : await once()
  }
  onStep('versions and methods')
  await ask('open', probe => choose(probe, METHOD.none))
  // A password that is only one of the ways in does not show whether it is asked for.
  const wantsPassword = !found.open.has
  if (wantsPassword) await ask('auth', probe => choose(probe, METHOD.userPassword))
  if (wantsPassword && found.auth.has) {
    if (surroundings.proxy.username === undefined) {
      return hopeless(
        'the server wants a password: name user and password in the URL, socks5://USER:PASSWORD@HOST:PORT',
      )
    }
    const login = await tryOut({ ...surroundings, abilities: found }, pace, async probe => void (await probe.enter()))
    if (!login.has) return hopeless(`the server does not take this user and password: ${login.reason}`)
  }
  found.socks5 = found.open.has ? CAN : found.auth
  // At once: a server that answers none of them takes its time over each.
  onStep('commands and address types')
  await Promise.all(QUESTIONS.map(([need, question]) => ask(need, question)))
  if (!found.socks5.has && !found.socks4.has) {
    return hopeless(`it speaks neither SOCKS5 (${found.socks5.reason}) nor SOCKS4 (${found.socks4.reason})`)
  }
  return { kind: 'found', abilities: found }
}

function hopeless(reason: string): Discovery {
  return { kind: 'hopeless', reason }
}

function nothing(): Record<Need, Ability> {
  const lack: Ability = { has: false, reason: 'it was not found' }
  return Object.fromEntries(Object.keys(NEEDS).map(need => [need, lack])) as Record<Need, Ability>
}

function whereabouts({
  proxyAddress,
}: Omit<Surroundings, 'abilities'>): Pick<Record<Need, Ability>, 'here' | 'elsewhere'> {
  const isHere = isLoopback(formatAddress(proxyAddress))
  return isHere
    ? { here: CAN, elsewhere: { has: false, reason: 'it is on this host, whose clients reach such addresses anyway' } }
    : { here: { has: false, reason: 'it is elsewhere' }, elsewhere: CAN }
}

/** True for 127.0.0.0/8 and ::1, as text. */
export function isLoopback(address: string): boolean {
  return /^(::ffff:)?127\./.test(address) || address === '::1'
}

async function tryOut(
  surroundings: Surroundings,
  pace: Pace,
  question: (probe: Probe) => Promise<void>,
): Promise<Ability> {
  const probe = new Probe(surroundings, pace)
  try {
    await question(probe)
    return CAN
  } catch (error) {
    if (error instanceof Finding) return { has: false, reason: error.message }
    throw error
  } finally {
    probe.dispose()
  }
}

async function choose(probe: Probe, method: number): Promise<void> {
  const dialogue = await probe.open()
  dialogue.greet(method)
  const selected = await dialogue.selection()
  if (selected !== method) throw new Finding(methodText(method), methodText(selected))
}

type Question = readonly [Need, (probe: Probe) => Promise<void>]

const SOCKS5_QUESTIONS: readonly Question[] = [
  ['connect', async probe => (await probe.tunnel(probe.targets.tcp('echo'))).echo()],
  [
    'name',
    async probe => {
      const dialogue = await probe.enter()
      dialogue.request(COMMAND.connect, named('localhost', probe.targets.port('echo')))
      await dialogue.success()
      await dialogue.echo()
    },
  ],
  [
    'ipv6',
    async probe => {
      const { address6 } = probe.targets
      if (address6 === undefined) throw new Finding('targets over IPv6', 'none')
      await (await probe.tunnel(at(address6, probe.targets.port('echo')))).echo()
    },
  ],
  [
    'bind',
    async probe => {
      const dialogue = await probe.enter()
      dialogue.request(COMMAND.bind, at(probe.targets.address, probe.targets.port('echo')))
      await dialogue.success()
    },
  ],
  [
    'udp',
    async probe => {
      const dialogue = await probe.enter()
      dialogue.request(COMMAND.udpAssociate, NO_ENDPOINT)
      const relay = relayOf(probe, dialogue, await dialogue.success())
      const datagrams = await probe.datagrams()
      const data = longOctets(16)
      datagrams.send(encodeSocks5Datagram({ frag: 0, destination: probe.targets.udpEcho(), data }), relay.at, relay.of)
      const answer = await datagrams.receive(probe.timing.patienceMs)
      if (answer === undefined) throw new Finding('the answer of a UDP echo', 'nothing')
    },
  ],
]

const SOCKS4_QUESTIONS: readonly Question[] = [
  [
    'socks4',
    async probe => {
      const dialogue = await probe.open()
      dialogue.request4(COMMAND.connect, probe.targets.tcp('echo'))
      await dialogue.granted4()
      await dialogue.echo()
    },
  ],
  [
    'socks4a',
    async probe => {
      const dialogue = await probe.open()
      dialogue.request4(COMMAND.connect, at(ANY_IPV4, probe.targets.port('echo')), { host: 'localhost' })
      await dialogue.granted4()
      await dialogue.echo()
    },
  ],
  [
    'bind4',
    async probe => {
      const dialogue = await probe.open()
      dialogue.request4(COMMAND.bind, at(probe.targets.address, probe.targets.port('echo')))
      await dialogue.granted4()
    },
  ],
]

const QUESTIONS: readonly Question[] = [...SOCKS5_QUESTIONS, ...SOCKS4_QUESTIONS]
