/** The part of the schema that describes ways out. Imports zod: see schema.ts. */
import { parseNetwork } from '@socksmith/server'
import { z } from 'zod'
import { wayFaults } from '../ways/way-faults.ts'
import { STRATEGIES, type WaysConfig } from './config.ts'
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
})

export const waysSchema: z.ZodType<WaysConfig> = z
  .record(z.string(), z.union([z.string(), way], { error: 'expected the URL of a proxy, block, or a map' }))
  .superRefine((ways, context) => {
    for (const { path, message } of wayFaults(ways)) context.addIssue({ code: 'custom', path: [...path], message })
  })
