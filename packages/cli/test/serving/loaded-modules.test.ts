/** What a server has loaded that nobody asked for more: each of these costs every thread up to several MiB. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { type Serving, serve } from '../run-command.ts'
import { connectPlainly, echo, open } from '../socks-client.ts'

/** Of Node itself, and of packages; koffi is there in any case, which shows that something was told. */
const LOOKED_FOR = ['koffi', 'internal/deps/undici/undici', 'http', 'https', '_http_client', 'tls', 'yaml', 'smol-toml']

/** Each thread tells again and again which of them it has loaded. */
const TELL = `
import { registerHooks } from 'node:module'
import { writeSync } from 'node:fs'
import { threadId } from 'node:worker_threads'
const packages = new Set()
registerHooks({
  resolve(specifier, context, next) {
    packages.add(specifier)
    return next(specifier, context)
  },
})
setInterval(() => {
  const own = new Set(process.moduleLoadList.map(name => name.replace(/^NativeModule /, '')))
  const loaded = ${JSON.stringify(LOOKED_FOR)}.filter(name => own.has(name) || packages.has(name))
  writeSync(2, 'thread ' + threadId + ' has ' + loaded.join(' ') + ';\\n')
}, 50).unref()
`

test('a server without TLS and files to read has loaded neither, in no thread', async t => {
  const nodeArgs = ['--import', `data:text/javascript,${encodeURIComponent(TELL)}`]
  const target = await echo(t)
  const server = await serve(t, ['--listen', '127.0.0.1:0', '--workers', '2'], { nodeArgs })
  const stream = await open(t, server.port)
  assert.equal(await connectPlainly(stream, target), 0)
  const told = await toldFromNowOn(server, 3)
  assert.deepEqual(
    told.map(([, loaded]) => loaded),
    ['koffi', 'koffi', 'koffi'],
  )
})

/** What each of so many threads tells next. */
async function toldFromNowOn(server: Serving, threads: number): Promise<readonly (readonly [string, string])[]> {
  const before = server.stderr().length
  for (;;) {
    const lines = server
      .stderr()
      .slice(before)
      .matchAll(/thread (\d+) has ([^;\n]*);/g)
    const told = new Map([...lines].map(([, thread = '', loaded = '']) => [thread, loaded]))
    if (told.size === threads) return [...told]
    await once(server.child.stderr as NodeJS.ReadableStream, 'data')
  }
}
