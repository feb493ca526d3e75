import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { CASES } from '@socksmith/instruments'
import { run } from './run-command.ts'
import { checkConfig } from '../src/config/check.ts'
import { CONFIG_FLAGS } from '../src/config/flags.ts'
import { LIMIT_WORDS } from '../src/config/limits.ts'
import { readToml } from '../src/config/toml-source.ts'
import { readYaml } from '../src/config/yaml-source.ts'

const page = (name: string): Promise<string> => readFile(new URL(`../../../docs/${name}.md`, import.meta.url), 'utf8')

test('the configurations of the documentation are right', async () => {
  const blocks = [...`${await page('config')}\n${await page('ways')}`.matchAll(/```(yaml|toml)\n([^]*?)```/g)]
  assert.ok(blocks.length >= 5)
  for (const [, format, text = ''] of blocks) {
    const parsed = format === 'toml' ? readToml(text) : readYaml(text)
    assert.ok(parsed.ok, text)
    const checked = checkConfig(parsed.value ?? {})
    assert.ok(checked.ok, JSON.stringify(checked))
  }
})

test('the documentation has every key, and every limit with its default', async () => {
  const text = await page('config')
  const defaults = checkConfig({})
  assert.ok(defaults.ok)
  for (const { path } of CONFIG_FLAGS) {
    const key = path.join('.').replace(/^listen\./, 'listen[].')
    assert.ok(text.includes(`\`${key}\``), key)
  }
  for (const { key } of LIMIT_WORDS)
    assert.ok(text.includes(`| \`${key}\` | \`${defaults.config.limits[key]}\` |`), key)
})

test('every flag in the page about the check is one of its flags, and every flag is in the page', async () => {
  const { stdout } = await run(['check', '--help'])
  const [known, told] = [flags(stdout), flags(await page('check'))]
  assert.deepEqual([...told.difference(known)], [])
  assert.deepEqual([...known.difference(told)], ['help'])
})

test('the pages tell how many cases there are', async () => {
  const { length } = CASES
  for (const text of [await page('check'), await page('check-results')])
    assert.match(text, new RegExp(`\\b${length}\\b`))
})

test('every flag in the documentation is a flag', async () => {
  const known = new Set(['config', 'user', 'limit', 'help', 'proxy', ...CONFIG_FLAGS.map(flag => flag.name)])
  for (const name of ['serve', 'users', 'logs', 'config']) {
    for (const [, flag = ''] of (await page(name)).matchAll(/(?<![\w-])--([a-z][a-z-]+)/g)) {
      assert.ok(known.has(flag), `${name}.md: --${flag}`)
    }
  }
})

function flags(text: string): ReadonlySet<string> {
  return new Set([...text.matchAll(/(?<![\w-])--([a-z][a-z-]+)/g)].map(([, name = '']) => name))
}

test('every flag of the page on the six commands is a flag of one of them, and every code is in their help', async () => {
  const text = await page('connect')
  const commands = ['connect', 'forward', 'accept', 'udp', 'resolve', 'fetch']
  const helps = await Promise.all(commands.map(command => run([command, '--help'])))
  const help = helps.map(({ stdout }) => stdout).join('')
  for (const command of commands) assert.ok(text.includes(`socksmith ${command} `), command)
  // ncat's.
  for (const [flag] of text.matchAll(/(?<![\w-])--(?!proxy)[a-z][a-z-]+/g)) assert.ok(help.includes(flag), flag)
  for (const [, code = ''] of help.matchAll(/^ +(\d+)  \w/gm)) assert.ok(text.includes(`| ${code} |`), code)
})
