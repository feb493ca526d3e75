/** An ssh server in this process that forwards channels, counts logins, and can be made to fall silent or to break. */
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import ssh2 from 'ssh2'
import type { Scene } from '../scene.ts'

/** Where it stops to answer. */
export type Silence = 'greeting' | 'authentication' | 'request'

export interface SshServer {
  readonly port: number
  /** Logins that worked, since the start. */
  readonly logins: number
  /** Connections that are open. */
  readonly open: ReadonlySet<Socket>
  /** Channels that were asked for, since the start. */
  readonly channels: number
  /** Says nothing from there on. */
  silentAt: Silence | undefined
  /** Where it was asked last and said nothing. */
  readonly reached: Silence | undefined
}

const PRIVATE_KEY = ssh2.utils.generateKeyPairSync('ed25519').private

/** `alice` with `open sesame` may log in. */
export async function sshServer(scene: Scene, silentAt?: Silence): Promise<SshServer> {
  let [logins, channels] = [0, 0]
  const open = new Set<Socket>()
  const made: { silentAt: Silence | undefined; reached: Silence | undefined } = { silentAt, reached: undefined }
  const isSilent = (where: Silence): boolean => {
    if (made.silentAt !== where) return false
    made.reached = where
    return true
  }
  const server = new ssh2.Server({ hostKeys: [PRIVATE_KEY] }, client => {
    client.on('error', () => {})
    client.on('authentication', context => {
      if (isSilent('authentication')) return
      if (context.method === 'password' && context.username === 'alice' && context.password === 'open sesame') {
        context.accept()
      } else context.reject(['password'])
    })
    client.on('ready', () => logins++)
    client.on('tcpip', (accept, reject, { destIP, destPort }) => {
      channels++
      if (isSilent('request')) return
      const target = connect({ host: destIP, port: destPort, allowHalfOpen: true })
      target.once('error', reject).once('connect', () => {
        target.off('error', reject).on('error', () => {})
        const channel = accept()
        channel.on('error', () => {})
        channel.on('close', () => target.destroy())
        target.pipe(channel).pipe(target)
      })
    })
  })
  const port = await scene.target(socket => {
    open.add(socket)
    socket.setNoDelay(true)
    socket.on('end', () => socket.end()).on('close', () => open.delete(socket))
    if (isSilent('greeting')) socket.resume()
    else server.injectSocket(socket)
  })
  return {
    port,
    open,
    get logins() {
      return logins
    },
    get channels() {
      return channels
    },
    get silentAt() {
      return made.silentAt
    },
    get reached() {
      return made.reached
    },
    set silentAt(where) {
      made.silentAt = where
    },
  }
}

/** The options of a route to it. */
export function sshVia({ port }: SshServer): {
  readonly protocol: 'ssh'
  readonly host: string
  readonly port: number
  readonly username: string
  readonly password: string
  readonly ssh: { readonly agent: string; readonly dangerAcceptAnyHostKey: true }
} {
  const ssh = { agent: '/nonexistent', dangerAcceptAnyHostKey: true } as const
  return { protocol: 'ssh', host: '127.0.0.1', port, username: 'alice', password: 'open sesame', ssh }
}
