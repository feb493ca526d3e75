/** Tells everybody from which address they came, by TCP and UDP at port 7000 of every address. Ends with its input. */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer } from 'node:net'

const PORT = 7_000
const server = createServer(socket => {
  socket.on('error', () => {})
  socket.end((socket.remoteAddress ?? '').replace('::ffff:', ''))
})
const datagrams = createSocket('udp4', (_octets, from) => datagrams.send(from.address, from.port, from.address))
await Promise.all([once(server.listen(PORT, '::'), 'listening'), once(datagrams.bind(PORT), 'listening')])
process.stdout.write('ready\n')
process.stdin.on('end', () => process.exit()).resume()
