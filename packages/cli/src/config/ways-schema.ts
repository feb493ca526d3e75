/** The part of the schema that describes ways out. Imports zod: see schema.ts. */
import { parseIp } from '@socksmith/protocol'
import { parseNetwork } from '@socksmith/server'
import { z } from 'zod'
import { wayFaults } from '../ways/way-faults.ts'
import { isHttpsUrl } from '../dns/way-dns.ts'
import { type DnsConfig, FAMILIES, STRATEGIES, type WaysConfig } from './config.ts'
import { parseEndpoint } from './place-text.ts'
import { TARGET_EXPECTED, parseTarget } from '../reach/target-text.ts'
import { DURATION_EXPECTED, parseDuration } from './quantities.ts'

/** Linux's IFNAMSIZ is 16 octets with the zero at the end. */
const INTERFACE_OCTETS_MAX = 15

const duration = z
  .union([z.string(), z.number()], { error: DURATION_EXPECTED })
  .refine(value => parseDuration(value) !== undefined, { error: DURATION_EXPECTED })

const network = z
  .string({ error: 'expected an address or a prefix such as 2001:db8:1::/64' })
  .refine(text => parseNetwork(text) !== undefined, {
    error: 'expected an address or a prefix such as 2001:db8:1::/64, without bits behind the prefix',
  })

const link = z.string({ error: 'expected the URL of a proxy, or the name of another way' })

const member = z.strictObject({
  to: link.describe('URL of a proxy, or the name of another way.'),
  weight: z.int({ error: 'expected a whole number' }).min(1).max(100).describe('Its share among the others, 1 to 100.'),
})

const server = z
  .string({ error: 'expected the address of a DNS server such as 192.0.2.53 or [2001:db8::53]:53' })
  .refine(text => parseEndpoint(text, 53) !== undefined, {
    error: 'expected the address of a DNS server such as 192.0.2.53 or [2001:db8::53]:53',
  })

const address = z
  .string({ error: 'expected an IP address' })
  .refine(text => parseIp(text) !== undefined, { error: 'expected an IP address' })

const https = z
  .string({ error: 'expected a URL such as https://dns.example/dns-query' })
  .refine(isHttpsUrl, { error: 'expected a URL such as https://dns.example/dns-query' })

type DnsKeys = {
  readonly [K in 'https' | 'ca' | 'hosts' | 'prefer']: z.ZodExactOptional<z.ZodType<NonNullable<DnsConfig[K]>>>
}

/** The keys of `dns`, of the server and of a way. */
export function dnsKeys(): DnsKeys {
  return DNS_KEYS
}

const DNS_KEYS: DnsKeys = {
  https: https.exactOptional().describe('URL of a server that speaks DNS over HTTPS (RFC 8484).'),
  ca: z
    .string({ error: 'expected the path of a file' })
    .min(1)
    .exactOptional()
    .describe("File with the authorities to believe for https, PEM. The system's when nothing is said."),
  hosts: z
    .record(z.string(), z.union([address, z.array(address).min(1)], { error: 'expected an IP address, or several' }))
    .exactOptional()
    .describe('Names with their addresses, which nobody is asked for.'),
  prefer: z
    .enum(FAMILIES)
    .exactOptional()
    .describe('Which addresses of a name are tried first, or used at all: ipv4, ipv6, ipv4-only, ipv6-only.'),
}

const wayDns = z
  .strictObject({
    names: z
      .enum(['system', 'proxy'])
      .exactOptional()
      .describe("Who resolves: the system, or the last proxy. By the proxy's URL when nothing is said."),
    servers: z.array(server).min(1).exactOptional().describe('DNS servers to ask.'),
    over: z
      .enum(['tcp', 'udp'])
      .exactOptional()
      .describe('Ask through the way itself, by TCP or UDP. Straight when nothing is said.'),
    ...DNS_KEYS,
  })
  .superRefine((dns, context) => {
    const sources = (['names', 'servers', 'https'] as const).filter(key => dns[key] !== undefined)
    if (sources.length > 1) {
      context.addIssue({ code: 'custom', path: [sources[1] ?? ''], message: `expected it without ${sources[0]}` })
    }
    if (dns.over !== undefined && dns.servers === undefined && dns.https === undefined) {
      context.addIssue({ code: 'custom', path: ['over'], message: 'expected servers or https beside it' })
    }
    if (dns.over === 'udp' && dns.https !== undefined) {
      context.addIssue({ code: 'custom', path: ['over'], message: 'expected tcp for https' })
    }
    if (dns.ca !== undefined && dns.https === undefined) {
      context.addIssue({ code: 'custom', path: ['ca'], message: 'expected https beside it' })
    }
  })

const DNS_EXPECTED = 'expected system, proxy, the URL of a DNS server, its address, a list of addresses, or a map'

const check = z.strictObject({
  every: duration.describe('Pause between two questions to a proxy that works. One that does not is asked less often.'),
  to: z
    .string({ error: TARGET_EXPECTED })
    .refine(value => parseTarget(value) !== undefined, { error: TARGET_EXPECTED })
    .exactOptional()
    .describe(
      'HOST:PORT to connect to through the proxy. That it accepts a connection is enough when nothing is said.',
    ),
  timeout: duration.exactOptional().describe('How long an answer may take (5s).'),
  'back-off-max': duration.exactOptional().describe('The longest pause for a proxy that does not work (5m).'),
})

const way = z.strictObject({
  block: z.boolean().exactOptional().describe('Nothing goes by this way.'),
  chain: z.array(link).min(1).exactOptional().describe('Through all of these, in this order.'),
  pool: z
    .array(z.union([link, member], { error: 'expected the URL of a proxy, or a map with the keys "to" and "weight"' }))
    .min(1)
    .exactOptional()
    .describe('Through one of these that works.'),
  strategy: z.enum(STRATEGIES).exactOptional().describe('How the pool chooses; failover when nothing is said.'),
  'back-off': duration.exactOptional().describe('How long a proxy that failed is avoided at first (1s); it doubles.'),
  'back-off-max': duration.exactOptional().describe('And at most (1m).'),
  check: check.exactOptional().describe('Ask the proxies of the pool whether they work, before somebody needs them.'),
  sticky: z
    .string({ error: 'expected user, client or a credential parameter' })
    .regex(/^[a-z][a-z0-9_]{0,31}$/, { error: 'expected user, client or a credential parameter' })
    .exactOptional()
    .describe('Whoever is the same in this gets the same member of the pool, and the same source.'),
  source: z
    .union([network, z.array(network).min(1)], { error: 'expected addresses or prefixes' })
    .exactOptional()
    .describe('Addresses and whole prefixes to leave by. Of a family that is missing, nothing is reached.'),
  interface: z
    .string({ error: 'expected the name of a network interface' })
    .refine(name => /^[^\s/\0]+$/.test(name) && Buffer.byteLength(name) <= INTERFACE_OCTETS_MAX, {
      error: 'expected the name of a network interface, such as eth1',
    })
    .exactOptional()
    .describe('Only through this network interface. Needs the Linux engine.'),
  mark: z
    .int({ error: 'expected a whole number' })
    .min(0)
    .max(0xffff_ffff)
    .exactOptional()
    .describe('Mark of the packets, for the rules of the kernel. Needs the Linux engine and CAP_NET_ADMIN.'),
  dns: z
    .union([z.enum(['system', 'proxy']), https, server, z.array(server).min(1), wayDns], { error: DNS_EXPECTED })
    .exactOptional()
    .describe('How names are resolved for this way.'),
})

export const waysSchema: z.ZodType<WaysConfig> = z
  .record(z.string(), z.union([z.string(), way], { error: 'expected the URL of a proxy, block, or a map' }))
  .superRefine((ways, context) => {
    for (const { path, message } of wayFaults(ways)) context.addIssue({ code: 'custom', path: [...path], message })
  })
