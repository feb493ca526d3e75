/** Policies for tests, as a file would hold them. */
import assert from 'node:assert/strict'
import { type IpAddress, parseIp } from '@socksmith/protocol'
import { type Decider, type Facts, type Policy, type PolicySource, compile, readPolicy } from '../src/index.ts'

/** The policy, which must be right; `files` are the texts of its sets. */
export function policyOf(
  raw: object,
  files: Readonly<Record<string, string>> = {},
  names: Partial<PolicySource> = {},
): Policy {
  const read = readPolicy(raw, sourceOf(files, names))
  assert.ok(read.ok, read.ok ? '' : JSON.stringify(read.problems))
  return read.policy
}

/** Line N is where the Nth element of a list stands. */
export function sourceOf(
  files: Readonly<Record<string, string>> = {},
  names: Partial<PolicySource> = {},
): PolicySource {
  return {
    file: 'policy.yaml',
    lineOf: path => (path.find(part => typeof part === 'number') ?? 0) + 1,
    readText: file => {
      const text = files[file]
      return text === undefined ? { fault: 'there is no such file' } : { text }
    },
    ...names,
  }
}

export function deciderOf(raw: object, files: Readonly<Record<string, string>> = {}): Decider {
  return compile(policyOf(raw, files))
}

export function ip(text: string): IpAddress {
  const address = parseIp(text)
  assert.ok(address, text)
  return address
}

/** A CONNECT of alice to 93.184.216.34 port 443, but for what is said. */
export function factsOf(said: Partial<Facts> = {}): Facts {
  return {
    // A Wednesday.
    nowMs: Date.UTC(2026, 10, 18, 12),
    client: ip('192.0.2.7'),
    listener: 'public',
    protocol: 'socks5',
    method: 'password',
    user: 'alice',
    command: 'connect',
    host: null,
    address: ip('93.184.216.34'),
    port: 443,
    ...said,
  }
}
