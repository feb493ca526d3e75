/** The examples of docs/client.md, each run as a program of its own against a real proxy and targets of this machine. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { type IpAddress, failure, parseIp } from '@socksmith/protocol'
import { Scene } from './scene.ts'

const PAGE = join(import.meta.dirname, '../../../docs/client.md')
const HERE = [parseIp('127.0.0.1') as IpAddress]

/** What each example prints, by a word that only it has. */
const SAYS: readonly (readonly [word: string, said: RegExp])[] = [
  ["via: 'socks5h://127.0.0.1:1080' })\nsocket.end", /^the example$/],
  ['username:', /^$/],
  ['rules([', /^$/],
  ['refused.example', /^SOCKS_HOST_UNREACHABLE request 0 EHOSTUNREACH true$/],
  ['new SocksSocket({ via: ', /^the example$/],
  ['createUdpSocket', /^127\.0\.0\.1 question$/],
  ['listener', /^I am the peer$/],
]

const resolve = (name: string): Promise<readonly IpAddress[] | ReturnType<typeof failure>> =>
  Promise.resolve(name.startsWith('refused.') ? failure('name_not_found', 'target') : HERE)

test('every example of the page does what it says', { timeout: 120_000 }, async t => {
  const scene = new Scene(t)
  t.after(() => scene.close())
  const page = await readFile(PAGE, 'utf8')
  const examples = Array.from(page.matchAll(/```ts\n(.*?)```/gs), match => match[1] as string)
  assert.equal(examples.length, SAYS.length)

  const proxy = await scene.proxy({ more: { resolver: { resolve } } })
  const target = await scene.target(socket => socket.once('data', () => socket.end('the example\n')))
  const datagrams = await scene.udpEcho()

  for (const [index, example] of examples.entries()) {
    const [word, said] = SAYS[index] as (typeof SAYS)[number]
    assert.ok(example.includes(word), example)
    const program = example
      .replaceAll('127.0.0.1:1080', `127.0.0.1:${proxy.port}`)
      .replaceAll('port: 1080', `port: ${proxy.port}`)
      .replaceAll('port: 80', `port: ${target}`)
      .replaceAll(', 53,', `, ${datagrams},`)
    const child = spawn(
      process.execPath,
      ['--conditions=@socksmith/source', '--input-type=module-typescript', '--eval', program],
      { cwd: import.meta.dirname, stdio: ['ignore', 'pipe', 'pipe'] },
    )
    const closed = once(child, 'close') as Promise<[number]>
    const [output, complaint] = await Promise.all([text(child.stdout), text(child.stderr)])
    assert.equal((await closed)[0], 0, `${complaint}\n${program}`)
    assert.match(output.trim(), said, program)
  }
})
