/** Tells every proxy on the way with its times, from the events that the client publishes. */
import { subscribe } from 'node:diagnostics_channel'
import type { HopEnd, HopError } from '@socksmith/client'
import { visible } from '../terminal/visible.ts'

/** From now on `tell` gets a line for each proxy that was passed, or that the way ended at. */
export function traceHops(tell: (line: string) => void): void {
  subscribe('socksmith:hop:end', message => tell(passedText(message as HopEnd)))
  subscribe('socksmith:hop:error', message => tell(failedText(message as HopError)))
}

/** `hop 0 socks5h://127.0.0.1:1080 to example.com:80: 3.1 ms (connect 0.5, greeting 0.3, request 2.3)` */
export function passedText({ hop, proxy, target, ms, phases }: HopEnd): string {
  const times = phases.map(({ phase, ms: spent }) => `${phase} ${spent.toFixed(1)}`).join(', ')
  return visible(`hop ${hop} ${proxy} to ${target}: ${ms.toFixed(1)} ms (${times})`)
}

function failedText({ hop, proxy, target, error }: HopError): string {
  return visible(`hop ${hop} ${proxy} to ${target}: ${error.code} in the phase ${error.phase}`)
}
