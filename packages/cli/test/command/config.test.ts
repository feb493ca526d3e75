import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { parse } from 'yaml'
import { schemaText } from '../../src/command/config.ts'
import { run, temporaryFolder } from '../run-command.ts'

test('the published JSON Schema is current', async () => {
  const published = await readFile(new URL('../../schema/socksmith.schema.json', import.meta.url), 'utf8')
  assert.equal(
    published,
    await schemaText(),
    'write it anew: socksmith config schema > packages/cli/schema/socksmith.schema.json',
  )
  assert.equal((await run(['config', 'schema'])).stdout, published)
})

test('every key of the JSON Schema has a description', async () => {
  interface Schema {
    readonly description?: string
    readonly properties?: { readonly [key: string]: Schema }
    readonly items?: Schema
    readonly anyOf?: readonly Schema[]
  }
  const look = (schema: Schema, path: string): void => {
    for (const [key, below] of Object.entries(schema.properties ?? {})) {
      assert.ok(below.description, `${path}.${key}`)
      look(below, `${path}.${key}`)
    }
    for (const below of [schema.items, ...(schema.anyOf ?? [])]) if (below) look(below, path)
  }
  look(JSON.parse(await schemaText()) as Schema, '')
})

test('config check says that a right file is right, and where a wrong one is wrong', async t => {
  const cwd = await temporaryFolder(t)
  await writeFile(join(cwd, 'right.yaml'), 'listen: ["127.0.0.1:1080"]\nlimits: { handshake: 10s }\n')
  await writeFile(join(cwd, 'wrong.yaml'), 'listen: ["127.0.0.1:1080"]\nlimits:\n  handshak: 10s\n')
  assert.deepEqual(await run(['config', 'check', 'right.yaml'], { cwd }), {
    code: 0,
    stdout: 'right.yaml is right\n',
    stderr: '',
  })
  assert.deepEqual(await run(['config', 'check', 'wrong.yaml'], { cwd }), {
    code: 65,
    stdout: '',
    stderr: [
      'error: wrong.yaml:3:3: unknown key "handshak" in limits; did you mean "handshake"?',
      '  2 | limits:',
      '  3 |   handshak: 10s',
      '    |   ^^^^^^^^',
      '',
    ].join('\n'),
  })
})

test('config check refuses what serve would refuse', async t => {
  const cwd = await temporaryFolder(t)
  const cases: readonly [string, number, RegExp][] = [
    ['listen: ["0.0.0.0:1080"]', 77, /proxy for everybody/],
    ['users: { file: none.txt }', 66, /none\.txt: there is no such file/],
    ['listen: [{ address: "127.0.0.1:1", auth: password }]', 65, /there are no users/],
    ['listen: [{ address: "127.0.0.1:1", auth: certificate }]', 65, /needs tls/],
    ['listen: [{ address: "127.0.0.1:1", mode: "0600" }]', 65, /only a Unix socket/],
    ['listen: [{ address: "127.0.0.1:1", tls: { certificate: c.pem, key: k.pem } }]', 66, /c\.pem/],
  ]
  for (const [text, code, message] of cases) {
    await writeFile(join(cwd, 'a.yaml'), `${text}\n`)
    const checked = await run(['config', 'check', 'a.yaml'], { cwd })
    assert.equal(checked.code, code, text)
    assert.match(checked.stderr, message)
  }
})

test('config show prints a configuration that gives the same configuration, with secrets starred', async t => {
  const cwd = await temporaryFolder(t)
  await writeFile(join(cwd, 'a.toml'), 'drain = "5s"\n[log]\nfile = "s.log"\n')
  const shown = await run(['config', 'show', '-c', 'a.toml', '--user', 'alice:hunter2', '--limit', 'dial=5s'], { cwd })
  assert.equal(shown.code, 0)
  assert.match(shown.stdout, /^# --user alice:\*+$/m)
  assert.doesNotMatch(shown.stdout, /hunter2/)
  const config = parse(shown.stdout) as { drain: string; limits: Record<string, unknown>; log: { file: string } }
  assert.equal(config.drain, '5s')
  assert.equal(config.limits['dial'], '5s')
  assert.equal(config.log.file, join(cwd, 's.log'))
  await writeFile(join(cwd, 'b.yaml'), shown.stdout)
  const again = await run(['config', 'show', '-c', 'b.yaml'], { cwd })
  assert.deepEqual(parse(again.stdout), config)
})
