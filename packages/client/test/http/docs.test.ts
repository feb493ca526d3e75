/** The examples of docs/client-http.md, each run as a program of its own against servers of this machine. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { WebSocketServer } from 'ws'
import { socksProxy } from './socks-proxy.ts'

const PAGE = join(import.meta.dirname, '../../../../docs/client-http.md')

test('every example of the page does what it says', async t => {
  const page = await readFile(PAGE, 'utf8')
  const examples = Array.from(page.matchAll(/```ts\n(.*?)```/gs), match => match[1] as string)
  assert.ok(examples.length >= 7)

  const server = createServer((_, response) => response.end('the example'))
  const sockets = new WebSocketServer({ server })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    sockets.close()
    server.close()
    server.closeAllConnections()
  })
  const { port } = server.address() as AddressInfo
  const proxy = await socksProxy(t, { portOf: asked => (asked.startsWith('refused.') ? undefined : port) })

  for (const example of examples) {
    const before = proxy.asked.length
    const program = example
      .replaceAll('127.0.0.1:1080', `127.0.0.1:${proxy.port}`)
      .replaceAll('port: 1080', `port: ${proxy.port}`)
    const child = spawn(
      process.execPath,
      ['--conditions=@socksmith/source', '--input-type=module-typescript', '--eval', program],
      { cwd: import.meta.dirname, stdio: ['ignore', 'pipe', 'pipe'] },
    )
    const closed = once(child, 'close') as Promise<[number]>
    const [said, complaint] = await Promise.all([text(child.stdout), text(child.stderr)])
    assert.equal((await closed)[0], 0, `${complaint}\n${program}`)
    assert.ok(proxy.asked.length > before, program)
    if (program.includes('refused')) assert.equal(said, 'SOCKS_CONNECTION_REFUSED ECONNREFUSED\n')
    else if (program.includes('console.log') || program.includes('stdout')) assert.match(said, /200|the example/)
  }
})
