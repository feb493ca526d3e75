import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { test } from 'node:test'
import { proxyUrl, runCommand, startCommand, udpTarget } from '../reach-scene.ts'

test('each line is a datagram, with its line end, and the answers are printed', async t => {
  const got: string[] = []
  const target = createSocket('udp4', (octets, from) => {
    got.push(octets.toString())
    target.send(`<${octets.toString()}>`, from.port, from.address)
  })
  t.after(() => target.close())
  target.bind(0, '127.0.0.1')
  await once(target, 'listening')
  const words = ['udp', '--via', await proxyUrl(t), '127.0.0.1', String(target.address().port), '--wait', '500ms']
  const { code, stdout } = await runCommand(t, words, 'one\ntwo\nthree')
  assert.deepEqual(
    { code, got, stdout },
    { code: 0, got: ['one\n', 'two\n', 'three'], stdout: '<one\n><two\n><three>' },
  )
})

test('with --packet what is read at once is one datagram', async t => {
  const target = await udpTarget(t)
  const { child, code } = startCommand(t, ['udp', '--packet', '--wait', '0', '127.0.0.1', String(target)])
  child.stdin.write('one\ntwo\n')
  const [answer] = (await once(child.stdout, 'data')) as [Buffer]
  assert.equal(answer.toString(), 'one\ntwo\n')
  child.stdin.end()
  child.kill()
  await code
})

test('what cannot be sent is told with its exit code', async t => {
  const target = String(await udpTarget(t))
  const proxy = await proxyUrl(t)
  for (const [args, input, code, words] of [
    [['--via', proxy, '127.0.0.1', target], 'x'.repeat(65_530), 65, 'do not fit'],
    [['--via', proxy.replace('socks5h', 'http'), '127.0.0.1', target], 'x', 76, 'UDP passes SOCKS5 proxies only'],
    [['127.0.0.1', 'x'], '', 64, 'expected a port'],
    [['--wait', 'x', '127.0.0.1', target], '', 64, 'expected a duration'],
  ] as const) {
    const ended = await runCommand(t, ['udp', ...args], input)
    assert.equal(ended.code, code, ended.stderr)
    assert.ok(ended.stderr.includes(words), ended.stderr)
  }
})
