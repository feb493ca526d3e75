/**
 * Two ways to ask for the addresses of a name. `systemLookup` is the default: it asks as every other program of the
 * machine does (/etc/hosts, nsswitch, mDNS, search domains), which is what people expect and test with. Its cost: each
 * question holds one of libuv's few threads (4 by default), which file access and password hashing need as well; so the
 * caller must keep `concurrentMax` below that. `serverLookup` speaks DNS itself, without threads, so that a name server
 * that does not answer delays nobody else; but it knows DNS only. It is for servers with many names, and is asked for.
 */
import { lookup, Resolver } from 'node:dns/promises'
import { codeOfErrno, comparableName, parseIp } from '@socksmith/protocol'
import type { Failure, IpAddress } from '@socksmith/protocol'
import type { Resolution } from '../resolver.ts'
import { errnoOf } from './system-failure.ts'

/**
 * How often a question is asked, and how many milliseconds lie between two times at most: ten seconds in all. Of a name server that
 * was quick so far c-ares waits a second only, which makes seven; but a name that nobody has asked for lately takes long anywhere.
 */
const DNS_TRIES = 5
const DNS_TIMEOUT_MS = 2_000

/** RFC 6761 section 6.3: no name server is asked for this host. */
const LOOPBACK: readonly IpAddress[] = ['::1', '127.0.0.1'].map(parseIp).filter(one => one !== undefined)

/** Asks the operating system. */
export const systemLookup = async (name: string): Promise<Resolution> => {
  try {
    // "localhost." is that name too, but /etc/hosts does not have it, and a name server must not be asked.
    const found = await lookup(isLocalhost(name) ? comparableName(name) : name, { all: true, order: 'verbatim' })
    return found.map(one => parseIp(one.address)).filter(one => one !== undefined)
  } catch (error) {
    return lookupFailure(error)
  }
}

/** Asks the given name servers (`"192.0.2.53"`, `"[2001:db8::53]:5353"`) by DNS; throws for a text that is none. */
export function serverLookup(servers: readonly string[]): (name: string) => Promise<Resolution> {
  const resolver = new Resolver({ timeout: DNS_TIMEOUT_MS, maxTimeout: DNS_TIMEOUT_MS, tries: DNS_TRIES })
  resolver.setServers(servers)
  return async name => {
    if (isLocalhost(name)) return LOOPBACK
    const answers = await Promise.allSettled([resolver.resolve6(name), resolver.resolve4(name)])
    const found = answers.flatMap(answer => (answer.status === 'fulfilled' ? answer.value : []))
    const addresses = found.map(parseIp).filter((one): one is IpAddress => one !== undefined)
    if (addresses.length > 0) return addresses
    // "No data" for one family says less than what went wrong with the other.
    const reasons = answers.flatMap(answer => (answer.status === 'rejected' ? [answer.reason as unknown] : []))
    return lookupFailure(reasons.find(reason => errnoOf(reason) !== 'ENODATA') ?? reasons[0])
  }
}

function isLocalhost(name: string): boolean {
  return /^(.*\.)?localhost$/.test(comparableName(name))
}

/** Whatever a name server did, it was not the target that refused: the name was not found, or not in time. */
function lookupFailure(error: unknown): Failure {
  const errno = errnoOf(error)
  const isLate = errno === 'ETIMEOUT' || codeOfErrno(errno) === 'timed_out'
  const code = isLate ? 'name_timed_out' : 'name_not_found'
  return errno === undefined ? { code, blame: 'target' } : { code, blame: 'target', errno }
}
