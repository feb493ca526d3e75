/** Everything that is fuzzed, with what earlier runs kept. */
import { existsSync, readFileSync } from 'node:fs'
import { fromHex } from '@socksmith/protocol'
import type { Target } from './fuzz.ts'

/** The file of a target's corpus: one input a line, in hex. */
export function corpusFile(name: string): URL {
  return new URL(`corpus/${name}.txt`, import.meta.url)
}

/** Targets that are loaded together. */
export interface TargetGroup {
  /** Known before it is loaded, so that time can be shared out among those that are chosen. */
  readonly names: readonly string[]
  readonly load: () => Promise<readonly Target[]>
}

/** In groups, each loaded when it is wanted: to ask for coverage takes the longer, the more code there is. */
export const GROUPS: readonly TargetGroup[] = [
  {
    names: [
      'socks4.request',
      'socks4.reply',
      'socks5.greeting',
      'socks5.selection',
      'socks5.request',
      'socks5.reply',
      'socks5.udp',
      'rfc1929.request',
      'rfc1929.reply',
      'http.connect-request',
      'http.connect-response',
      'proxy.v1',
      'proxy.v2',
      'ident.query',
      'ident.reply',
      'rfc1961.frame',
      'chap',
      'maf',
      'eap',
      'ssl',
      'json',
      'socks6.request',
      'socks6.auth-reply',
      'socks6.operation-reply',
      'socks6.udp',
      'uot.request',
      'uot.packet',
      'udp.gost',
      'udp.hev',
      'dns',
    ],
    load: async () => (await import('./decoder-targets.ts')).DECODER_TARGETS.map(withKept),
  },
  {
    names: ['server-handshake', 'client-handshake'],
    load: async () => (await import('./handshake-targets.ts')).HANDSHAKE_TARGETS.map(withKept),
  },
  {
    names: ['config-yaml', 'config-toml', 'policy'],
    load: async () => (await import('./text-targets.ts')).TEXT_TARGETS.map(withKept),
  },
]

function withKept(target: Target): Target {
  return { ...target, seeds: [...target.seeds, ...keptOf(target.name)] }
}

/** What earlier runs kept of a target. */
export function keptOf(name: string): readonly Uint8Array[] {
  const file = corpusFile(name)
  if (!existsSync(file)) return []
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter(line => line !== '')
    .map(line => {
      const octets = fromHex(line)
      if (octets === undefined) throw new Error(`${file.pathname}: not hex: ${line.slice(0, 40)}`)
      return octets
    })
}
