/** BIND by SOCKS4: two replies, and the right peer. */
import { type Case, NO_STRANGER } from '../case.ts'
import { at } from '../dialogue.ts'
import { Finding, expectThat } from '../finding.ts'
import { family } from '../family.ts'
import { COMMAND } from '../probe.ts'
import { boundPlace } from '../relay.ts'
import { HELLO } from '../targets.ts'

const bind4 = family({ prefix: 'S4-BIN', area: 'socks4', needs: ['bind4', 'here'] })
const NOTE = 'SOCKS4 note'

export const SOCKS4_BIND_CASES: readonly Case[] = [
  bind4(
    1,
    {
      title: 'BIND gets a second reply when the peer has come, and carries octets then',
      clause: `${NOTE}, BIND`,
      level: 'must',
      why: 'The client cannot know otherwise that somebody has come.',
    },
    async probe => {
      const dialogue = await probe.open()
      dialogue.request4(COMMAND.bind, at(probe.targets.address, probe.targets.port('echo')))
      const { bound } = await dialogue.granted4()
      await dialogue.quiet('no second reply without a peer')
      const peer = await probe.connectAsPeer(await boundPlace(probe, bound), dialogue)
      await dialogue.granted4()
      peer.send(HELLO, 'from the peer')
      await dialogue.expectOctets(HELLO, 'what the peer sent')
    },
  ),
  bind4(
    2,
    {
      title: 'A peer from another address is told by code 91 in the second reply',
      clause: `${NOTE}, BIND`,
      level: 'must',
      why: 'The note says so: both connections are closed then.',
    },
    async probe => {
      const { stranger } = probe.targets
      if (stranger === undefined) return NO_STRANGER
      const dialogue = await probe.open()
      dialogue.request4(COMMAND.bind, at(probe.targets.address, probe.targets.port('echo')))
      const { bound } = await dialogue.granted4()
      try {
        await probe.connectAsPeer(await boundPlace(probe, bound), dialogue, stranger)
      } catch (error) {
        if (error instanceof Finding) return { skip: 'the server does not listen where a stranger could come' }
        throw error
      }
      const { code } = await dialogue.reply4()
      expectThat(code === 91, 'code 91', `code ${code}`)
    },
  ),
]
