/** Which end of the SOCKS connection sent the octets that a decoder reads, for messages that either end may send. */

export type Sender = 'client' | 'server'

export interface SenderOptions {
  /** Who is to blame when the octets are malformed. Default `client`. */
  readonly sender?: Sender
}
