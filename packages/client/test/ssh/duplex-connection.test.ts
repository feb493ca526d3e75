/** A stream of Node as a connection: what the ssh tests do not see from outside. */
import assert from 'node:assert/strict'
import { Duplex } from 'node:stream'
import { test } from 'node:test'
import { NO_ENDPOINT } from '@socksmith/protocol'
import { DuplexConnection } from '../../src/ssh/duplex-connection.ts'

/** A connection over a stream that has sent something only when the test says so. */
function reluctant(): { readonly connection: DuplexConnection; readonly stream: Duplex; readonly sendOne: () => void } {
  const unsent: (() => void)[] = []
  const stream = new Duplex({ read() {}, write: (_chunk, _encoding, done) => void unsent.push(done) })
  const place = { kind: 'ip', endpoint: NO_ENDPOINT } as const
  const carrier = { local: place, remote: place, holdProcess() {}, onClose() {} }
  return { connection: new DuplexConnection(stream, carrier), stream, sendOne: () => unsent.shift()?.() }
}

/** All that is due by now has been called. */
function turn(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve))
}

test('whoever waits is called once all is sent, and no listener is left for each of them', async () => {
  const { connection, stream, sendOne } = reluctant()
  const listeners = stream.listenerCount('close')
  let called = 0
  for (let waits = 0; waits < 20; waits++) {
    connection.write(Buffer.from('x'))
    connection.onceSent(() => called++)
  }
  assert.equal(stream.listenerCount('close'), listeners)
  for (let sent = 0; sent < 20; sent++) {
    assert.equal(called, 0)
    sendOne()
    await turn()
  }
  assert.equal(called, 20)
})

for (const end of ['end', 'destroy'] as const) {
  test(`whoever waits is called although ${end} was called meanwhile`, async () => {
    const { connection, sendOne } = reluctant()
    let called = 0
    connection.write(Buffer.from('x'))
    connection.onceSent(() => called++)
    connection[end]()
    connection.onceSent(() => called++)
    if (end === 'end') sendOne()
    await turn()
    assert.equal(called, 2)
  })
}
