/**
 * What the tunnels lead to, in a thread of its own: a source that sends without end, and an echo. Knows
 * neither proxies nor clocks.
 */
import { once } from 'node:events'
import { type AddressInfo, type Socket, createServer } from 'node:net'
import { parentPort } from 'node:worker_threads'

/** The ports on 127.0.0.1; the one message that this thread sends. */
export interface TargetPorts {
  readonly source: number
  readonly echo: number
}

/** Four times what a socket buffer starts with: fewer calls, and the pipe never runs dry. */
const CHUNK = Buffer.alloc(256 * 1024)

async function listen(serve: (socket: Socket) => void): Promise<number> {
  const server = createServer({ noDelay: true, allowHalfOpen: true }, socket => {
    // The load resets its tunnels.
    socket.on('error', () => undefined)
    // FIN for FIN would leave each port of the proxy in TIME-WAIT for a minute, and a run opens more than there are.
    socket.on('end', () => socket.resetAndDestroy())
    serve(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

function pour(socket: Socket): void {
  while (!socket.destroyed && socket.write(CHUNK));
}

const ports: TargetPorts = {
  source: await listen(socket => {
    socket.on('drain', () => pour(socket))
    pour(socket)
  }),
  echo: await listen(socket => socket.on('data', octets => socket.write(octets))),
}
// oxlint-disable-next-line unicorn/require-post-message-target-origin
parentPort?.postMessage(ports)
