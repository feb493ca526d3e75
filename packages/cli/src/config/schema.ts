/**
 * The one description of the configuration: every key with its meaning, its default and its check. Imports zod, which
 * is slow to load: import this file only when a configuration is really read. Knows no file format and no flag.
 */
import { formatNetwork } from '@socksmith/policy'
import { DEFAULT_LIMITS, parseNetwork } from '@socksmith/server'
import { parseIp } from '@socksmith/protocol'
import { z } from 'zod'
import { viaFault } from '../reach/via.ts'
import { TEMPLATE_EXPECTED, parseTemplate } from '../users/login-template.ts'
import {
  AUTHENTICATIONS,
  CLIENT_CERTIFICATES,
  COMMANDS,
  type Config,
  ENGINES,
  LOG_FORMATS,
  LOG_SESSIONS,
  PROTOCOLS,
} from './config.ts'
import { LIMIT_WORDS, type LimitWord } from './limits.ts'
import { LOGIN_DEFAULTS, LOGIN_WORDS, type LoginWord } from './login.ts'
import { PLACE_EXPECTED, parseEndpoint, parsePlace } from './place-text.ts'
import {
  DURATION_EXPECTED,
  PORTS_EXPECTED,
  SIZE_EXPECTED,
  WORKERS_EXPECTED,
  formatDuration,
  formatSize,
  parseDuration,
  parsePortRange,
  parseSize,
  parseWorkers,
} from './quantities.ts'
import { dnsKeys, waysSchema } from './ways-schema.ts'

/** Checks a configuration and fills in the defaults. */
export function configSchema(): z.ZodType<Config> {
  return schema
}

/** The JSON Schema of the configuration file (draft 2020-12), with descriptions and defaults. */
export function configJsonSchema(): JsonSchema {
  return { title: 'socksmith configuration', ...(z.toJSONSchema(schema, { io: 'input' }) as JsonSchema) }
}

/** As much of a JSON Schema as is looked at here. */
export interface JsonSchema {
  readonly [keyword: string]: unknown
  readonly properties?: { readonly [key: string]: JsonSchema }
  readonly items?: JsonSchema
  readonly anyOf?: readonly JsonSchema[]
  readonly additionalProperties?: JsonSchema | boolean
}

function text(expected: string, fits: (text: string) => boolean): z.ZodType<string> {
  return z.string({ error: expected }).refine(fits, { error: expected })
}

function quantity(expected: string, fits: (value: string | number) => boolean): z.ZodType<string | number> {
  return z.union([z.string(), z.number()], { error: expected }).refine(fits, { error: expected })
}

const duration = (expected = DURATION_EXPECTED): z.ZodType<string | number> =>
  quantity(expected, value => parseDuration(value) !== undefined)
const ports = quantity(PORTS_EXPECTED, value => parsePortRange(value) !== undefined)
const path = text('expected the path of a file', value => value !== '' && !value.includes('\0'))
const networks = z.array(
  text(
    'expected a network such as 10.0.0.0/8 or 2001:db8::/32, without bits behind the prefix',
    value => parseNetwork(value) !== undefined,
  ),
)
const onePerFamily = z
  .array(text('expected an IP address such as 203.0.113.7 or 2001:db8::7', value => parseIp(value) !== undefined))
  .refine(list => new Set(list.map(one => parseIp(one)?.type)).size === list.length, {
    error: 'expected at most one IPv4 and one IPv6 address',
  })

function checkVia(text: string, context: z.RefinementCtx<string>): void {
  const fault = viaFault(text)
  if (fault !== undefined) context.addIssue({ code: 'custom', message: fault })
}

function limit(word: LimitWord): z.ZodType<string | number> {
  const value = DEFAULT_LIMITS[word.option]
  switch (word.kind) {
    case 'count': {
      const least = word.option === 'udpDatagramsPerSecond' ? 0 : 1
      return z
        .int({ error: 'expected a whole number' })
        .min(least)
        .max(10_000_000)
        .default(value)
        .describe(word.description)
    }
    case 'duration':
      return duration(`${DURATION_EXPECTED}${value === 0 ? ', or 0' : ''}`)
        .default(value === 0 ? 0 : formatDuration(value))
        .describe(word.description)
    case 'size':
      return quantity(SIZE_EXPECTED, given => parseSize(given) !== undefined)
        .default(formatSize(value))
        .describe(word.description)
  }
}

function loginValue({ option, kind, description }: LoginWord): z.ZodType<string | number> {
  const value = LOGIN_DEFAULTS[option]
  const told = `${description[0]?.toUpperCase()}${description.slice(1)}.`
  if (kind === 'count') {
    const least = option === 'delayAfter' ? 0 : 1
    return z.int({ error: 'expected a whole number' }).min(least).max(1_000_000).default(value).describe(told)
  }
  return duration().default(formatDuration(value)).describe(told)
}

const login = z.strictObject({
  ...Object.fromEntries(LOGIN_WORDS.map(word => [word.key, loginValue(word)])),
  trusted: networks
    .default(LOGIN_DEFAULTS.trusted.map(formatNetwork))
    .describe('Addresses that are never counted and never banned; so are Unix sockets.'),
})

const tls = z.strictObject({
  certificate: path.describe('File with the certificate and its chain, PEM. Re-read when it changes.'),
  key: path.describe('File with the private key, PEM. Re-read when it changes.'),
  'client-ca': path.exactOptional().describe('File with the authorities whose client certificates are believed, PEM.'),
  'client-certificate': z
    .enum(CLIENT_CERTIFICATES)
    .exactOptional()
    .describe('Whether a client must have a certificate; required when client-ca is set and nothing is said.'),
})

const address = text(PLACE_EXPECTED, value => parsePlace(value) !== undefined)

const listener = z.strictObject({
  address: address.describe('ADDRESS:PORT, or unix:/path. Port 0 takes any free port.'),
  name: text('expected a name', value => value.trim() !== '')
    .exactOptional()
    .describe('What rules call this listener. Its address when nothing is said.'),
  mode: text('expected a file mode in quotes such as "0660"', value => /^0?[0-7]{3}$/.test(value))
    .exactOptional()
    .describe('File mode of a Unix socket, in quotes.'),
  protocols: z
    .array(z.enum(PROTOCOLS))
    .min(1)
    .exactOptional()
    .describe('What is spoken here. All three when nothing is said; the first octet decides.'),
  auth: z
    .enum(AUTHENTICATIONS)
    .exactOptional()
    .describe('How a client proves who it is. When nothing is said: password if there are users, otherwise none.'),
  tls: tls.exactOptional().describe('TLS around everything spoken here.'),
  'proxy-protocol-from': networks
    .exactOptional()
    .describe('Peers in these networks must send a PROXY protocol header, and are believed.'),
  advertise: onePerFamily
    .exactOptional()
    .describe('Addresses told to clients in the replies to BIND and UDP ASSOCIATE, when this host is behind NAT.'),
})

const access = z.strictObject({
  'inside-from': networks
    .exactOptional()
    .describe(
      'Clients here may reach inside addresses (loopback, private, link-local). When nothing is said: loopback and Unix sockets.',
    ),
  'inside-open': networks.default([]).describe('Inside networks that everybody may reach.'),
  commands: z
    .array(z.enum(COMMANDS))
    .default([...COMMANDS])
    .describe('What may be asked for.'),
})

const bind = z.strictObject({
  ports: ports.exactOptional().describe('Ports to listen on for BIND. Any free port when nothing is said.'),
  'any-peer': z.boolean().default(false).describe('A BIND that names no peer accepts everybody.'),
})

const udp = z.strictObject({
  ports: ports.exactOptional().describe('Ports that clients send datagrams to. Any free port when nothing is said.'),
  'full-cone': z.boolean().default(false).describe('Deliver datagrams from senders the client never wrote to.'),
  reassemble: z.boolean().default(false).describe('Reassemble SOCKS fragments instead of dropping them.'),
})

const log = z.strictObject({
  format: z.enum(LOG_FORMATS).default('auto').describe('auto is pretty on a terminal and json elsewhere.'),
  sessions: z
    .enum(LOG_SESSIONS)
    .default('full')
    .describe('What is written about sessions: everything, everything but the targets, or nothing.'),
  file: path.exactOptional().describe('File to append to. Standard output when nothing is said.'),
})

const schema: z.ZodType<Config> = z.strictObject({
  listen: z
    .array(z.union([address, listener], { error: `${PLACE_EXPECTED}, or a map with the key "address"` }))
    .min(1)
    .default(['127.0.0.1:1080'])
    .describe('Where to listen.'),
  users: z
    .strictObject({
      file: path.exactOptional().describe('File with users and hashed passwords, made by "socksmith user add".'),
      template: text(TEMPLATE_EXPECTED, value => parseTemplate(value) !== undefined)
        .exactOptional()
        .describe(
          'User names that carry parameters, such as {user}-session-{session}. They do not when nothing is said.',
        ),
    })
    .prefault({})
    .describe('Who may log in.'),
  policy: z
    .union([path, z.record(z.string(), z.unknown())], {
      error: 'expected the path of a policy, or a map with its rules',
    })
    .exactOptional()
    .describe(
      'Who may reach what: the rules, or the path of a file with them. Everything outside when nothing is said.',
    ),
  geo: z.array(path).default([]).describe('MaxMind DB files that say in which country and network an address is.'),
  control: path.exactOptional().describe('Unix socket on which this server can be told to reload.'),
  state: path
    .exactOptional()
    .describe(
      'File that keeps counted octets and bans over the end of the server (SQLite). Nothing is kept when nothing is said.',
    ),
  login: login.prefault({}).describe('What failed logins lead to: later answers, then bans.'),
  access: access.prefault({}).describe('What may be reached, and by whom.'),
  bind: bind.prefault({}).describe('The BIND command.'),
  udp: udp.prefault({}).describe('The UDP ASSOCIATE command.'),
  limits: z
    .strictObject(Object.fromEntries(LIMIT_WORDS.map(word => [word.key, limit(word)])))
    .prefault({})
    .describe('A limit on everything. Durations as 500ms, 30s, 5m, 2h; sizes as 64KiB.'),
  via: z
    .array(z.string().superRefine(checkVia))
    .default([])
    .describe(
      'Proxies to reach targets by, as URLs: several are a chain; one text with several URLs, parted by commas, is a pool. Directly when empty.',
    ),
  outgoing: onePerFamily
    .default([])
    .describe("Addresses to leave by, at most one for each family. The kernel's choice when empty."),
  ways: waysSchema.default({}).describe('Ways out by the names that rules use (via): see docs/ways.md.'),
  dns: z
    .strictObject({
      servers: z
        .array(
          text(
            'expected the address of a DNS server such as 192.0.2.53 or [2001:db8::53]:53',
            value => parseEndpoint(value, 53) !== undefined,
          ),
        )
        .default([])
        .describe("DNS servers to ask. The system's resolver when empty."),
      ...dnsKeys(),
    })
    .superRefine((dns, context) => {
      if (dns.https !== undefined && dns.servers.length > 0) {
        context.addIssue({ code: 'custom', path: ['https'], message: 'expected it without servers' })
      }
      if (dns.ca !== undefined && dns.https === undefined) {
        context.addIssue({ code: 'custom', path: ['ca'], message: 'expected https beside it' })
      }
    })
    .prefault({})
    .describe('How names are resolved.'),
  log: log.prefault({}).describe('What is written down.'),
  drain: duration().default('30s').describe('How long sessions may go on after SIGTERM or SIGINT.'),
  engine: z.enum(ENGINES).default('auto').describe('What moves the octets.'),
  workers: quantity(WORKERS_EXPECTED, value => parseWorkers(value) !== undefined)
    .default('auto')
    .describe('Threads that serve, with the Linux engine; auto is one for each core, 0 serves in the main thread.'),
  'danger-open-proxy': z
    .boolean()
    .default(false)
    .describe('Allow a listener beyond loopback that asks nobody for a password. The whole Internet will use it.'),
})
