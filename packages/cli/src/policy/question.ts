/** One question to a policy from the words of a command line, as the server of its configuration would understand it. */
import { type Resolver, createNodeEngine } from '@socksmith/engine'
import { COMMANDS, type CaseRequest, type Problem, nearest, readQuestion } from '@socksmith/policy'
import type { Config, DnsConfig } from '../config/config.ts'
import { usualResolver, wayResolver, withHosts } from '../dns/resolvers.ts'
import { dnsOfWay, hostsOf } from '../dns/way-dns.ts'
import { EXIT, type Outcome, done, trouble } from '../exit.ts'
import { parseTemplate, splitLogin } from '../users/login-template.ts'
import { type Users, readUsersFile } from '../users/users-file.ts'
import { wayMap } from '../ways/way-route.ts'
import type { OpenPolicy } from './open-policy.ts'

export interface QuestionFlags {
  readonly from?: string
  readonly user?: string
  readonly method?: string
  readonly listener?: string
  readonly protocol?: string
  readonly resolves?: readonly string[]
  readonly country?: string
  readonly asn?: string
  readonly at?: string
}

export interface Question {
  readonly request: CaseRequest
  /** Why the user cannot come so far as to ask. */
  readonly warning?: string
}

/** `CONNECT example.com:443`, by whom the flags say. */
export async function questionOf(
  words: readonly string[],
  flags: QuestionFlags,
  { config, listeners }: Pick<OpenPolicy, 'config' | 'listeners'>,
): Promise<Outcome<Question>> {
  const [command = '', to, ...rest] = words
  const plain = command.toLowerCase()
  if (rest.length > 0) return trouble(EXIT.USAGE, `expected COMMAND and HOST:PORT, not "${rest.join(' ')}" too`)
  if (!COMMANDS.some(word => word === plain)) {
    const meant = nearest(plain, COMMANDS)
    return trouble(
      EXIT.USAGE,
      `there is no command "${command}"; ${meant === undefined ? `say ${COMMANDS.join(', ')}` : `did you mean "${meant}"?`}`,
    )
  }
  const [only] = listeners
  const where = only !== undefined && listeners.length === 1 ? { listener: only } : {}
  const { from, user, method, listener, protocol, resolves, country, asn, at } = flags
  const said = { from, user, method, listener, protocol, resolves, country, asn, at, to }
  const given = Object.fromEntries(Object.entries(said).filter(([, value]) => value !== undefined))
  const question = readQuestion({ ...where, ...given, command: plain }, config && listeners)
  if (!question.ok) return trouble(EXIT.USAGE, question.problems.map(problemText).join('\n'))
  return done(config === undefined ? { request: question.request } : await asKnown(question.request, config))
}

function problemText({ path, message, suggestion }: Problem): string {
  const flag = path[0] === 'to' ? 'the target' : `--${String(path[0])}`
  return `${flag}: ${message}${suggestion === undefined ? '' : `; did you mean "${suggestion}"?`}`
}

/** The same of the user whom the server takes for the name that was said. */
async function asKnown(request: CaseRequest, { users: { file, template: text } }: Config): Promise<Question> {
  const { user: name, method } = request
  if (name === null) return { request }
  // Whoever asks may be somebody who must not read the file: then nobody is known.
  const read = file === undefined ? undefined : await readUsersFile(file)
  const known: Users = read?.ok === true ? read.value : new Map()
  const template = text === undefined ? undefined : parseTemplate(text)
  const mayLogIn = (one: string): boolean => known.has(one) && known.get(one)?.isDisabled !== true
  const user = (template && splitLogin(name, template, mayLogIn)?.user) ?? name
  const asked = { request: { ...request, user } }
  // A certificate stands for itself.
  if (read?.ok !== true || method !== 'password' || mayLogIn(user)) return asked
  const why = known.has(user) ? 'is disabled' : 'is no user'
  return { ...asked, warning: `${user} ${why} in ${file}, and cannot log in by password` }
}

/** Who is asked for the addresses of a name that leaves by this way: as in the server, but for what goes along the way. */
export function resolverFor(config: Pick<Config, 'dns' | 'ways'> | undefined, way: string): Resolver {
  const dns: DnsConfig = config?.dns ?? {}
  const own = dnsOfWay(wayMap(config?.ways[way] ?? {}))
  const engine = createNodeEngine()
  const usual = usualResolver(dns, engine, 1)
  const resolver = own.over === undefined ? wayResolver(own, { engine, resolver: usual }, engine, 1) : undefined
  return withHosts(resolver ?? usual, hostsOf(dns.hosts, own.hosts))
}
