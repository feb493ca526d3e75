/** An association that a UDP case talks through: opened rightly, asked by whole datagrams. Judges nothing. */
import { type Destination, type Endpoint, type IpAddress, encodeSocks5Datagram } from '@socksmith/protocol'
import type { Datagram, Datagrams } from './datagrams.ts'
import type { Dialogue } from './dialogue.ts'
import { expectThat } from './finding.ts'
import { COMMAND, type Probe } from './probe.ts'
import { type RelayPlace, relayOf } from './relay.ts'

export interface Association {
  readonly dialogue: Dialogue
  readonly datagrams: Datagrams
  readonly relay: RelayPlace
}

/** Opens one. `declared` is DST of the request: zeros when the client does not know its own port. */
export async function associate(probe: Probe, declared: Endpoint, from?: IpAddress): Promise<Association> {
  const datagrams = await probe.datagrams(from)
  const dialogue = await probe.enter()
  dialogue.request(COMMAND.udpAssociate, declared)
  const relay = await relayOf(probe, dialogue, await dialogue.success())
  return { dialogue, datagrams, relay }
}

/** Sends data to a destination through the relay. */
export function sendThrough(
  { datagrams, relay }: Association,
  destination: Destination,
  data: Uint8Array,
  note?: string,
): void {
  datagrams.send(encodeSocks5Datagram({ frag: 0, destination, data }), relay.at, relay.of, note)
}

/** Sends data to an echo and reads it back whole, header and all. */
export async function echoThrough(
  probe: Probe,
  association: Association,
  destination: Endpoint,
  data: Uint8Array,
): Promise<void> {
  const expected = Buffer.from(encodeSocks5Datagram({ frag: 0, destination, data }))
  sendThrough(association, destination, data, `${data.length} octets to the echo`)
  const answer = await association.datagrams.receive(probe.timing.patienceMs)
  expectThat(answer !== undefined, 'the answer of the echo', 'nothing')
  expectThat(expected.equals(answer.octets), sample(expected), sample(answer.octets))
}

/** The data of every datagram that comes up to the answer `fence`, which is asked for now; without the fence itself. */
export async function untilFence(probe: Probe, association: Association): Promise<readonly Datagram[]> {
  const fence = Buffer.from('fence: all before it has come')
  sendThrough(association, probe.targets.udpEcho(), fence, 'a good datagram behind it')
  const before: Datagram[] = []
  for (;;) {
    const answer = await association.datagrams.receive(probe.timing.patienceMs)
    expectThat(answer !== undefined, 'the association serves on', 'no answer to a good datagram')
    if (Buffer.from(answer.octets).includes(fence)) return before
    before.push(answer)
  }
}

export function sample(octets: Uint8Array): string {
  const text = Buffer.from(octets).toString('hex')
  return text.length > 80 ? `${text.slice(0, 80)}… (${octets.length} octets)` : text
}
