/**
 * The packages as people get them: built, packed, installed from the tarballs into an empty folder, and used there.
 * Knows no source file.
 */
import assert from 'node:assert/strict'
import { type ChildProcessWithoutNullStreams, execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { type TestContext, after, before, suite, test } from 'node:test'
import { connectPlainly, echo, logIn, open, requestConnect, whenClosed } from '../../packages/cli/test/socks-client.ts'
import { type Folder, ROOT, SAME_NODE, copyTree, packageFolders, temporaryFolder } from './tree.ts'

interface Packed {
  readonly name: string
  readonly filename: string
  readonly files: readonly { readonly path: string }[]
}

const LIBRARIES = ['protocol', 'policy', 'engine', 'client', 'server', 'instruments'] as const

suite('the packages', () => {
  let folder: Folder
  /** The folder of a person who installed them. */
  let home: string
  let packed: readonly Packed[]

  before(async () => {
    folder = await temporaryFolder()
    const tree = join(folder.path, 'tree')
    home = join(folder.path, 'home')
    await copyTree(tree)
    await mkdir(home)
    npm(tree, 'run', 'build')
    packed = readPacked(npm(tree, 'pack', '--workspaces', '--json', '--pack-destination', home))
    await writeFile(join(home, 'package.json'), '{ "name": "home", "private": true, "type": "module" }')
    const tarballs = packed.map(({ filename }) => `./${filename}`)
    npm(home, 'install', '--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts', ...tarballs)
  })

  after(() => folder.remove())

  test('every package is packed, with what was built and a README, without sources and tests', async () => {
    assert.equal(packed.length, (await packageFolders()).length)
    for (const { name, files } of packed) {
      const paths = files.map(({ path }) => path)
      for (const path of ['README.md', 'package.json', ...(await doorsOf(join(folder.path, 'tree'), name))]) {
        assert.ok(paths.includes(path), `${name} has no ${path}`)
      }
      assert.deepEqual(
        paths.filter(path => !/^(dist|bin|schema)\/|^(README\.md|package\.json|LICENSE)$/.test(path)),
        [],
        name,
      )
      assert.deepEqual(
        paths.filter(path => /\.test\.|tsbuildinfo/.test(path)),
        [],
        name,
      )
    }
  })

  test('the command says its version and carries a SOCKS5 CONNECT', async t => {
    const program = join(home, 'node_modules/.bin/socksmith')
    const { version } = JSON.parse(await readFile(join(ROOT, 'packages/cli/package.json'), 'utf8')) as {
      version: string
    }
    assert.equal(execFileSync(program, ['--version'], { cwd: home, env: SAME_NODE, encoding: 'utf8' }), `${version}\n`)

    const serving = start(t, home, program, ['serve', '--listen', '127.0.0.1:0'])
    const stream = await open(t, await portIn(serving.stderr, / ready on 127\.0\.0\.1:(\d+) /))
    assert.equal(await connectPlainly(stream, await echo(t)), 0)
    stream.socket.write('through the tarball')
    assert.equal((await stream.take(19)).toString(), 'through the tarball')
    stream.socket.destroy()

    const closed = once(serving, 'close') as Promise<[number | null]>
    serving.kill('SIGTERM')
    assert.deepEqual((await closed)[0], 0)
  })

  test('the command measures a proxy, with a target in a thread of its own', async t => {
    const program = join(home, 'node_modules/.bin/socksmith')
    const serving = start(t, home, program, ['serve', '--listen', '127.0.0.1:0'])
    const port = await portIn(serving.stderr, / ready on 127\.0\.0\.1:(\d+) /)
    const args = ['bench', `socks5://127.0.0.1:${port}`, '--mode=roundtrip', '--rounds=1', '--seconds=0.1']
    assert.match(
      execFileSync(program, args, { cwd: home, env: SAME_NODE, encoding: 'utf8' }),
      /\nroundtrip, trips +16 /,
    )
  })

  test('the libraries can be imported, and required from CommonJS', () => {
    for (const library of LIBRARIES) {
      const name = `@socksmith/${library}`
      for (const [format, load] of [
        ['module', `const it = await import('${name}')`],
        ['commonjs', `const it = require('${name}')`],
      ] as const) {
        const script = `${load}; console.log(Object.keys(it).length > 0)`
        assert.equal(node(home, `--input-type=${format}`, '--eval', script), 'true\n', `${name}, ${format}`)
      }
    }
  })

  test('the types hold in a strict consumer, for the examples of the READMEs too', async () => {
    await writeExamples(home)
    await writeFile(join(home, 'misuse.ts'), MISUSE)
    const compilerOptions = {
      module: 'nodenext',
      target: 'esnext',
      strict: true,
      noEmit: true,
      types: ['node'],
      typeRoots: [join(ROOT, 'node_modules/@types')],
    }
    await writeFile(join(home, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.ts'] }))
    const { status, stdout } = spawnSync(join(ROOT, 'node_modules/.bin/tsc'), ['-p', home], {
      env: SAME_NODE,
      encoding: 'utf8',
    })
    assert.equal(status, 0, stdout)
  })

  test('the examples of protocol and engine do what they say', async () => {
    await writeExamples(home)
    assert.equal(
      node(home, 'protocol.example.ts'),
      'the client asks for example.com:443\nthe client may use its tunnel\n',
    )
    assert.equal(node(home, 'engine.example.ts'), 'hello\n')
  })

  test('the example of client goes through the command, and says what went wrong', async t => {
    await writeExamples(home)
    const serving = start(t, home, join(home, 'node_modules/.bin/socksmith'), ['serve', '--listen', '127.0.0.1:0'])
    const port = await portIn(serving.stderr, / ready on 127\.0\.0\.1:(\d+) /)
    const via = `socks5h://127.0.0.1:${port}`
    const target = await echo(t)
    assert.match(
      await output(t, home, ['client.example.ts', via, '127.0.0.1', String(target)]),
      new RegExp(`^HEAD / HTTP/1\\.0\r\n\r\n\n${via}: [0-9.]+ ms\n$`),
    )
    assert.equal(
      await output(t, home, ['client.example.ts', via, '127.0.0.1', '1']),
      'SOCKS_CONNECTION_REFUSED request ECONNREFUSED\n',
    )
  })

  test('the example of server serves, asks for its password, tells the session and stops', async t => {
    await writeExamples(home)
    const serving = start(t, home, process.execPath, ['server.example.ts'])
    const said = text(serving.stdout)
    const port = await portIn(serving.stdout, /^listening on 127\.0\.0\.1:(\d+)$/)

    assert.equal(await logIn(await open(t, port), { name: 'alice', password: 'wrong' }), false)
    const stream = await open(t, port)
    assert.equal(await logIn(stream, { name: 'alice', password: 'open sesame' }), true)
    assert.equal(await requestConnect(stream, await echo(t)), 0)
    stream.socket.end('12345')
    await stream.take(5)
    await whenClosed(stream.socket)

    const closed = once(serving, 'close') as Promise<[number | null]>
    serving.kill('SIGTERM')
    assert.equal((await closed)[0], 0)
    assert.match(await said, /^alice: client-finished, 5 octets$/m)
  })
})

// What the types must refuse; if they were lost on the way, the expected errors would be missing.
const MISUSE = `
import { ServerHandshake } from '@socksmith/protocol'
import { selectEngine } from '@socksmith/engine'
import { createServer } from '@socksmith/server'
import { connect, rules, toRoute } from '@socksmith/client'
// @ts-expect-error
new ServerHandshake({})
// @ts-expect-error
selectEngine('fast')
// @ts-expect-error
createServer({ listeners: [] })
// @ts-expect-error
connect({ host: 'example.com' })
// @ts-expect-error
toRoute({ protocol: 'socks9', host: 'proxy.example' })
// @ts-expect-error
rules([{ host: '*', via: 'direct' }])
`

async function writeExamples(home: string): Promise<void> {
  for (const library of LIBRARIES) {
    const readme = await readFile(join(home, `node_modules/@socksmith/${library}/README.md`), 'utf8')
    const examples = [...readme.matchAll(/^```ts\n([^]*?)^```$/gm)].map(([, example]) => example ?? '')
    assert.ok(examples.length > 0, `the README of ${library} has no example`)
    const [first = '', ...others] = examples
    await writeFile(join(home, `${library}.example.ts`), first)
    for (const [i, example] of others.entries()) await writeFile(join(home, `${library}-${i + 2}.example.ts`), example)
  }
}

/** What its package.json says that it has to import. */
async function doorsOf(tree: string, name: string): Promise<readonly string[]> {
  if (name === 'socksmith') return ['dist/main.js', 'dist/main.d.ts']
  const path = join(tree, 'packages', name.replace('@socksmith/', ''), 'package.json')
  const { exports } = JSON.parse(await readFile(path, 'utf8')) as { readonly exports: Readonly<Record<string, Door>> }
  return Object.values(exports).flatMap(({ types, default: script }) => [types, script].map(door => door.slice(2)))
}

interface Door {
  readonly types: string
  readonly default: string
}

function npm(cwd: string, ...args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync('npm', args, { cwd, env: SAME_NODE, encoding: 'utf8' })
  if (status !== 0) throw new Error(`npm ${args.join(' ')}: ${stderr}${stdout}`)
  return stdout
}

// npm 11 and older answer a list, npm 12 an object by name.
function readPacked(json: string): readonly Packed[] {
  return Object.values(JSON.parse(json) as Readonly<Record<string, Packed>>)
}

function node(cwd: string, ...args: readonly string[]): string {
  return execFileSync(process.execPath, args, { cwd, env: SAME_NODE, encoding: 'utf8', timeout: 60_000 })
}

function start(t: TestContext, cwd: string, program: string, args: readonly string[]): ChildProcessWithoutNullStreams {
  const child = spawn(program, args, { cwd, env: SAME_NODE })
  t.after(() => child.kill('SIGKILL'))
  return child
}

/** What a program of Node prints, while this process goes on serving it. */
async function output(t: TestContext, cwd: string, args: readonly string[]): Promise<string> {
  const child = start(t, cwd, process.execPath, args)
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close') as Promise<[number | null]>,
  ])
  assert.equal(code, 0, stderr)
  return stdout
}

/** The port in the first line that fits; rejects when the output ends without one. */
async function portIn(output: NodeJS.ReadableStream, pattern: RegExp): Promise<number> {
  const lines = createInterface({ input: output })
  return new Promise((resolve, reject) => {
    lines.on('line', line => {
      const [, port] = pattern.exec(line) ?? []
      if (port !== undefined) resolve(Number(port))
    })
    lines.on('close', () => reject(new Error(`it ended and said nothing like ${String(pattern)}`)))
  })
}
