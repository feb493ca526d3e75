/** `serve --via`: curl without a password through our server to proxies that are not ours, with theirs. */
import assert from 'node:assert/strict'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { startCommand } from '../../packages/cli/test/reach-scene.ts'
import { FOREIGN_PROXIES } from './foreign-proxies.ts'
import { needProgram, runProgram } from './program.ts'
import { startProxy } from './server.ts'
import { digestOf, digestTarget, httpTarget, udpEchoTarget } from './targets.ts'

// microsocks stops for ever when both directions are full at a time.
const SMALL_INPUT = 'a line that fits into the buffers on the way\n'.repeat(2_000)
const INPUT = 'half a line of text that is sent before the end\n'.repeat(400_000)

for (const foreign of FOREIGN_PROXIES) {
  const { name, login, schemes, halfClose, udp, tellsRefused } = foreign
  const scheme = schemes.includes('socks5h') ? 'socks5h' : 'socks4a'

  test(`curl through serve --via ${scheme} to ${name}`, async t => {
    if (!needProgram(t, 'curl', 'curl')) return
    const port = await foreign.start(t)
    if (port === undefined) return
    const behind = `127.0.0.1:${port}`
    const proxy = await startProxy(t, ['--via', `${scheme}://${login === undefined ? '' : `${login}@`}${behind}`])
    const target = await httpTarget(t, 'http')
    const args = ['-s', '--proxy', `socks5h://${proxy.at}`, '--data-binary', '@-']
    const got = await runProgram(t, 'curl', [...args, `http://localhost:${target}/`], { input: SMALL_INPUT })
    assert.equal(got.code, 0, got.stderr)
    assert.equal(got.stdout, `POST / ${SMALL_INPUT}`)
    // 97: the proxy said no; nobody listens at port 1.
    const refused = await runProgram(t, 'curl', [...args, 'http://127.0.0.1:1/'])
    if (tellsRefused) assert.equal(refused.code, 97, refused.stderr)
    const sessions = (await proxy.sessions()) as readonly { readonly via?: string; readonly failure?: string }[]
    assert.deepEqual([...new Set(sessions.flatMap(one => one.via ?? []))], [`${scheme}://${behind}`])
    if (tellsRefused) assert.ok(sessions.some(one => one.failure === 'connection_refused'))
  })

  if (halfClose) {
    test(`the end of the input and the answer to it pass serve --via to ${name}`, async t => {
      const port = await foreign.start(t)
      if (port === undefined) return
      const url = `${scheme}://${login === undefined ? '' : `${login}@`}127.0.0.1:${port}`
      const proxy = await startProxy(t, ['--via', url])
      const words = ['connect', '--via', `socks5h://${proxy.at}`, '127.0.0.1', String(await digestTarget(t))]
      const { child, code } = startCommand(t, words)
      child.stdin.end(INPUT)
      assert.equal(await text(child.stdout), digestOf(INPUT))
      assert.equal(await code, 0)
    })
  }

  if (udp) {
    test(`a datagram goes through serve --via to ${name}`, async t => {
      const port = await foreign.start(t)
      if (port === undefined) return
      const url = `socks5h://${login === undefined ? '' : `${login}@`}127.0.0.1:${port}`
      const proxy = await startProxy(t, ['--via', url])
      for (const host of ['127.0.0.1', 'localhost']) {
        const words = ['udp', '--via', `socks5h://${proxy.at}`, host, String(await udpEchoTarget(t)), '--wait', '1s']
        const { child, code } = startCommand(t, words)
        child.stdin.end('a datagram')
        assert.equal(await text(child.stdout), 'a datagram', host)
        assert.equal(await code, 0)
      }
    })
  }
}
