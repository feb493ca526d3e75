/**
 * The flags of the configuration: one for every key of the file, with the same words. Plain data, so that --help needs
 * neither the schema nor its library. A test holds this table and the schema together.
 */
import {
  AUTHENTICATIONS,
  CLIENT_CERTIFICATES,
  COMMANDS,
  ENGINES,
  FAMILIES,
  LOG_FORMATS,
  LOG_SESSIONS,
  PROTOCOLS,
} from './config.ts'
import { LOGIN_WORDS } from './login.ts'
import type { Path } from './problem.ts'

/** `number`: what is no number is left to the schema. `list`: repeatable, and parted at commas unless `whole`. `switch`: without a value, and with `--no-`. */
export type FlagKind = 'text' | 'number' | 'list' | 'whole-list' | 'switch'

export interface ConfigFlag {
  readonly name: string
  /** The key that it sets. A path that starts with `listen` and goes on is set on every listener. */
  readonly path: Path
  readonly kind: FlagKind
  /** What stands for the value in --help. */
  readonly value?: string
  readonly group: string
  readonly description: string
  readonly choices?: readonly string[]
  /** The value is a file, relative to the working directory. */
  readonly isFile?: boolean
}

const LISTEN = 'Where to listen:'
const WHO = 'Who may come in, and what for:'
const HOW = 'How targets are reached:'
const RUN = 'Limits and the life of the process:'
const LOG = 'What is written down:'

const listener = (
  name: string,
  path: Path,
  kind: FlagKind,
  value: string,
  description: string,
  more: Partial<ConfigFlag> = {},
): ConfigFlag => ({ name, path: ['listen', ...path], kind, value, group: LISTEN, description, ...more })

const dns = (
  key: string,
  kind: FlagKind,
  value: string,
  description: string,
  more: Partial<ConfigFlag> = {},
): ConfigFlag => ({ name: `dns-${key}`, path: ['dns', key], kind, value, group: HOW, description, ...more })

export const CONFIG_FLAGS: readonly ConfigFlag[] = [
  {
    name: 'listen',
    path: ['listen'],
    kind: 'whole-list',
    value: 'ADDRESS:PORT',
    group: LISTEN,
    description: 'where to listen, also unix:/path; repeatable (default 127.0.0.1:1080)',
  },
  listener('name', ['name'], 'text', 'NAME', 'what rules call the listeners (default their addresses)'),
  listener('mode', ['mode'], 'text', 'MODE', 'file mode of Unix sockets, such as 0660'),
  listener('protocols', ['protocols'], 'list', 'LIST', 'what is spoken: socks4,socks5,http (default all)', {
    choices: PROTOCOLS,
  }),
  listener('tls-certificate', ['tls', 'certificate'], 'text', 'FILE', 'speak TLS with this certificate chain (PEM)', {
    isFile: true,
  }),
  listener('tls-key', ['tls', 'key'], 'text', 'FILE', 'and this private key (PEM)', { isFile: true }),
  listener(
    'tls-client-ca',
    ['tls', 'client-ca'],
    'text',
    'FILE',
    'authorities whose client certificates are believed (PEM)',
    { isFile: true },
  ),
  listener(
    'tls-client-certificate',
    ['tls', 'client-certificate'],
    'text',
    'WORD',
    'optional or required (default with --tls-client-ca: required)',
    { choices: CLIENT_CERTIFICATES },
  ),
  listener(
    'proxy-protocol-from',
    ['proxy-protocol-from'],
    'list',
    'NETWORKS',
    'expect a PROXY protocol header from these networks, and believe it',
  ),
  listener(
    'advertise',
    ['advertise'],
    'list',
    'ADDRESSES',
    'own addresses to tell clients for BIND and UDP, behind NAT',
  ),
  listener(
    'auth',
    ['auth'],
    'text',
    'WORD',
    'none, password, certificate or rules (default password if there are users)',
    {
      group: WHO,
      choices: AUTHENTICATIONS,
    },
  ),
  {
    name: 'users',
    path: ['users', 'file'],
    kind: 'text',
    value: 'FILE',
    group: WHO,
    description: 'file with users, made by "socksmith user add"',
    isFile: true,
  },
  {
    name: 'users-template',
    path: ['users', 'template'],
    kind: 'text',
    value: 'TEMPLATE',
    group: WHO,
    description: 'user names that carry parameters, such as {user}-session-{session}',
  },
  {
    name: 'policy',
    path: ['policy'],
    kind: 'text',
    value: 'FILE',
    group: WHO,
    description: 'rules for who may reach what',
    isFile: true,
  },
  {
    name: 'geo',
    path: ['geo'],
    kind: 'list',
    value: 'FILES',
    group: WHO,
    description: 'MaxMind DB files, for rules on countries and networks',
    isFile: true,
  },
  {
    name: 'access-inside-from',
    path: ['access', 'inside-from'],
    kind: 'list',
    value: 'NETWORKS',
    group: WHO,
    description: 'clients that may reach private and loopback targets (default loopback)',
  },
  {
    name: 'access-inside-open',
    path: ['access', 'inside-open'],
    kind: 'list',
    value: 'NETWORKS',
    group: WHO,
    description: 'private targets that everybody may reach',
  },
  {
    name: 'access-commands',
    path: ['access', 'commands'],
    kind: 'list',
    value: 'LIST',
    group: WHO,
    description: 'connect,bind,udp-associate (default all)',
    choices: COMMANDS,
  },
  {
    name: 'danger-open-proxy',
    path: ['danger-open-proxy'],
    kind: 'switch',
    group: WHO,
    description: 'allow a listener beyond loopback without any authentication',
  },
  {
    name: 'via',
    path: ['via'],
    kind: 'whole-list',
    value: 'URL',
    group: HOW,
    description: 'reach targets by this proxy; repeatable, which makes a chain; several parted by commas are a pool',
  },
  {
    name: 'outgoing',
    path: ['outgoing'],
    kind: 'list',
    value: 'ADDRESSES',
    group: HOW,
    description: 'leave by these addresses, one for each family',
  },
  dns('servers', 'list', 'ADDRESSES', "DNS servers to ask (default the system's resolver)"),
  dns('https', 'text', 'URL', 'a server that speaks DNS over HTTPS, such as https://dns.example/dns-query'),
  dns('ca', 'text', 'FILE', 'authorities to believe for it (PEM)', { isFile: true }),
  dns('prefer', 'text', 'WORD', 'ipv4, ipv6, ipv4-only or ipv6-only: which addresses to try first, or at all', {
    choices: FAMILIES,
  }),
  {
    name: 'bind-ports',
    path: ['bind', 'ports'],
    kind: 'text',
    value: 'FIRST-LAST',
    group: HOW,
    description: 'ports for BIND (default any)',
  },
  {
    name: 'bind-any-peer',
    path: ['bind', 'any-peer'],
    kind: 'switch',
    group: HOW,
    description: 'a BIND that names no peer accepts everybody',
  },
  {
    name: 'udp-ports',
    path: ['udp', 'ports'],
    kind: 'text',
    value: 'FIRST-LAST',
    group: HOW,
    description: 'ports that clients send datagrams to (default any)',
  },
  {
    name: 'udp-full-cone',
    path: ['udp', 'full-cone'],
    kind: 'switch',
    group: HOW,
    description: 'deliver datagrams from senders the client never wrote to',
  },
  {
    name: 'udp-reassemble',
    path: ['udp', 'reassemble'],
    kind: 'switch',
    group: HOW,
    description: 'reassemble SOCKS fragments instead of dropping them',
  },
  {
    name: 'engine',
    path: ['engine'],
    kind: 'text',
    value: 'ENGINE',
    group: HOW,
    description: 'auto, linux or node: what moves the octets (default auto: the fastest that runs here)',
    choices: ENGINES,
  },
  {
    name: 'control',
    path: ['control'],
    kind: 'text',
    value: 'PATH',
    group: RUN,
    description: 'Unix socket for "socksmith reload"',
    isFile: true,
  },
  {
    name: 'state',
    path: ['state'],
    kind: 'text',
    value: 'FILE',
    group: RUN,
    description: 'keep counted octets and bans in this file (default nothing is kept)',
    isFile: true,
  },
  ...LOGIN_WORDS.map(({ key, kind, description }): ConfigFlag => ({
    name: `login-${key}`,
    path: ['login', key],
    kind: kind === 'count' ? 'number' : 'text',
    value: kind === 'count' ? 'N' : 'TIME',
    group: WHO,
    description,
  })),
  {
    name: 'login-trusted',
    path: ['login', 'trusted'],
    kind: 'list',
    value: 'NETWORKS',
    group: WHO,
    description: 'addresses whose failed logins are not counted (default loopback)',
  },
  {
    name: 'workers',
    path: ['workers'],
    kind: 'text',
    value: 'N',
    group: HOW,
    description:
      'threads that serve, with the Linux engine (default auto: one for each core; 0: none but the main one)',
  },
  {
    name: 'drain',
    path: ['drain'],
    kind: 'text',
    value: 'TIME',
    group: RUN,
    description: 'how long sessions may go on after SIGTERM (default 30s)',
  },
  {
    name: 'log-format',
    path: ['log', 'format'],
    kind: 'text',
    value: 'FORMAT',
    group: LOG,
    description: 'auto, pretty or json (default auto: pretty on a terminal)',
    choices: LOG_FORMATS,
  },
  {
    name: 'log-sessions',
    path: ['log', 'sessions'],
    kind: 'text',
    value: 'LEVEL',
    group: LOG,
    description: 'full, no-targets or none (default full)',
    choices: LOG_SESSIONS,
  },
  {
    name: 'log-file',
    path: ['log', 'file'],
    kind: 'text',
    value: 'FILE',
    group: LOG,
    description: 'append the log to this file (default standard output)',
    isFile: true,
  },
]

/** The heading under which `--limit` and `--config` stand. */
export const RUN_GROUP: string = RUN
export const USERS_GROUP: string = WHO
