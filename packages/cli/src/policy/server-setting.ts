/** What the server of a configuration refuses by itself, for whoever asks about it without a server. Opens nothing. */
import type { Route } from '@socksmith/client/route'
import { systemClock } from '@socksmith/engine'
import { DEFAULT_WAY, FOLLOWING, type ServerSetting } from '@socksmith/policy'
import { createLocalAddresses } from '@socksmith/server'
import { COMMANDS, type Config } from '../config/config.ts'
import { parsePlace } from '../config/place-text.ts'
import { wayMap } from '../ways/way-route.ts'

/** `usual`: by what everything goes that no rule sends another way. */
export function serverSetting(config: Config, usual: Route | undefined): ServerSetting {
  const { ways, listen, access, bind } = config
  const blocked = Object.keys(ways).filter(name => wayMap(ways[name] ?? {}).block === true)
  return {
    blockedWays: usual?.kind === 'block' ? [...blocked, DEFAULT_WAY] : blocked,
    // Which port stands for 0 is known to the running server only.
    listeners: listen.flatMap(one => {
      const place = parsePlace(typeof one === 'string' ? one : one.address)
      return place?.kind === 'ip' && place.endpoint.port !== 0 ? place.endpoint : []
    }),
    local: createLocalAddresses(systemClock),
    commandsOff: COMMANDS.flatMap(command => (access.commands.includes(command) ? [] : [command, FOLLOWING[command]])),
    anyPeer: bind['any-peer'],
  }
}
