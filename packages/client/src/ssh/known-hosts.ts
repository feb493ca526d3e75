/** Reads OpenSSH's known_hosts (sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT"): is this the key of that host? */
import { createHmac } from 'node:crypto'
import { comparableName } from '@socksmith/protocol'

/**
 * True when a line of `text` gives this key to `host`. Lines with markers (`@revoked`, `@cert-authority`) are no
 * promise of a plain key; a revoked key is refused even if another line has it.
 */
export function isKnownHostKey(text: string, host: string, port: number, key: Uint8Array): boolean {
  const name = port === 22 ? comparableName(host) : `[${comparableName(host)}]:${port}`
  const wanted = Buffer.from(key).toString('base64')
  const lines = text.split(/\r?\n/).filter(line => line !== '' && !line.startsWith('#'))
  const matching = lines.map(fieldsOf).filter(line => line?.key === wanted && namesHost(line.hosts, name))
  return matching.some(line => line?.marker === undefined) && !matching.some(line => line?.marker === '@revoked')
}

interface Line {
  readonly marker: string | undefined
  readonly hosts: string
  readonly key: string
}

function fieldsOf(line: string): Line | undefined {
  const fields = line.trim().split(/\s+/)
  const marker = fields[0]?.startsWith('@') ? fields.shift() : undefined
  const [hosts, , key] = fields
  return hosts === undefined || key === undefined ? undefined : { marker, hosts, key }
}

function namesHost(hosts: string, name: string): boolean {
  const hashed = /^\|1\|([^|]+)\|(.+)$/.exec(hosts)
  if (hashed !== null) {
    const [, salt = '', digest] = hashed
    return createHmac('sha1', Buffer.from(salt, 'base64')).update(name).digest('base64') === digest
  }
  const patterns = hosts.split(',')
  if (patterns.some(pattern => pattern.startsWith('!') && wildcard(pattern.slice(1)).test(name))) return false
  return patterns.some(pattern => wildcard(pattern).test(name))
}

function wildcard(pattern: string): RegExp {
  const escaped = pattern.replaceAll(/[.+^${}()|[\]\\]/g, String.raw`\$&`)
  return new RegExp(`^${escaped.replaceAll('*', '.*').replaceAll('?', '.')}$`, 'i')
}
