/** Who has logged in, with what the user name carried; and what ways out are told of it. */
import type { Traits } from '@socksmith/client/route'
import type { Place } from '@socksmith/engine'
import { formatAddress, utf8Octets, utf8Text } from '@socksmith/protocol'
import type { ServerContext } from '../context.ts'
import type { Credentials } from '../options.ts'

/** Somebody whose credentials are right. */
export interface Login {
  readonly user: string
  /** What the user name carried beside. */
  readonly parameters?: Readonly<Record<string, string>> | undefined
}

/** The login with these credentials; `undefined`, sooner or later, where they are wrong. */
export async function judgeLogin(
  { loginGuard, options }: ServerContext,
  credentials: Credentials,
  client: Place,
): Promise<Login | undefined> {
  const name = options.splitLogin && utf8Text(credentials.username)
  const split = name === undefined ? undefined : options.splitLogin?.(name)
  const bare = split === undefined ? credentials : { ...credentials, username: utf8Octets(split.user) }
  const user = await loginGuard.judge(bare, client)
  return user === undefined ? undefined : { user, ...(split && { parameters: split.parameters }) }
}

/** Of whoever a request is for. */
export function traitsOf(client: Place, { user, parameters }: Partial<Login>): Traits {
  return {
    ...parameters,
    ...(user !== undefined && { user }),
    client: client.kind === 'unix' ? 'unix' : formatAddress(client.endpoint.address),
  }
}
