/** A system that does not tell where a socket is bound (ENOBUFS): an expected failure, and no end of the process. */
import assert from 'node:assert/strict'
import { Socket } from 'node:dgram'
import { Server } from 'node:net'
import { type TestContext, test } from 'node:test'
import { ANY_IPV4 } from '@socksmith/protocol'
import { createNodeEngine } from '../../src/node/node-engine.ts'

const REFUSED = { code: 'too_busy', blame: 'us', errno: 'ENOBUFS' }

function forgetful(): never {
  throw Object.assign(new Error('getsockname ENOBUFS'), { code: 'ENOBUFS' })
}

function forgetAddresses(t: TestContext): void {
  t.mock.method(Socket.prototype, 'address', forgetful)
  t.mock.method(Server.prototype, 'address', forgetful)
}

test('listeners, datagrams and the way to a host fail with what the system said', async t => {
  const engine = createNodeEngine()
  forgetAddresses(t)
  const local = { address: ANY_IPV4, port: 0 }
  const [onListen, onDatagrams] = [
    { onConnection() {}, onAcceptFailure() {} },
    { onDatagram() {}, onFailure() {} },
  ]
  assert.deepEqual(await engine.listen({ place: { kind: 'ip', endpoint: local }, backlog: 1 }, onListen), REFUSED)
  assert.deepEqual(await engine.openDatagrams(local, onDatagrams), REFUSED)
  assert.deepEqual(await engine.facing(local.address), REFUSED)
})

test('a system that gives no larger buffer gives datagrams all the same', async t => {
  t.mock.method(Socket.prototype, 'setRecvBufferSize', () => {
    throw Object.assign(new Error('setsockopt ENOMEM'), { code: 'ERR_SOCKET_BUFFER_SIZE' })
  })
  const local = { address: ANY_IPV4, port: 0 }
  const socket = await createNodeEngine().openDatagrams(local, { onDatagram() {}, onFailure() {} })
  assert.ok(!('code' in socket) && socket.local.port > 0)
  socket.close()
})
