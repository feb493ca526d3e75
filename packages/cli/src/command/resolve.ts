/** `socksmith resolve`: names to addresses and addresses to names, by the proxy where it can (Tor's RESOLVE). */
import { SocksError, resolve, reverse } from '@socksmith/client'
import { parseIp } from '@socksmith/protocol'
import { EXIT, type Outcome, done, trouble } from '../exit.ts'
import { type ReachFlags, alongRoute } from '../reach/along-route.ts'
import { routeTrouble } from '../reach/route-trouble.ts'
import { print } from '../terminal/say.ts'
import { visible } from '../terminal/visible.ts'

/** Prints what was found, one a line. */
export async function resolveName(word: string, flags: ReachFlags): Promise<Outcome<void>> {
  const address = parseIp(word.replace(/^\[(.*)\]$/, '$1'))
  return alongRoute(flags, async ({ via, timeout }) => {
    try {
      const found = await (address === undefined ? resolve : reverse)(word.replace(/^\[(.*)\]$/, '$1'), {
        via,
        timeout,
      })
      print(found.map(visible).join('\n'))
      return done(undefined)
    } catch (error) {
      if (!(error instanceof SocksError)) throw error
      const told = routeTrouble(error)
      if (told.ok || told.trouble.exitCode !== EXIT.PROTOCOL) return told
      return trouble(
        EXIT.PROTOCOL,
        `${told.trouble.message}\nOnly Tor, and proxies that speak its extension, look names up without a connection; the others do it within connect.`,
      )
    }
  })
}
