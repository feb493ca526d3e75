/**
 * A relay to a target in a process of few descriptors, for the contract beside it; on the engine that its argument names. Speaks to its parent by IPC: tells its
 * port and what accepting says, and answers `measure` with what it holds and its CPU time.
 */
import { NO_OCTETS } from '@socksmith/protocol'
import type { Connection } from '../../src/ports.ts'
import { selectEngine } from '../../src/select.ts'
import { endpoint, must, portOf } from './scene.ts'

/** What the process tells. */
export type Told =
  | { readonly kind: 'port'; readonly port: number }
  | { readonly kind: 'accept-failure'; readonly errno: string | undefined }
  | { readonly kind: 'dial-failure'; readonly errno: string | undefined; readonly blame: string }
  | { readonly kind: 'measured'; readonly relays: number; readonly cpuMicroseconds: number }

const { engine } = selectEngine(process.argv[3] === 'linux' ? 'auto' : 'node')
const targetPort = Number(process.argv[2])
let relays = 0
const tell = (told: Told): void => void process.send?.(told)

async function carry(client: Connection): Promise<void> {
  const target = await engine.dial({ kind: 'ip', endpoint: endpoint('127.0.0.1', targetPort) }, { timeoutMs: 5_000 })
    .result
  if ('code' in target) {
    tell({ kind: 'dial-failure', errno: target.errno, blame: target.blame })
    return client.destroy()
  }
  relays++
  const onEnd = (): void => void relays--
  engine.relay({ client, target, toTarget: NO_OCTETS, toClient: NO_OCTETS, idleMs: 0, halfOpenIdleMs: 0, onEnd })
}

const place = { kind: 'ip', endpoint: endpoint('127.0.0.1', 0) } as const
const listener = must(
  await engine.listen(
    { place, backlog: 511 },
    {
      onConnection: client => void carry(client),
      onAcceptFailure: failure => tell({ kind: 'accept-failure', errno: failure.errno }),
    },
  ),
)
tell({ kind: 'port', port: portOf(listener.place) })
process.on('message', () => {
  const { user, system } = process.cpuUsage()
  tell({ kind: 'measured', relays, cpuMicroseconds: user + system })
})
