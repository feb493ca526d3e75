import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { connect } from 'node:tls'
import { ALICE, AUTHORITY, SERVER } from '../../../engine/test/data/certificates.ts'
import { serve, temporaryFolder } from '../run-command.ts'
import { OctetStream, connectPlainly, echo } from '../socks-client.ts'

test('a listener speaks TLS, and the name in the client certificate is the user', async t => {
  const cwd = await temporaryFolder(t)
  const files = { 'cert.pem': SERVER.certificate, 'key.pem': SERVER.key, 'ca.pem': AUTHORITY }
  for (const [name, text] of Object.entries(files)) await writeFile(join(cwd, name), text)
  await writeFile(
    join(cwd, 'socksmith.yaml'),
    'listen:\n  - address: 127.0.0.1:0\n    auth: certificate\n    tls: { certificate: cert.pem, key: key.pem, client-ca: ca.pem }\n',
  )
  const server = await serve(t, ['--config', 'socksmith.yaml'], { cwd })
  assert.match(server.ready, /\(certificate, TLS\)/)
  const socket = connect({
    port: server.port,
    host: '127.0.0.1',
    ca: AUTHORITY,
    servername: 'localhost',
    cert: ALICE.certificate,
    key: ALICE.key,
  })
  t.after(() => socket.destroy())
  await once(socket, 'secureConnect')
  const stream = new OctetStream(socket)
  assert.equal(await connectPlainly(stream, await echo(t)), 0)
  socket.write('hello')
  assert.equal((await stream.take(5)).toString(), 'hello')
  socket.end()
  await server.logged('\n')
  assert.equal((JSON.parse(server.stdout()) as { user: string }).user, 'alice')
  const stranger = connect({ port: server.port, host: '127.0.0.1', ca: AUTHORITY, servername: 'localhost' })
  t.after(() => stranger.destroy())
  stranger.on('error', () => undefined)
  await server.logged('preface-failure')
  assert.equal(await server.end(), 0)
})
