import assert from 'node:assert/strict'
import { rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { ALICE, AUTHORITY, SERVER, STRANGER } from '../../../engine/test/data/certificates.ts'
import { type CertificateSource, openCertificateFiles } from '../../src/tls/certificate-files.ts'
import { temporaryFolder } from '../run-command.ts'

async function put(path: string, text: string): Promise<void> {
  await writeFile(`${path}.tmp`, text)
  await rename(`${path}.tmp`, path)
}

async function setup(t: TestContext) {
  const folder = await temporaryFolder(t)
  const paths = { certificate: join(folder, 'cert.pem'), key: join(folder, 'key.pem') }
  await put(paths.certificate, SERVER.certificate)
  await put(paths.key, SERVER.key)
  const state = { now: 0, told: [] as string[] }
  const opened = openCertificateFiles(
    paths,
    5_000,
    message => state.told.push(message),
    () => state.now,
  )
  assert.ok(opened.ok)
  const source: CertificateSource = opened.value
  return { folder, paths, state, source }
}

test('a renewed pair is used, after a second at most', async t => {
  const { paths, state, source } = await setup(t)
  assert.deepEqual(source(), { ...SERVER, timeoutMs: 5_000, clientCertificateRequired: false })
  await put(paths.certificate, ALICE.certificate)
  await put(paths.key, ALICE.key)
  state.now = 999
  assert.equal(source().certificate, SERVER.certificate)
  state.now = 1_000
  assert.equal(source().certificate, ALICE.certificate)
  assert.equal(source().key, ALICE.key)
  assert.deepEqual(state.told, [])
})

test('a broken pair, or a missing file, keeps the old one and is told once', async t => {
  const { paths, state, source } = await setup(t)
  await put(paths.certificate, STRANGER.certificate)
  for (const now of [1_000, 2_000, 3_000]) {
    state.now = now
    assert.equal(source().certificate, SERVER.certificate)
  }
  assert.equal(state.told.length, 1)
  assert.match(
    state.told[0] ?? '',
    /cert\.pem and .*key\.pem are not a certificate and its key in PEM .*the certificate read before stays in use$/,
  )
  await rm(paths.key)
  state.now = 4_000
  assert.equal(source().certificate, SERVER.certificate)
  assert.equal(state.told.length, 2)
  await put(paths.key, STRANGER.key)
  state.now = 5_000
  assert.equal(source().certificate, STRANGER.certificate)
})

test('at the start a wrong pair is a trouble, and the authorities of clients are read', async t => {
  const { folder, paths } = await setup(t)
  const authorities = join(folder, 'ca.pem')
  await put(authorities, AUTHORITY)
  const opened = openCertificateFiles(
    { ...paths, 'client-ca': authorities, 'client-certificate': 'required' },
    1,
    assert.fail,
  )
  assert.ok(opened.ok)
  assert.equal(opened.value().clientAuthorities, AUTHORITY)
  assert.equal(opened.value().clientCertificateRequired, true)
  await put(paths.key, ALICE.key)
  const wrong = openCertificateFiles(paths, 1, assert.fail)
  assert.ok(!wrong.ok)
  assert.equal(wrong.trouble.exitCode, 65)
  assert.doesNotMatch(wrong.trouble.message, /PRIVATE/)
})
