/** A thousand who take their time about asking at the control socket. */
import { type Socket, connect } from 'node:net'
import { closed } from '../client.ts'
import { askControl } from '../ask-control.ts'
import { until, wait } from '../stage.ts'
import { type Stand, type Trial, openMs, othersP99Ms } from './trial.ts'

const SLOW_CLIENTS = 1_000
const SLOW_MS = 20_000
const OCTET_EVERY_MS = 1_000
/** Of the slow ones, each with its descriptor. */
const DESCRIPTORS_MAX = 100
const OTHERS_MS_MAX = 100
const BACK_MS_MAX = 1_000
const WAIT_MS_MAX = 10_000
const MALFORMED = [
  '',
  '\n',
  '{\n',
  '[]\n',
  '{"ask":"everything"}\n',
  'GET / HTTP/1.1\r\n\r\n',
  `${'{"ask":'.repeat(2_000)}\n`,
]

export const controlTrial: Trial = {
  rows: ['R-34'],
  name: '1,000 clients of the control socket that send an octet a second, and questions that are none',
  async run({ note, serve, targets }) {
    await serve({}, async stand => {
      const { served } = stand
      const before = served.descriptors
      const slow = Array.from({ length: SLOW_CLIENTS }, () => trickle(stand))
      const others = othersP99Ms(served.ports, targets.ports.echo, wait(SLOW_MS))
      await wait(OCTET_EVERY_MS)
      note('descriptors that 1,000 slow clients take', served.descriptors - before, { atMost: DESCRIPTORS_MAX })
      note('time of a new tunnel meanwhile, p99', await others, { atMost: OTHERS_MS_MAX, unit: 'ms' })
      note('slow clients that are kept after 20 s', slow.filter(socket => !socket.closed).length, { atMost: 0 })
      note('questions that are none, and were answered', await answeredMalformed(stand), { atMost: 0 })
      const backMs = await until(
        () =>
          askControl(stand, { ask: 'reload' }).then(
            () => true,
            () => false,
          ),
        WAIT_MS_MAX,
      )
      note('time until a question is answered', backMs, { atMost: BACK_MS_MAX, unit: 'ms' })
      note('time of a new tunnel at the end', await openMs(served.ports, targets.ports.echo), {
        atMost: OTHERS_MS_MAX,
        unit: 'ms',
      })
    })
  },
}

function trickle({ files }: Stand): Socket {
  const socket = connect(files.control)
  socket.on('error', () => {}).resume()
  const timer = setInterval(() => socket.write(' '), OCTET_EVERY_MS)
  socket.on('close', () => clearInterval(timer))
  return socket
}

async function answeredMalformed({ files }: Stand): Promise<number> {
  let answered = 0
  for (const octets of MALFORMED) {
    const socket = connect(files.control)
    socket.on('error', () => {}).on('data', () => answered++)
    socket.end(octets)
    await closed(socket)
  }
  return answered
}
