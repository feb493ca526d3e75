/**
 * Starts every SOCKS server that Debian ships on loopback, checks it with the suite, and writes docs/check-results.md.
 * Needs the packages named in `check-servers/subjects.ts` and, for Dante's users, root. Takes some minutes: there are
 * servers that let silent clients stay. Words choose servers, and `--quick` leaves the slow cases out; then the page is
 * printed and not written.
 */
import { writeFile } from 'node:fs/promises'
import { CASES, type CaseResult, parseProxyUrl, resolveProxy, runCheck } from '@socksmith/instruments'
import { type Checked, resultsPage } from './check-servers/page.ts'
import { type Setting, Stage, type Subject, debianVersion } from './check-servers/subject.ts'
import { SUBJECTS } from './check-servers/subjects.ts'
import { readFlags } from './flags.ts'

const PAGE = new URL('../docs/check-results.md', import.meta.url)

const {
  values,
  positionals: words,
  refuse,
} = readFlags('npm run check:servers -- [--quick] [SERVER]...', { quick: { type: 'boolean', default: false } }, true)
const strange = words.find(word => !SUBJECTS.some(({ name }) => name.toLowerCase().includes(word)))
if (strange !== undefined) refuse(`${strange}: there are ${SUBJECTS.map(({ name }) => name.toLowerCase()).join(', ')}`)

async function checkSubject(subject: Subject): Promise<Checked | undefined> {
  const { name, debianPackage, configured, settings } = subject
  const version = debianPackage === '' ? '' : debianVersion(debianPackage)
  if (version === undefined) {
    process.stderr.write(`${name}: apt-get install ${debianPackage}\n`)
    return undefined
  }
  const runs: (readonly CaseResult[])[] = []
  for (const [index, setting] of settings.entries()) {
    process.stderr.write(`${name}, ${setting.name}\n`)
    // How long a silent client may stay does not depend on the password.
    runs.push(await checkSetting(setting, index === 0 && !values.quick))
  }
  return { name, version, configured, results: CASES.map((_, index) => worst(runs.map(run => run[index]))) }
}

async function checkSetting({ start }: Setting, isSlow: boolean): Promise<readonly CaseResult[]> {
  const stage = await Stage.open()
  try {
    const proxy = parseProxyUrl((await start(stage)).url)
    if (typeof proxy === 'string') throw new Error(proxy)
    const proxyAddress = await resolveProxy(proxy)
    if (typeof proxyAddress === 'string') throw new Error(proxyAddress)
    const outcome = await runCheck({ proxy, proxyAddress, cases: CASES, isSlow })
    if (outcome.kind === 'hopeless') throw new Error(outcome.reason)
    return outcome.report.results
  } finally {
    await stage.close()
  }
}

const GRAVITY = { fail: 2, pass: 1, skip: 0 } as const

/** Of the same case in several settings: a failure counts most, an answer more than none. */
function worst(results: readonly (CaseResult | undefined)[]): CaseResult {
  const given = results.filter(one => one !== undefined)
  const [first] = given.toSorted((a, b) => GRAVITY[b.outcome.kind] - GRAVITY[a.outcome.kind])
  if (first === undefined) throw new Error('a case without a result')
  return first
}

const wanted = SUBJECTS.filter(
  ({ name }) => words.length === 0 || words.some(word => name.toLowerCase().includes(word)),
)
// All at once: most of the time they are waited for.
const outcomes = await Promise.all(wanted.map(checkSubject))
const checked = outcomes.filter(one => one !== undefined)
const missing = outcomes.length - checked.length
const page = resultsPage(checked)
if (words.length > 0 || values.quick) process.stdout.write(page)
else if (missing > 0) {
  process.stderr.write(`${missing} servers are missing: the page is left as it is\n`)
  process.exitCode = 69
} else await writeFile(PAGE, page)
