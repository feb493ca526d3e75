/** The route that the environment describes, and that no variable of it is ignored. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { type Environment, routeFromEnvironment } from '../../src/index.ts'
import { goes, refusal } from './ask.ts'

const SECRET = 'open%20sesame'

suite('the environment', () => {
  test('without a variable it is direct', () => {
    assert.equal(routeFromEnvironment({ PATH: '/bin', NO_PROXY: '*', ALL_PROXY: '' }).kind, 'direct')
  })

  test('ALL_PROXY is for everything, the variable of a scheme comes before it, lower case before upper case', () => {
    const route = routeFromEnvironment({
      ALL_PROXY: 'socks5h://all.test',
      HTTPS_PROXY: 'http://upper.test:1',
      https_proxy: 'http://lower.test:2',
    })
    assert.equal(goes(route, 'a.test'), 'socks5h://all.test:1080')
    assert.equal(goes(route, 'a.test', 443, 'https'), 'http://lower.test:2')
    assert.equal(goes(route, 'a.test', 443, 'wss'), 'http://lower.test:2')
    assert.equal(goes(route, 'a.test', 80, 'http'), 'socks5h://all.test:1080')
  })

  test('never direct while a proxy is named: a variable of another scheme is better than none', () => {
    const route = routeFromEnvironment({ HTTP_PROXY: 'socks5h://web.test' })
    assert.equal(goes(route, 'a.test', 443, 'https'), 'socks5h://web.test:1080')
    assert.equal(goes(route, 'a.test', 22), 'socks5h://web.test:1080')
    const both = routeFromEnvironment({ HTTP_PROXY: 'socks5h://web.test', HTTPS_PROXY: 'socks5h://secure.test' })
    assert.equal(goes(both, 'a.test', 22), 'socks5h://secure.test:1080')
  })

  test('NO_PROXY: names with what is below them, networks, ports, everything', () => {
    const route = routeFromEnvironment({
      ALL_PROXY: 'socks5h://p.test',
      NO_PROXY: 'a.test, .b.test 10.0.0.0/8,c.test:8080,[::1]:80,::2',
    })
    const isDirect = (host: string, port?: number): boolean => goes(route, host, port) === 'direct'
    assert.ok(isDirect('a.test') && isDirect('x.a.test') && isDirect('b.test') && isDirect('x.b.test'))
    assert.ok(!isDirect('xa.test') && isDirect('10.2.3.4') && !isDirect('11.2.3.4'))
    assert.ok(
      isDirect('c.test', 8_080) &&
        !isDirect('c.test', 443) &&
        isDirect('::1', 80) &&
        !isDirect('::1') &&
        isDirect('::2'),
    )
    assert.equal(goes(routeFromEnvironment({ ALL_PROXY: 'socks5h://p.test', no_proxy: '*' }), 'a.test'), 'direct')
    assert.equal(
      goes(routeFromEnvironment({ HTTPS_PROXY: 'socks5h://p.test', no_proxy: 'a.test' }), 'a.test', 443, 'https'),
      'direct',
    )
  })

  test('a value that is not understood is an error that names the variable and not the value', () => {
    for (const environment of [
      { ALL_PROXY: `socks9://alice:${SECRET}@p.test` },
      { https_proxy: `socks5h://alice:${SECRET}@p.test:0` },
      { ALL_PROXY: 'socks5h://p.test', NO_PROXY: '10.0.0.0/99' },
    ] as Environment[]) {
      const error = refusal(() => routeFromEnvironment(environment))
      assert.match(error.message, /ALL_PROXY|https_proxy|NO_PROXY/)
      assert.ok(!error.message.includes('sesame'))
    }
  })

  test('a value without a scheme is an HTTP proxy, and in SOCKS_PROXY a SOCKS proxy', () => {
    assert.equal(goes(routeFromEnvironment({ ALL_PROXY: 'p.test:3128' }), 'a.test'), 'http://p.test:3128')
    assert.equal(goes(routeFromEnvironment({ socks_proxy: 'p.test:9050' }), 'a.test'), 'socks5h://p.test:9050')
  })

  test('a CGI request cannot choose the proxy by a header', () => {
    assert.equal(routeFromEnvironment({ HTTP_PROXY: 'http://evil.test', REQUEST_METHOD: 'GET' }).kind, 'direct')
    assert.equal(
      goes(routeFromEnvironment({ http_proxy: 'http://p.test', REQUEST_METHOD: 'GET' }), 'a.test'),
      'http://p.test:80',
    )
  })
})
