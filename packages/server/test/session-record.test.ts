/** What the record of a session says, beyond what the tests of each command look at. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { policy } from './rules.ts'
import { connectRequest, deadPort, echo, openClient, openScene, openTarget } from './scene.ts'

test('the record of a refusal says who refused: the rules, a limit, or the server itself', async t => {
  const [denied, blocked, dead] = [await deadPort(), await deadPort(), await deadPort()]
  const target = await openTarget(t, echo)
  const decider = policy({
    limits: { none: { per: 'all', sessions: 1 } },
    rules: [
      { deny: { port: denied } },
      { allow: { port: blocked }, via: 'block' },
      { allow: { port: target.port }, limits: 'none' },
      { allow: 'everything' },
    ],
  })
  const { port, record } = await openScene(t, { policy: decider })
  const ask = async (to: number, octets: string | Buffer = connectRequest(to)): Promise<void> => {
    const client = await openClient(t, port)
    client.send(octets)
    await client.read(4)
  }
  const forward = (to: number): Promise<void> =>
    ask(to, Buffer.from(`GET http://127.0.0.1:${to}/ HTTP/1.1\r\nHost: x\r\n\r\n`))
  // Holds all that the limit has.
  await ask(target.port)
  for (const [to, by] of [
    [denied, 'rules'],
    [blocked, 'rules'],
    [target.port, 'limit'],
    [port, 'server'],
  ] as const) {
    for (const [command, request] of [
      ['connect', ask],
      ['forward', forward],
    ] as const) {
      await request(to)
      const told = await record(one => one.command === command && one.target?.port === to)
      assert.deepEqual([told.end, told.refusedBy], ['refused', by], `${command} ${by}`)
    }
  }
  await ask(dead)
  assert.ok(!('refusedBy' in (await record(one => one.target?.port === dead))))
})
