/** What a server has loaded that nobody asked for more: each of these costs every thread up to several MiB. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { serve } from '../run-command.ts'
import { connectPlainly, echo, open } from '../socks-client.ts'

/** Of Node itself, and of packages. */
const COSTLY = ['internal/deps/undici/undici', 'http', 'https', '_http_client', 'tls', 'yaml', 'smol-toml', 'ssh2']

/** Each thread tells at its end what it has loaded. */
const TELL = `
import { registerHooks } from 'node:module'
import { writeSync } from 'node:fs'
const packages = []
registerHooks({
  resolve(specifier, context, next) {
    packages.push(specifier)
    return next(specifier, context)
  },
})
process.on('exit', () => {
  const own = process.moduleLoadList.map(name => name.replace(/^NativeModule /, ''))
  writeSync(2, 'loaded ' + JSON.stringify([...own, ...packages]) + '\\n')
})
`

test('a server without TLS and files to read has loaded neither, in no thread', async t => {
  const nodeArgs = ['--import', `data:text/javascript,${encodeURIComponent(TELL)}`]
  const target = await echo(t)
  const server = await serve(t, ['--listen', '127.0.0.1:0', '--workers', '2'], { nodeArgs })
  const stream = await open(t, server.port)
  assert.equal(await connectPlainly(stream, target), 0)
  stream.socket.destroy()
  assert.equal(await server.end(), 0)
  const threads = server
    .stderr()
    .split('\n')
    .filter(line => line.startsWith('loaded '))
    .map(line => new Set(JSON.parse(line.slice('loaded '.length)) as string[]))
  assert.equal(threads.length, 3)
  for (const loaded of threads) {
    // What is there in any case shows that something was told.
    assert.ok(loaded.has('fs') && loaded.has('koffi'))
    assert.deepEqual(
      COSTLY.filter(name => loaded.has(name)),
      [],
    )
  }
})
