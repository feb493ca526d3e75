/** The messages of MAF (method 08; draft-ietf-aft-socks-maf-01). Knows no method inside the framework: none is public. */
import { type Decoded, NEED_MORE, malformed, whole } from '../decoded.ts'
import { concat, octetAt, sameOctets, uint16, uint16At, uint32, uint32At } from '../octets.ts'
import type { Sender, SenderOptions } from './sender.ts'

export const MAF_INSTR = {
  success: 0x00,
  canDo: 0x01,
  more: 0x02,
  do: 0x03,
  whatNext: 0x04,
  process: 0x05,
  acknowledge: 0x06,
  oem: 0x07,
  failure: 0xff,
} as const

type Instr = typeof MAF_INSTR

/** 64 KiB for DATA: its length field has four octets, and the sender is unknown. */
export const MAF_DATA_OCTETS_MAX = 65_536
/** 16 KiB for a Can Do: four full groups of UUIDs. More is what the marker 00000002 and More are for. */
export const MAF_CAN_DO_OCTETS_MAX = 16_384

const VERSION = 0x01
/** Success and Failure carry version 0. */
const FINAL_VERSION = 0x00

/** A list of method ids of one length: 4 octets (compact) or 16 (UUID). */
export interface MafIdGroup {
  readonly idLength: 4 | 16
  /** 1 to 255 ids of `idLength` octets each. */
  readonly ids: readonly Uint8Array[]
}

interface Flagged {
  /** 16 bits. */
  readonly flags: number
}

/** `method` has 4 or 16 octets, `oemId` 1 to 255. */
export type MafMessage = Flagged &
  (
    | { readonly instr: Instr['canDo']; readonly groups: readonly MafIdGroup[] }
    | { readonly instr: Instr['more'] | Instr['whatNext'] | Instr['acknowledge'] }
    | { readonly instr: Instr['do']; readonly method: Uint8Array }
    | { readonly instr: Instr['process']; readonly method: Uint8Array; readonly data: Uint8Array }
    | { readonly instr: Instr['oem']; readonly oemId: Uint8Array; readonly data: Uint8Array }
    | { readonly instr: Instr['success'] | Instr['failure'] }
  )

export function decodeMafMessage(octets: Uint8Array, options: SenderOptions = {}): Decoded<MafMessage> {
  const sender = options.sender ?? 'client'
  if (octets.length === 0) return NEED_MORE
  const instr = octetAt(octets, 0)
  if (!isInstr(instr)) return malformed('bad_message_type', sender, `INSTR ${instr}`)
  if (octets.length < 2) return NEED_MORE
  const version = octetAt(octets, 1)
  if (version !== versionOf(instr)) return malformed('bad_version', sender, `version ${version}`)
  if (octets.length < 4) return NEED_MORE
  const flags = uint16At(octets, 2)
  switch (instr) {
    case MAF_INSTR.more:
    case MAF_INSTR.whatNext:
    case MAF_INSTR.acknowledge:
      return whole({ instr, flags }, 4)
    case MAF_INSTR.canDo:
      return decodeCanDo(octets, flags, sender)
    case MAF_INSTR.do: {
      const method = methodAt(octets, sender)
      return method.kind === 'whole' ? whole({ instr, flags, method: method.value }, method.consumed) : method
    }
    case MAF_INSTR.process:
      return decodeProcess(octets, flags, sender)
    case MAF_INSTR.oem:
      return decodeOem(octets, flags, sender)
    case MAF_INSTR.success:
    case MAF_INSTR.failure: {
      const method = methodAt(octets, sender)
      if (method.kind !== 'whole') return method
      if (!sameOctets(method.value, finalMethod(instr))) return malformed('bad_parameters', sender, 'not its METHOD')
      return whole({ instr, flags }, method.consumed)
    }
  }
}

export function encodeMafMessage(message: MafMessage): Uint8Array {
  const head = Uint8Array.of(message.instr, versionOf(message.instr), ...uint16(message.flags))
  switch (message.instr) {
    case MAF_INSTR.more:
    case MAF_INSTR.whatNext:
    case MAF_INSTR.acknowledge:
      return head
    case MAF_INSTR.canDo: {
      const groups = message.groups.map(({ idLength, ids }) => concat([Uint8Array.of(ids.length, idLength), ...ids]))
      return concat([head, ...groups, Uint8Array.of(0)])
    }
    case MAF_INSTR.do:
      return concat([head, Uint8Array.of(message.method.length), message.method])
    case MAF_INSTR.process:
      return withData(concat([head, Uint8Array.of(message.method.length), message.method]), message.data)
    case MAF_INSTR.oem:
      return withData(concat([head, Uint8Array.of(0, 0, 0, message.oemId.length), message.oemId]), message.data)
    case MAF_INSTR.success:
    case MAF_INSTR.failure:
      return concat([head, Uint8Array.of(4), finalMethod(message.instr)])
  }
}

/** What a server sends before it closes, whatever was wrong. */
export function refusalOfMafMessage(): Uint8Array {
  return encodeMafMessage({ instr: MAF_INSTR.failure, flags: 0 })
}

function isInstr(instr: number): instr is Instr[keyof Instr] {
  return instr <= MAF_INSTR.oem || instr === MAF_INSTR.failure
}

function versionOf(instr: number): number {
  return instr === MAF_INSTR.success || instr === MAF_INSTR.failure ? FINAL_VERSION : VERSION
}

function finalMethod(instr: Instr['success'] | Instr['failure']): Uint8Array {
  return new Uint8Array(4).fill(instr)
}

function decodeCanDo(octets: Uint8Array, flags: number, sender: Sender): Decoded<MafMessage> {
  const groups: MafIdGroup[] = []
  let at = 4
  for (;;) {
    if (at >= MAF_CAN_DO_OCTETS_MAX) return malformed('too_large', sender, 'a Can Do without an end')
    if (octets.length <= at) return NEED_MORE
    const count = octetAt(octets, at)
    if (count === 0) return whole({ instr: MAF_INSTR.canDo, flags, groups }, at + 1)
    if (octets.length < at + 2) return NEED_MORE
    const idLength = octetAt(octets, at + 1)
    if (!isIdLength(idLength)) return malformed('bad_length', sender, `IDLEN ${idLength}`)
    const end = at + 2 + count * idLength
    if (octets.length < end) return NEED_MORE
    const ids: Uint8Array[] = []
    for (let id = at + 2; id < end; id += idLength) ids.push(octets.slice(id, id + idLength))
    groups.push({ idLength, ids })
    at = end
  }
}

function decodeProcess(octets: Uint8Array, flags: number, sender: Sender): Decoded<MafMessage> {
  const method = methodAt(octets, sender)
  if (method.kind !== 'whole') return method
  const data = dataAt(octets, method.consumed, sender)
  if (data.kind !== 'whole') return data
  return whole({ instr: MAF_INSTR.process, flags, method: method.value, data: data.value }, data.consumed)
}

function decodeOem(octets: Uint8Array, flags: number, sender: Sender): Decoded<MafMessage> {
  if (octets.length < 8) return NEED_MORE
  const length = octetAt(octets, 7)
  if (length === 0) return malformed('bad_length', sender, 'OLEN 0')
  if (octets.length < 8 + length) return NEED_MORE
  const data = dataAt(octets, 8 + length, sender)
  if (data.kind !== 'whole') return data
  const oemId = octets.slice(8, 8 + length)
  return whole({ instr: MAF_INSTR.oem, flags, oemId, data: data.value }, data.consumed)
}

// MLEN and METHOD behind FLAGS; consumed counts from the start of the message, here and in dataAt.
function methodAt(octets: Uint8Array, sender: Sender): Decoded<Uint8Array> {
  if (octets.length < 5) return NEED_MORE
  const length = octetAt(octets, 4)
  if (!isIdLength(length)) return malformed('bad_length', sender, `MLEN ${length}`)
  return octets.length < 5 + length ? NEED_MORE : whole(octets.slice(5, 5 + length), 5 + length)
}

function dataAt(octets: Uint8Array, at: number, sender: Sender): Decoded<Uint8Array> {
  const start = at + padding(at) + 4
  if (octets.length < start) return NEED_MORE
  const length = uint32At(octets, start - 4)
  if (length > MAF_DATA_OCTETS_MAX) return malformed('bad_length', sender, `DLEN ${length}`)
  return octets.length < start + length ? NEED_MORE : whole(octets.slice(start, start + length), start + length)
}

function withData(head: Uint8Array, data: Uint8Array): Uint8Array {
  return concat([head, new Uint8Array(padding(head.length)), Uint8Array.from(uint32(data.length)), data])
}

// DLEN stands at a multiple of four, counted from INSTR.
function padding(at: number): number {
  return (4 - (at % 4)) % 4
}

function isIdLength(length: number): length is 4 | 16 {
  return length === 4 || length === 16
}
