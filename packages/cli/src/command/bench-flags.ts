/** The flags of `bench`, checked: what may be loaded, with what, for how long. Opens nothing. */
import {
  type BenchOptions,
  type ProxyPlace,
  ALL_MODES,
  DATAGRAM_OCTETS_MIN,
  DEFAULT_SETTINGS,
  type Mode,
  RATE_MODES,
  findProxy,
  isOnThisHost,
  isRunning,
  parseProxyUrl,
} from '@socksmith/instruments/bench'
import { type IpAddress, checkNameText, isUnspecified, parseIp } from '@socksmith/protocol'
import { EXIT, type Outcome, done, trouble } from '../exit.ts'

/** The flags as commander gives them. */
export interface BenchFlags {
  readonly mode?: readonly string[]
  readonly streams?: string
  readonly seconds?: string
  readonly rounds?: string
  readonly warmUp?: string
  readonly messageOctets?: string
  readonly datagramOctets?: string
  readonly window?: string
  readonly hold?: string
  readonly busy?: string
  readonly pid?: readonly string[]
  readonly targetOn?: string
  readonly targetName?: string
  readonly iMayLoadThis?: boolean
  readonly json?: boolean
}

type NumberFlag =
  | 'streams'
  | 'seconds'
  | 'rounds'
  | 'warmUp'
  | 'messageOctets'
  | 'datagramOctets'
  | 'window'
  | 'hold'
  | 'busy'

interface Range {
  readonly flag: string
  readonly least: number
  readonly most: number
  readonly isWhole: boolean
}

const NUMBERS: { readonly [F in NumberFlag]: Range } = {
  // A process may rarely have more descriptors, and a tunnel takes one at each end of the load.
  streams: { flag: '--streams', least: 1, most: 500_000, isWhole: true },
  seconds: { flag: '--seconds', least: 0.1, most: 3_600, isWhole: false },
  rounds: { flag: '--rounds', least: 1, most: 1_000, isWhole: true },
  warmUp: { flag: '--warm-up', least: 0, most: 3_600, isWhole: false },
  messageOctets: { flag: '--message-octets', least: 1, most: 65_536, isWhole: true },
  // A datagram of IPv4 carries 65,507 octets; the header of SOCKS takes up to 22 of them.
  datagramOctets: { flag: '--datagram-octets', least: DATAGRAM_OCTETS_MIN, most: 65_485, isWhole: true },
  hold: { flag: '--hold', least: 0, most: 86_400, isWhole: false },
  busy: { flag: '--busy', least: 0, most: 500_000, isWhole: true },
  window: { flag: '--window', least: 1, most: 4_096, isWhole: true },
}

const ROUNDS = 3
const HOLD_SECONDS = 1

/** What `runBench` is to do, or which flag is wrong. */
export async function benchOptions(url: string, flags: BenchFlags): Promise<Outcome<Omit<BenchOptions, 'onProgress'>>> {
  const proxy = await proxyOf(url, flags)
  if (!proxy.ok) return proxy
  const numbers: { [F in NumberFlag]?: number } = {}
  for (const [key, range] of Object.entries(NUMBERS) as [NumberFlag, Range][]) {
    const text = flags[key]
    const value = text === undefined ? undefined : Number(text)
    if (value === undefined) continue
    const fits =
      text !== '' && value >= range.least && value <= range.most && (!range.isWhole || Number.isInteger(value))
    if (!fits)
      return trouble(EXIT.USAGE, `${range.flag} ${text}: expected a number from ${range.least} to ${range.most}`)
    numbers[key] = value
  }
  const modes = modesOf(flags)
  if (!modes.ok) return modes
  const pids = (flags.pid ?? []).map(Number)
  const gone = pids.find(pid => !Number.isInteger(pid) || pid < 1 || !isRunning(pid))
  if (gone !== undefined) return trouble(EXIT.USAGE, '--pid: expected the id of a process that runs, as /proc has it')
  const target = targetOf(proxy.value, flags)
  if (!target.ok) return target
  const { rounds = ROUNDS, hold: holdSeconds = HOLD_SECONDS, busy = 0, warmUp, ...settings } = numbers
  const warmUpSeconds = warmUp ?? settings.seconds ?? DEFAULT_SETTINGS.seconds
  const terms = { rounds, settings, warmUpSeconds, holdSeconds, busy, pids }
  return done({ proxy: proxy.value, modes: modes.value, ...terms, ...target.value })
}

async function proxyOf(url: string, flags: BenchFlags): Promise<Outcome<ProxyPlace>> {
  const parsed = parseProxyUrl(url)
  if (typeof parsed === 'string') return trouble(EXIT.USAGE, parsed)
  const proxy = await findProxy(parsed)
  if ('code' in proxy) return trouble(EXIT.UNAVAILABLE, proxy.detail ?? proxy.code)
  if (!isOnThisHost(proxy.endpoint.address) && flags.iMayLoadThis !== true) {
    const why = 'is not on this machine; a load is an attack on whoever did not ask for it'
    return trouble(EXIT.REFUSED, `${proxy.label} ${why} (if you may: --i-may-load-this)`)
  }
  return done(proxy)
}

function modesOf({ mode }: BenchFlags): Outcome<readonly Mode[]> {
  if (mode === undefined) return done(RATE_MODES)
  const names = mode.flatMap(list => list.split(','))
  const unknown = names.find(name => !(ALL_MODES as readonly string[]).includes(name))
  if (unknown === undefined) return done(names as Mode[])
  return trouble(EXIT.USAGE, `--mode ${unknown}: there are ${ALL_MODES.join(', ')}`)
}

interface TargetPlace {
  readonly targetAddress?: IpAddress
  readonly targetName?: string
}

function targetOf(proxy: ProxyPlace, { targetOn, targetName }: BenchFlags): Outcome<TargetPlace> {
  const targetAddress = targetOn === undefined ? undefined : parseIp(targetOn)
  if (targetOn !== undefined && (targetAddress === undefined || isUnspecified(targetAddress))) {
    return trouble(EXIT.USAGE, `--target-on ${targetOn}: expected an address of this machine, such as 192.0.2.7`)
  }
  if (targetAddress === undefined && !isOnThisHost(proxy.endpoint.address)) {
    return trouble(EXIT.USAGE, 'say --target-on ADDRESS: an address of this machine that the proxy can reach')
  }
  if (targetName !== undefined && !checkNameText(targetName).ok) {
    return trouble(EXIT.USAGE, `--target-name ${targetName}: expected a host name`)
  }
  if (targetName === undefined && proxy.namesTarget && targetAddress !== undefined) {
    return trouble(EXIT.USAGE, 'say --target-name NAME too: what the proxy is to resolve to the address of --target-on')
  }
  const name = targetName ?? (proxy.namesTarget ? 'localhost' : undefined)
  return done({
    ...(targetAddress === undefined ? {} : { targetAddress }),
    ...(name === undefined ? {} : { targetName: name }),
  })
}
