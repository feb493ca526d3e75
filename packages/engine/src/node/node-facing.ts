/** The local address that the kernel's routes give for a destination. Sends nothing. */
import { type Socket, createSocket } from 'node:dgram'
import { type Failure, type IpAddress, failure, formatAddress, parseIp } from '@socksmith/protocol'
import { systemFailure } from './system-failure.ts'

/** Any port will do: connecting a datagram socket only asks the routing table. */
const DISCARD_PORT = 9

export function facing(destination: IpAddress): Promise<IpAddress | Failure> {
  return new Promise(resolve => {
    const socket = createSocket(destination.type === 'ipv4' ? 'udp4' : 'udp6')
    const settle = (result: IpAddress | Failure): void => {
      socket.removeAllListeners()
      socket.on('error', () => {})
      socket.close()
      resolve(result)
    }
    socket.once('error', error => settle(systemFailure(error, 'target')))
    socket.connect(DISCARD_PORT, formatAddress(destination), () => settle(localAddress(socket)))
  })
}

function localAddress(socket: Socket): IpAddress | Failure {
  try {
    const [text = ''] = socket.address().address.split('%')
    return parseIp(text) ?? failure('general_failure', 'us', 'the system named no local address')
  } catch (error) {
    return systemFailure(error, 'us')
  }
}
