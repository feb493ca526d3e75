/** The words and the help of `socksmith ban`. Loads nothing that --help does not need. */
import type { Command } from 'commander'
import type { Outcome } from '../exit.ts'
import type { BanAddFlags, BanFlags } from './ban.ts'

const EXAMPLES = `
Examples:
  socksmith ban list --control /run/socksmith/control.sock
  socksmith ban add 192.0.2.7 --for 1h --reason 'scans us' --config /etc/socksmith/socksmith.yaml
  socksmith ban add 2001:db8:1::/48 --control control.sock
  socksmith ban add alice --control control.sock          a user: logins are refused, live sessions end
  socksmith ban add 'alice from 192.0.2.9' --control control.sock      this user, from there only
  socksmith ban remove 'alice from 192.0.2.9' --control control.sock   as the list shows it

Exit codes:
   0  done
  64  the command line is wrong
  65  there is no such ban
  69  no server answers`

export function addBanCommands(program: Command, conclude: (outcome: Promise<Outcome<void>>) => Promise<void>): void {
  const ban = program
    .command('ban')
    .description('keep addresses, networks and users out of a running server')
    .addHelpText('after', EXAMPLES)
  server(ban.command('list').description('show the bans in force')).action(async (flags: BanFlags) =>
    conclude((await import('./ban.ts')).listBans(flags)),
  )
  server(ban.command('add').description('ban an address, a network, a user, or a user from an address'))
    .argument('<WHO>', 'ADDRESS, NETWORK, the name of a user, or "NAME from ADDRESS"')
    .option('--for <TIME>', 'how long, such as 1h or 7d (default for good)')
    .option('--reason <TEXT>', 'what the list shows')
    .action(async (who: string, flags: BanAddFlags) => conclude((await import('./ban.ts')).addBan(who, flags)))
  server(ban.command('remove').description('let somebody in again'))
    .argument('<WHO>', 'as it was banned, or as the list shows it')
    .action(async (who: string, flags: BanFlags) => conclude((await import('./ban.ts')).removeBan(who, flags)))
}

function server(command: Command): Command {
  return command
    .option('--control <PATH>', 'the control socket of the server')
    .option('-c, --config <FILE>', 'a configuration that names the control socket')
    .option('--json', 'answer in JSON')
}
