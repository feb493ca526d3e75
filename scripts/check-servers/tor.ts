/** A private Tor network on loopback, without which tor's SOCKS port reaches nothing: one authority, two relays, a client. */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { type Stage, freePort } from './subject.ts'

const COMMON = `TestingTorNetwork 1
AssumeReachable 1
PathsNeededToBuildCircuits 0.25
TestingDirAuthVoteExit *
TestingDirAuthVoteHSDir *
TestingDirAuthVoteGuard *
V3AuthNIntervalsValid 2
EnforceDistinctSubnets 0
ShutdownWaitLength 0
ExtendAllowPrivateAddresses 1
Log notice stdout
RunAsDaemon 0
`

// They leave to inside addresses, and ask no name server.
const RELAY = `Address 127.0.0.1
ContactInfo nobody@example.invalid
SocksPort 0
ExitRelay 1
IPv6Exit 1
ExitPolicyRejectPrivate 0
ExitPolicy accept *:*
ServerDNSDetectHijacking 0
ServerDNSTestAddresses
ServerDNSResolvConfFile /dev/null
ServerDNSAllowBrokenConfig 1
`

// A new network agrees on itself within seconds, not hours.
const AUTHORITY = `AuthoritativeDirectory 1
V3AuthoritativeDirectory 1
TestingV3AuthInitialVotingInterval 5
TestingV3AuthInitialVoteDelay 2
TestingV3AuthInitialDistDelay 2
V3AuthVotingInterval 10
V3AuthVoteDelay 2
V3AuthDistDelay 2
`

/** Starts the network and a client of it; its SOCKS port, once the client has a way out. */
export async function startTor(stage: Stage): Promise<number> {
  const [orPort, dirPort] = [await freePort(), await freePort()]
  const authority = await nameAuthority(stage, orPort, dirPort)
  await startNode(
    stage,
    'authority',
    orPort,
    `${RELAY}OrPort 127.0.0.1:${orPort}\nDirPort 127.0.0.1:${dirPort}\n${AUTHORITY}${authority}`,
  )
  for (const name of ['first', 'second']) {
    const port = await freePort()
    await startNode(stage, name, port, `${RELAY}OrPort 127.0.0.1:${port}\n${authority}`)
  }
  const port = await freePort()
  const client = `SocksPort 127.0.0.1:${port}\nClientRejectInternalAddresses 0\nClientDNSRejectInternalAddresses 0\n${authority}`
  await startNode(stage, 'client', port, client)
  await stage.said(/Bootstrapped 100%/, BOOTSTRAP_MS)
  return port
}

const BOOTSTRAP_MS = 90_000

async function startNode(stage: Stage, name: string, port: number, config: string): Promise<void> {
  await mkdir(stage.path(name), { recursive: true, mode: 0o700 })
  const torrc = stage.path(`${name}.torrc`)
  await writeFile(torrc, `${COMMON}Nickname ${name}\nDataDirectory ${stage.path(name)}\n${config}`)
  await stage.serve('tor', ['-f', torrc], port)
}

/** Makes the keys of the authority; the line by which all others know it. */
async function nameAuthority(stage: Stage, orPort: number, dirPort: number): Promise<string> {
  const folder = stage.path('authority')
  await mkdir(`${folder}/keys`, { recursive: true, mode: 0o700 })
  const identity = ['--create-identity-key', '-m', '12', '-a', `127.0.0.1:${dirPort}`, '--passphrase-fd', '0']
  const certificateFile = `${folder}/keys/authority_certificate`
  stage.run(
    'tor-gencert',
    [
      ...identity,
      '-i',
      `${folder}/keys/authority_identity_key`,
      '-s',
      `${folder}/keys/authority_signing_key`,
      '-c',
      certificateFile,
    ],
    'only here\n',
  )
  const v3ident = /^fingerprint (\w+)$/m.exec(await readFile(certificateFile, 'utf8'))?.[1]
  const known = `authority orport=${orPort} no-listen v3ident=${v3ident} 127.0.0.1:${dirPort}`
  const place = ['--DataDirectory', folder, '--OrPort', `${orPort}`, '--Nickname', 'authority']
  const nobody = ['--DirAuthority', `${known} ${'F'.repeat(40)}`]
  const ask = ['--quiet', '--list-fingerprint', '--ignore-missing-torrc', '-f', '/dev/null']
  const said = stage.run('tor', [...ask, ...place, ...nobody]).trim()
  return `DirAuthority ${known} ${said.replace(/^authority /, '').replaceAll(' ', '')}\n`
}
