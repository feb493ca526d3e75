/**
 * A place where several threads listen. TCP: a socket for each thread, among which the kernel shares the newcomers out
 * (SO_REUSEPORT). Unix, and what was inherited: one socket that all accept from. They are opened and closed by a thread
 * that accepts nothing, so that who waits in the queue of a thread that died waits for the one that takes its place.
 */
import type { Failure } from '@socksmith/protocol'
import type { ListenOptions, Place } from '../ports.ts'
import { BPF_RETURN, SO_ATTACH_REUSEPORT_CBPF, SOL_SOCKET } from './abi.ts'
import { type ListeningSocket, openListeningSocket, placeOfSocket, removeSocketFile } from './listening-socket.ts'
import { loadSystemCalls } from './system-calls.ts'

/** The sockets of one place. */
export interface SharedListener {
  /** With the real port when 0 was asked. */
  readonly place: Place
  /** For `ListenOptions.descriptor` of each thread, in their order. */
  readonly descriptors: readonly number[]
  /** Its file, where it has one, belongs to whoever handed it over. */
  readonly isInherited: boolean
}

/** Opens it for so many threads, or says why not. */
export async function openSharedListener(options: ListenOptions, threads: number): Promise<SharedListener | Failure> {
  const loaded = loadSystemCalls()
  if (loaded.kind === 'missing') return { code: 'general_failure', blame: 'us', detail: loaded.reason }
  const { calls } = loaded
  const { descriptor } = options
  if (descriptor !== undefined) {
    const place = placeOfSocket(calls, descriptor, options.place)
    return { place, descriptors: Array.from({ length: threads }, () => descriptor), isInherited: true }
  }
  // The first one alone finds out whether somebody else listens there: with SO_REUSEPORT it would share with them.
  const probe = await openListeningSocket(calls, options)
  if ('code' in probe) return probe
  const { place } = probe
  if (place.kind === 'unix')
    return { place, descriptors: Array.from({ length: threads }, () => probe.fd), isInherited: false }
  calls.close(probe.fd)
  const sockets: ListeningSocket[] = []
  while (sockets.length < threads) {
    const opened = await openListeningSocket(calls, { ...options, place, reusePort: true })
    if ('code' in opened) {
      for (const { fd } of sockets) calls.close(fd)
      return opened
    }
    sockets.push(opened)
  }
  return { place, descriptors: sockets.map(socket => socket.fd), isInherited: false }
}

/** An index that no socket has: the kernel shares out as without a program. */
const NO_INDEX = 0xffff_ffff
// struct sock_filter { u16 code; u8 jt, jf; u32 k } and struct sock_fprog { u16 len; filter pointer }.
const PROGRAM_OCTETS = 16
/** The program points at it, which keeps nothing alive: so it lives as long as the module. */
const FILTER = Buffer.alloc(8)

/**
 * From now on newcomers come to this one of its threads (from 0); without an index the kernel shares them out. False where
 * all accept from one socket, or the kernel does not let us.
 */
export function steerNewcomers({ descriptors }: SharedListener, index?: number): boolean {
  const loaded = loadSystemCalls()
  const [first, ...others] = new Set(descriptors)
  if (loaded.kind === 'missing' || first === undefined || others.length === 0) return false
  const { calls } = loaded
  FILTER.writeUInt16LE(BPF_RETURN, 0)
  FILTER.writeUInt32LE(index ?? NO_INDEX, 4)
  const program = Buffer.alloc(PROGRAM_OCTETS)
  program.writeUInt16LE(1, 0)
  program.writeBigUInt64LE(calls.addressOf(FILTER), 8)
  // It counts for the whole port, whichever of its sockets it is given to.
  return calls.setsockopt(first, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, program, program.length) === 0
}

/** Closes its sockets, once no thread accepts from them any more. */
export function closeSharedListener({ place, descriptors, isInherited }: SharedListener): void {
  const loaded = loadSystemCalls()
  if (loaded.kind === 'missing') return
  for (const fd of new Set(descriptors)) loaded.calls.close(fd)
  if (!isInherited) removeSocketFile(place)
}
