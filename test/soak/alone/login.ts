/** Logging in, and what comes of it. */
import { type Login, Lost, Refused, openTunnel } from '../client.ts'
import { LOGIN } from '../server-files.ts'
import type { Stand } from './trial.ts'

export type Outcome = 'let in' | 'refused' | 'closed' | 'otherwise'

/** Nobody listens there: whoever is told so has been let in. */
const NOBODYS_PORT = 9
const REP_REFUSED_BY_TARGET = 5
/** What `Refused` says of a wrong login. */
const WRONG_LOGIN = -2

export async function logIn({ served }: Stand, from: string, login: Login = LOGIN): Promise<Outcome> {
  const options = { login, from }
  return openTunnel(served.ports, 'socks5-login', { port: NOBODYS_PORT }, options).then(
    socket => {
      socket.resetAndDestroy()
      return 'otherwise'
    },
    (error: unknown) => {
      if (error instanceof Lost) return 'closed'
      if (!(error instanceof Refused)) throw error
      if (error.reply === REP_REFUSED_BY_TARGET) return 'let in'
      return error.reply === WRONG_LOGIN ? 'refused' : 'otherwise'
    },
  )
}

/** The login of the user with another password. */
export function wrong(name: string = LOGIN.name, index = 0): Login {
  return { name, password: `wrong ${index}` }
}
