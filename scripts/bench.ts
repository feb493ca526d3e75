/**
 * Measures socksmith against no proxy at all and against every other SOCKS server that is installed. Loopback only; it
 * stops by itself.
 *
 *   --seconds N        for each rate (1)
 *   --rounds N         of each (15): the median of many short ones is steadier than that of a few long ones
 *   --warm-up N        seconds of each load before, which do not count (10)
 *   --only A,B         measures or modes: down, up, down16, open, login, roundtrip, udp, idle, stall, crowd, rest
 *   --programs A,B     socksmith, socksmith-rules, socksmith-0, socksmith-node, dante, microsocks, v2ray, openssh
 *   --short            only proves that it works
 *   --write            writes docs/benchmarks.md
 */
import { spawnSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { registerHooks } from 'node:module'
import type { BenchTerms } from '../bench/bench.ts'
import { readFlags } from './flags.ts'

// The packages of a checkout are not built: their sources are taken.
registerHooks({
  resolve: (specifier, context, next) =>
    next(specifier, { ...context, conditions: [...context.conditions, '@socksmith/source'] }),
})
const { compare } = await import('../bench/bench.ts')
const { HOLDS, MEASURE_KEYS, RATES } = await import('../bench/measures.ts')
const { isInstalled, killAll } = await import('../bench/program.ts')
const { PROGRAMS } = await import('../bench/programs.ts')
const { page, tables } = await import('../bench/report.ts')

const { values, refuse, whole, positive } = readFlags(
  'npm run bench -- [--seconds N] [--rounds N] [--warm-up N] [--only A,B] [--programs A,B] [--short] [--write]',
  {
    seconds: { type: 'string' },
    rounds: { type: 'string' },
    'warm-up': { type: 'string' },
    only: { type: 'string' },
    programs: { type: 'string' },
    short: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
  },
)

const rounds = values.rounds === undefined ? undefined : whole('--rounds', values.rounds, 1, 100)
const terms = {
  programs: PROGRAMS.filter(program => programKeys().includes(program.key) && isInstalled(program)),
  seconds: positive('--seconds', values.seconds ?? (values.short ? '0.1' : '1'), 60),
  rounds: rounds ?? (values.short ? 1 : 15),
  warmUpSeconds: positive('--warm-up', values['warm-up'] ?? (values.short ? '0.1' : '10'), 600),
  holdRounds: values.short ? 1 : Math.min(3, rounds ?? 3),
  isShort: values.short,
  ...(values.only === undefined ? {} : { only: measureKeys(values.only) }),
}
const [load = 0] = loadavg()
const folder = await mkdtemp(join(tmpdir(), 'socksmith-bench-'))
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    killAll()
    rmSync(folder, { recursive: true, force: true })
    process.kill(process.pid, signal)
  })
}
try {
  const results = await compare({ ...terms, folder, onStep } satisfies BenchTerms)
  process.stdout.write(tables(results, terms.programs))
  if (values.write)
    await writeFile('docs/benchmarks.md', page(results, { ...terms, load, command: command(), versions: versions() }))
  // A foreign server that fails is a finding; ours is a fault.
  if (results.failures.some(text => text.includes('socksmith'))) process.exitCode = 1
} finally {
  await rm(folder, { recursive: true })
}

function onStep(text: string): void {
  process.stderr.write(`${text}\n`)
}

function programKeys(): readonly string[] {
  const known = PROGRAMS.map(({ key }) => key)
  const wanted = values.programs?.split(',') ?? known
  const unknown = wanted.find(key => !known.includes(key))
  if (unknown !== undefined) refuse(`--programs ${unknown}: there are ${known.join(', ')}`)
  return wanted
}

function measureKeys(text: string): ReadonlySet<string> {
  const keys = text.split(',').flatMap(word => {
    const ofMode = [...RATES, ...HOLDS].filter(({ key, mode }) => key === word || mode === word).map(({ key }) => key)
    if (ofMode.length > 0) return ofMode
    if (MEASURE_KEYS.includes(word)) return [word]
    return refuse(`--only ${word}: there are ${MEASURE_KEYS.join(', ')}`)
  })
  return new Set(keys)
}

function command(): string {
  return ['npm run bench --', ...process.argv.slice(2)].join(' ')
}

/** As Debian's packages tell; nothing where there are none. */
function versions(): readonly string[] {
  const packages: { readonly [key: string]: string } = {
    dante: 'dante-server',
    microsocks: 'microsocks',
    v2ray: 'v2ray',
    openssh: 'openssh-client',
  }
  return terms.programs.flatMap(({ key, name }) => {
    const asked =
      packages[key] === undefined ? undefined : spawnSync('dpkg-query', ['-W', '-f=${Version}', packages[key]])
    return asked?.status === 0 ? [`${name} ${asked.stdout.toString()}`] : []
  })
}
