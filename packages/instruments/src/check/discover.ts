/** Finds out what a server offers, by asking for each thing once and rightly. Judges nothing: that is for the cases. */
import { type Abilities, type Ability, CAN, NEEDS, type Need, lack, unknown } from './ability.ts'
import { type Answer, GREETINGS, type Greetings, greet, mannersOf, strangerText } from './contact.ts'
import { Finding } from './finding.ts'
import {
  QUESTIONS_4,
  QUESTIONS_5,
  type Question,
  type Response,
  type Responses4,
  abilities4,
  abilities5,
} from './offer.ts'
import { type Pace, Probe, type Surroundings } from './probe.ts'
import { isOnThisHost } from '../this-host.ts'

/** What was found: the abilities, or why the server cannot be checked at all. */
export type Discovery =
  | {
      readonly kind: 'found'
      readonly abilities: Abilities
      /** How long a connection to the server takes. */
      readonly connectMs: number
    }
  | { readonly kind: 'hopeless'; readonly reason: string }

/** Asks the server; `onStep` is told what is asked next. */
export async function discover(
  surroundings: Omit<Surroundings, 'abilities'>,
  pace: Pace,
  onStep: (what: string) => void,
): Promise<Discovery> {
  const { proxy, timing, targets } = surroundings
  const found: Record<Need, Ability> = { ...nothing(), ...whereabouts(surroundings) }
  const inquiry = new Inquiry({ ...surroundings, abilities: found }, pace)
  onStep('versions and methods')
  const startedMs = performance.now()
  const closed = await inquiry.finding(probe => probe.open())
  const connectMs = Math.ceil(performance.now() - startedMs)
  if (closed !== undefined) return hopeless(`there is no connection to ${proxy.label}: ${closed.got}`)
  const { greetings, responses4 } = await inquiry.firstContact()
  Object.assign(found, abilities4(responses4))
  const isSocks4 = found.socks4.has || found.socks4a.has
  const { isSocks5, isOpen, takesPassword, wantsPassword } = mannersOf(greetings)
  if (!isSocks5) {
    const isTlsThere = !isSocks4 && !proxy.isTls && (await inquiry.finding(probe => probe.speaksTls())) === undefined
    found.socks5 = lack(strangerText(greetings, isTlsThere, timing.patienceMs))
    return isSocks4 ? { kind: 'found', abilities: found, connectMs } : hopeless(found.socks5.reason)
  }
  const isNamed = proxy.username !== undefined
  if (wantsPassword && !isNamed) {
    return hopeless('the server wants a password: name user and password in the URL, socks5://USER:PASSWORD@HOST:PORT')
  }
  found.socks5 = CAN
  if (isNamed) found.user = CAN
  if (isNamed && takesPassword) {
    found.auth = CAN
    // Whether it also lets in who has none, and since when, is for S5-MET-06: what else is asked must not depend on it.
    found.open = lack('the suite comes in by the password of the URL')
  } else {
    found.auth = lack(isNamed ? 'it does not take one' : 'the URL names no user')
    if (isOpen) found.open = CAN
  }
  const shut = await inquiry.finding(probe => probe.enter())
  if (shut !== undefined && found.auth.has) {
    return hopeless(`the server does not take this user and password: ${shut.message}`)
  }
  onStep('commands and address types')
  Object.assign(
    found,
    // S5-GRE-01 and S5-REQ-01 are asked all the same, and fail.
    shut === undefined
      ? abilities5(await inquiry.responses(QUESTIONS_5), targets)
      : Object.fromEntries(BEHIND_THE_DOOR.map(need => [need, unknown(`no client comes in: ${shut.message}`)])),
  )
  return { kind: 'found', abilities: found, connectMs }
}

const BEHIND_THE_DOOR = ['connect', 'name', 'ipv4', 'ipv6', 'bind', 'udp'] as const satisfies readonly Need[]

function hopeless(reason: string): Discovery {
  return { kind: 'hopeless', reason }
}

function nothing(): Record<Need, Ability> {
  const needs = Object.keys(NEEDS) as Need[]
  const lacks = needs.map(need => [need, need === 'user' ? lack('there are none') : lack('it was not found')])
  return Object.fromEntries(lacks) as Record<Need, Ability>
}

function whereabouts({
  proxyAddress,
}: Omit<Surroundings, 'abilities'>): Pick<Record<Need, Ability>, 'here' | 'elsewhere'> {
  return isOnThisHost(proxyAddress)
    ? { here: CAN, elsewhere: lack('it is on this host, whose clients reach such addresses anyway') }
    : { here: lack('it is elsewhere'), elsewhere: CAN }
}

function isUnanswered({ octets, isOver }: Answer): boolean {
  return octets.length === 0 && !isOver
}

/** Asks questions, each with a probe of its own. */
class Inquiry {
  readonly #surroundings: Surroundings
  readonly #pace: Pace

  constructor(surroundings: Surroundings, pace: Pace) {
    this.#surroundings = surroundings
    this.#pace = pace
  }

  /** Why the server does not do this; `undefined` when it does. */
  async finding(deed: (probe: Probe) => Promise<unknown>): Promise<Finding | undefined> {
    const outcome = await this.#tryOut(async probe => void (await deed(probe)))
    return outcome instanceof Finding ? outcome : undefined
  }

  /** All greetings and SOCKS4 at once: a server that knows none of them takes its time over each. */
  async firstContact(): Promise<{ readonly greetings: Greetings; readonly responses4: Responses4 }> {
    const [greetings, responses4] = await Promise.all([
      this.#all(GREETINGS, methods => this.#greet(methods)),
      this.#all(QUESTIONS_4, question => this.#ask(question)),
    ])
    const responses = Object.values(responses4)
    const isSilent = Object.values(greetings).every(isUnanswered) && responses.every(({ kind }) => kind === 'silence')
    if (isSilent) return { greetings, responses4 }
    // Where somebody speaks, silence may have been lateness, and many cases hang on it.
    return {
      greetings: await this.#all(GREETINGS, async (methods, key) =>
        isUnanswered(greetings[key]) ? this.#greet(methods) : greetings[key],
      ),
      responses4: await this.#again(QUESTIONS_4, responses4),
    }
  }

  /** What the server says to each, asked at once; to silence a second time. */
  async responses<Q extends string>(questions: Readonly<Record<Q, Question>>): Promise<Readonly<Record<Q, Response>>> {
    return this.#again(questions, await this.#all(questions, question => this.#ask(question)))
  }

  #again<Q extends string>(
    questions: Readonly<Record<Q, Question>>,
    first: Readonly<Record<Q, Response>>,
  ): Promise<Readonly<Record<Q, Response>>> {
    return this.#all(questions, async (question, key) =>
      first[key].kind === 'silence' ? this.#ask(question) : first[key],
    )
  }

  async #all<Q extends string, T, R>(
    all: Readonly<Record<Q, T>>,
    deed: (one: T, key: Q) => Promise<R>,
  ): Promise<Readonly<Record<Q, R>>> {
    const done = (Object.keys(all) as Q[]).map(async key => [key, await deed(all[key], key)] as const)
    return Object.fromEntries(await Promise.all(done)) as Record<Q, R>
  }

  async #greet(methods: readonly number[]): Promise<Answer> {
    const answer = await this.#tryOut(probe => greet(probe, methods))
    return answer instanceof Finding ? { octets: new Uint8Array(0), isOver: true } : answer
  }

  async #ask(question: Question): Promise<Response> {
    const response = await this.#tryOut(question)
    return response instanceof Finding ? { kind: 'broken', text: `it answers ${response.got}` } : response
  }

  async #tryOut<T>(question: (probe: Probe) => Promise<T>): Promise<T | Finding> {
    const probe = new Probe(this.#surroundings, this.#pace)
    try {
      return await question(probe)
    } catch (error) {
      if (error instanceof Finding) return error
      throw error
    } finally {
      probe.dispose()
    }
  }
}
