/** DNS over HTTPS (RFC 8484), straight or along a route. Most servers never ask that way: Node's HTTP is loaded at the first name. */
import type { DnsGround } from './ground.ts'
import type { DnsExchange } from './lookup.ts'

export interface HttpsServer {
  readonly url: URL
  /** PEM of the authorities to believe instead of the system's. */
  readonly authorities?: string
}

export function httpsExchange(ground: DnsGround, server: HttpsServer): DnsExchange {
  let post: Promise<DnsExchange> | undefined
  return async query => {
    post ??= import('./https-post.ts').then(({ httpsPost }) => httpsPost(ground, server))
    return (await post)(query)
  }
}
