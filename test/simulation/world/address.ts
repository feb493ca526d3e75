/** Addresses as texts, for the scripts of the simulation. */
import { type Endpoint, type IpAddress, parseIp } from '@socksmith/protocol'

/** The address; a text that is none is a bug of the simulation. */
export function address(text: string): IpAddress {
  const parsed = parseIp(text)
  if (parsed === undefined) throw new Error(`not an address: ${text}`)
  return parsed
}

export function endpoint(text: string, port: number): Endpoint {
  return { address: address(text), port }
}
