/** The rules about datagrams: each destination, each foreign sender, again when the rules change and as time goes on. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { VirtualClock } from '../../engine/test/virtual-clock.ts'
import { createEngine } from './engine.ts'
import { rules } from './rules.ts'
import { openUdpScene } from './udp-scene.ts'

test('each destination of an association is asked about, and one that is forbidden later answers no more', async t => {
  const udp = await openUdpScene(t, rules({ allow: { command: 'udp-associate' } }))
  const [first, second] = [await udp.echo(), await udp.echo()]
  assert.equal(await udp.ask(first), 'answer')
  udp.server.usePolicy(rules({ allow: { command: 'udp-associate', port: second } }))
  assert.equal(await udp.ask(second), 'answer')
  await udp.send(first)
  udp.push(first)
  // What is sent afterwards arrives; had the forbidden ones been served, they would have come before it.
  assert.equal(await udp.ask(second), 'answer')
  assert.equal(udp.heard(first), 1)
  assert.equal(udp.server.sessionCount, 1)
  assert.equal(udp.server.usePolicy(rules({ allow: { command: 'connect' } })), 1)
  assert.equal((await udp.record()).end, 'revoked')
})

test('a foreign sender is asked about, where foreign senders are heard at all', async t => {
  const udp = { fullCone: true }
  const open = await openUdpScene(t, rules({ allow: 'everything' }), { udp })
  await open.ask(await open.echo())
  const heard = open.next()
  await open.strange()
  assert.equal(await heard, 'strange')
  const closed = await openUdpScene(t, rules({ deny: { command: 'udp-sender' } }, { allow: 'everything' }), { udp })
  const target = await closed.echo()
  await closed.ask(target)
  await closed.strange()
  // The stranger would have been heard first.
  assert.equal(await closed.ask(target), 'answer')
})

test('what was decided about the last destination and the last sender does not outlive the rules', async t => {
  const udp = await openUdpScene(t, rules({ allow: { command: 'udp-associate' } }))
  const [first, second] = [await udp.echo(), await udp.echo()]
  // Twice, so that the second datagram asks nobody any more.
  assert.deepEqual([await udp.ask(first), await udp.ask(first)], ['answer', 'answer'])
  udp.server.usePolicy(rules({ allow: { command: 'udp-associate', port: second } }))
  udp.push(first)
  await udp.send(first)
  assert.equal(await udp.ask(second), 'answer')
  assert.equal(udp.heard(first), 2)
})

test('an association outlasts the hours of a destination, but no datagram passes to it any more', async t => {
  const clock = new VirtualClock(Date.UTC(2030, 0, 1, 8, 58, 30))
  const udp = await openUdpScene(t, rules({ allow: 'everything' }), { engine: createEngine(clock) })
  const [first, second] = [await udp.echo(), await udp.echo()]
  udp.server.usePolicy(rules({ allow: { port: first, when: '08:00-09:00 UTC' } }, { allow: { port: second } }))
  assert.deepEqual([await udp.ask(first), await udp.ask(first)], ['answer', 'answer'])
  await clock.advance(120_000)
  await udp.send(first)
  assert.equal(await udp.ask(second), 'answer')
  assert.equal(udp.heard(first), 2)
})

test('a datagram to an address goes to what its rule names instead, whatever stands at the address', async t => {
  const udp = await openUdpScene(t, rules({ allow: { command: 'udp-associate' } }))
  const [named, instead] = [await udp.echo(), await udp.echo()]
  udp.server.usePolicy(
    rules(
      { allow: { command: 'udp-associate', port: named }, redirect: `127.0.0.1:${instead}` },
      { allow: { command: 'udp-associate' } },
    ),
  )
  // Twice, so that the second one asks nobody any more.
  assert.deepEqual([await udp.ask(named), await udp.ask(named)], ['answer', 'answer'])
  assert.deepEqual([udp.heard(named), udp.heard(instead)], [0, 2])
})
