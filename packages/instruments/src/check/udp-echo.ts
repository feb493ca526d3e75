/** The UDP targets: two echoes, which note who writes to them. They know nothing of SOCKS. */
import { type Socket as DatagramSocket, createSocket } from 'node:dgram'
import { once } from 'node:events'
import { type Endpoint, type IpAddress, formatAddress, parseIp } from '@socksmith/protocol'
import { closeAll, openEverywhere } from './same-port.ts'

export interface UdpEcho {
  readonly port: number
  readonly port2: number
  readonly lastSender: () => Endpoint | undefined
  readonly count: () => number
  readonly send: (octets: Uint8Array, to: Endpoint) => void
  readonly close: () => Promise<void>
}

/** Opens both at every address; `ports` are those of an earlier time. */
export async function openUdpEcho(addresses: readonly IpAddress[], ports: readonly number[]): Promise<UdpEcho> {
  let last: Endpoint | undefined
  let count = 0
  const open = async (at: IpAddress, port: number): Promise<DatagramSocket> => {
    const socket = createSocket(at.type === 'ipv4' ? 'udp4' : 'udp6')
    socket.on('message', (octets, from) => {
      count++
      last = { address: parseIp(from.address.replace(/%.*/, '')) as IpAddress, port: from.port }
      socket.send(octets, from.port, from.address, () => {})
    })
    socket.bind(port, formatAddress(at))
    await once(socket, 'listening')
    return socket
  }
  const first = await openEverywhere(addresses, ports[0], open)
  const second = await openEverywhere(addresses, ports[1], open).catch(async (error: unknown) => {
    await closeAll(first.opened)
    throw error
  })
  return {
    port: first.port,
    port2: second.port,
    lastSender: () => last,
    count: () => count,
    send: (octets, to) => first.opened[0]?.send(octets, to.port, formatAddress(to.address), () => {}),
    close: () => closeAll([...first.opened, ...second.opened]),
  }
}
