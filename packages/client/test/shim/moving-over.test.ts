/** A program that was written for `socks` and `socks-proxy-agent`, moved over by its package.json alone. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import { socksProxy } from '../http/socks-proxy.ts'
import { webServer } from '../http/web-server.ts'

const run = promisify(execFile)
const PACKAGE = join(import.meta.dirname, '../..')

/** As npm leaves it after `"socks": "npm:@socksmith/client"`: our package under their names. */
async function home(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'socksmith-moving-'))
  t.after(() => rm(folder, { recursive: true }))
  await mkdir(join(folder, 'node_modules/@socksmith'), { recursive: true })
  for (const name of ['socks', 'socks-proxy-agent', '@socksmith/client']) {
    await symlink(PACKAGE, join(folder, 'node_modules', name))
  }
  return folder
}

const BODY = `
  const [proxyPort, port] = process.argv.slice(-2).map(Number)
  const proxy = { host: '127.0.0.1', port: proxyPort, type: 5 }
  const agent = new SocksProxyAgent('socks5h://127.0.0.1:' + proxyPort)
  http.get({ host: 'a.test', port, agent }, response => response.pipe(process.stdout))
  SocksClient.createConnection({ command: 'connect', proxy, destination: { host: 'b.test', port } })
    .then(({ socket }) => socket.end('GET / HTTP/1.0\\r\\n\\r\\n'))
`

for (const [format, imports] of [
  ['mjs', ['socks', 'socks-proxy-agent']],
  ['cjs', ['socks', 'socks-proxy-agent']],
  ['mjs', ['@socksmith/client/socks', '@socksmith/client/socks-proxy-agent']],
  ['cjs', ['@socksmith/client/socks', '@socksmith/client/socks-proxy-agent']],
] as const) {
  test(`${format} with ${imports.join(' and ')}`, async t => {
    const [proxy, server] = [await socksProxy(t), await webServer(t)]
    const folder = await home(t)
    const [socks, agent] = imports
    const head =
      format === 'mjs'
        ? `import http from 'node:http'; import { SocksClient } from '${socks}'; import { SocksProxyAgent } from '${agent}'`
        : `const http = require('node:http'); const { SocksClient } = require('${socks}'); const { SocksProxyAgent } = require('${agent}')`
    const program = join(folder, `program.${format}`)
    await writeFile(program, `${head}\n${BODY}`)
    const args = ['--conditions=@socksmith/source', program, String(proxy.port), String(server.port)]
    const { stdout } = await run(process.execPath, args, { cwd: folder })
    assert.equal(stdout, `GET / a.test:${server.port}`)
    assert.deepEqual([...proxy.asked].sort(), [`a.test:${server.port}`, `b.test:${server.port}`])
  })
}
