/** Clients that say nothing, too much, or go away: they must cost little, and must not keep others from being served. */
import type { IpAddress } from '@socksmith/protocol'
import type { Case, Skip } from '../case.ts'
import { isSentAway } from '../connection.ts'
import type { Dialogue } from '../dialogue.ts'
import { Finding, expectThat } from '../finding.ts'
import { family } from '../family.ts'
import { pause } from '../octet-stream.ts'
import { COMMAND, type Probe } from '../probe.ts'
import { longOctets } from '../transcript.ts'

const limits = family({ prefix: 'LIM', area: 'limits', needs: ['socks5'] })
/** Enough to fill a server that serves one client after the other, few enough to harm nobody. */
const SILENT_CLIENTS = 40
const CHURN = 50

async function isServed(probe: Probe): Promise<void> {
  await (await probe.tunnel(probe.targets.tcp('echo'))).echo()
}

/** Everything from the greeting to the echo on a connection that is open. */
function isServedOn(probe: Probe, dialogue: Dialogue): Promise<void> {
  dialogue.greet(dialogue.entryMethod)
  return isServedAfterGreeting(probe, dialogue)
}

async function isServedAfterGreeting(probe: Probe, dialogue: Dialogue): Promise<void> {
  await dialogue.afterGreeting()
  dialogue.request(COMMAND.connect, probe.targets.tcp('echo'))
  await dialogue.success()
  await dialogue.echo()
}

const ONE_ADDRESS: Skip = { skip: 'it lets only so many of one address in, and there is no second one to come from' }

/** Another client is served while so many do `deed`, which leaves them in the middle of the handshake. */
async function othersAreServed(probe: Probe, deed: (dialogue: Dialogue) => void): Promise<Skip | void> {
  const from = await otherAddress(probe)
  try {
    for (let count = 0; count < SILENT_CLIENTS; count++) deed(await probe.open())
  } catch (error) {
    // A server may also limit them by taking no more; what that means for others shows below.
    if (!(error instanceof Finding)) throw error
  }
  if (from !== undefined) return isServedOn(probe, await probe.open(from))
  let dialogue: Dialogue
  try {
    dialogue = await probe.open()
  } catch (error) {
    if (error instanceof Finding && isSentAway(error)) return ONE_ADDRESS
    throw error
  }
  // Who is sent away at once has met a limit for its own address, which keeps the places of others free.
  const { stream } = dialogue
  dialogue.greet(dialogue.entryMethod)
  await stream.until(() => stream.waiting.length > 0, probe.timing.patienceMs)
  if (stream.ending !== 'open' && stream.waiting.length === 0) return ONE_ADDRESS
  return isServedAfterGreeting(probe, dialogue)
}

/** Another address of this host, where the server serves that too: some know only one. */
async function otherAddress(probe: Probe): Promise<IpAddress | undefined> {
  const { stranger } = probe.targets
  if (stranger === undefined || !probe.abilities.here.has) return undefined
  try {
    await isServedOn(probe, await probe.open(stranger))
    return stranger
  } catch (error) {
    if (error instanceof Finding) return undefined
    throw error
  }
}

/** The server ends this client within the time for silent ones. */
async function isLetGo(probe: Probe, dialogue: Dialogue): Promise<void> {
  await dialogue.closed(probe.timing.silenceMs)
}

const QUICK_CASES: readonly Case[] = [
  limits(
    1,
    {
      title: 'Clients that say nothing do not keep others from being served',
      clause: 'practice',
      level: 'safety',
      why: 'Opening connections costs an attacker nothing.',
      needs: ['connect'],
    },
    probe => othersAreServed(probe, () => {}),
  ),
  limits(
    2,
    {
      title: 'Clients that stop in the middle of the handshake do not keep others from being served',
      clause: 'practice',
      level: 'safety',
      why: 'A server that reads by blocking stands still at the first of them.',
      needs: ['connect'],
    },
    probe =>
      othersAreServed(probe, ({ stream }) => stream.send(Uint8Array.of(5, 2, 0), 'a greeting without its last octet')),
  ),
  limits(
    3,
    {
      title: 'A client that resets at any step leaves the server as it was',
      clause: 'practice',
      level: 'safety',
      why: 'An error that nobody expects ends the process, and with it all tunnels.',
      needs: ['connect'],
    },
    async probe => {
      const silent = await probe.open()
      silent.stream.reset()
      const greeted = await probe.open()
      greeted.greet(greeted.entryMethod)
      greeted.stream.reset()
      const entered = await probe.enter()
      entered.request(COMMAND.connect, probe.targets.tcp('echo'))
      entered.stream.reset()
      const tunnelled = await probe.tunnel(probe.targets.tcp('echo'))
      tunnelled.stream.send(longOctets(65_536), 'much')
      tunnelled.stream.reset()
      await isServed(probe)
    },
  ),
  limits(
    4,
    {
      title: 'A client that does not read does not slow down others',
      clause: 'practice',
      level: 'safety',
      why: 'A server was found in which one stalled reader made twenty small requests take twenty seconds.',
      needs: ['connect'],
    },
    async probe => {
      const stalled = await probe.enter()
      stalled.request(COMMAND.connect, probe.targets.tcp('flood'))
      await stalled.success()
      stalled.stream.stall()
      // Time for all buffers on the way to fill.
      await pause(probe.timing.quietMs)
      for (let count = 0; count < 3; count++) await isServed(probe)
    },
  ),
  limits(
    5,
    {
      title: 'Fifty clients one after the other are all served',
      clause: 'practice',
      level: 'safety',
      why: 'What is not given back after each shows after some.',
      needs: ['connect'],
    },
    async probe => {
      for (let count = 0; count < CHURN; count++) {
        const dialogue = await probe.tunnel(probe.targets.tcp('echo'))
        dialogue.stream.finish()
        await dialogue.closed(probe.timing.patienceMs)
      }
    },
  ),
  limits(
    6,
    {
      title: 'A dial that takes its time does not keep others from being served',
      clause: 'practice',
      level: 'safety',
      why: 'A server that waits for a name inside its loop stands still for everybody.',
      needs: ['connect', 'name'],
    },
    async probe => {
      for (let count = 0; count < 8; count++) {
        const dialogue = await probe.enter()
        const name = { type: 'domain', name: `socksmith-check-${count}.invalid` } as const
        dialogue.request(COMMAND.connect, { address: name, port: 80 })
      }
      const startedMs = performance.now()
      await isServed(probe)
      const tookMs = Math.round(performance.now() - startedMs)
      expectThat(tookMs < probe.timing.patienceMs, 'an answer at once', `it took ${tookMs} ms`)
    },
  ),
]

const SLOW_CASES: readonly Case[] = [
  limits(
    20,
    {
      title: 'A client that says nothing is let go',
      clause: 'practice',
      level: 'safety',
      why: 'Descriptors are the first thing that runs out.',
      isSlow: true,
    },
    async probe => isLetGo(probe, await probe.open()),
  ),
  limits(
    21,
    {
      title: 'A client that stops after the selection is let go',
      clause: 'practice',
      level: 'safety',
      why: 'A limit that only holds for the first octet is none.',
      isSlow: true,
    },
    async probe => isLetGo(probe, await probe.enter()),
  ),
  limits(
    22,
    {
      title: 'A client that sends an octet now and then is let go',
      clause: 'practice',
      level: 'safety',
      why: 'A limit that starts anew with each octet can be drawn out for ever.',
      isSlow: true,
    },
    async probe => {
      const dialogue = await probe.open()
      // 255 methods are announced: there is always one more to send.
      dialogue.stream.send(Uint8Array.of(5, 255), 'a greeting that is to take for ever')
      const until = performance.now() + probe.timing.silenceMs
      while (performance.now() < until && dialogue.stream.ending === 'open') {
        await pause(probe.timing.dribbleMs)
        dialogue.stream.send(Uint8Array.of(0xfe))
      }
      expectThat(dialogue.stream.ending !== 'open', 'the end of the connection', 'it is open')
    },
  ),
]

export const LIMIT_CASES: readonly Case[] = [...QUICK_CASES, ...SLOW_CASES]
