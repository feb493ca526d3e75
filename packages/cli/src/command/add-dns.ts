/** The words and the help of `socksmith dns`. Loads nothing that --help does not need. */
import type { Command } from 'commander'
import type { Outcome } from '../exit.ts'
import type { DnsFlags } from './dns.ts'

const EXAMPLES = `
Examples:
  socksmith dns list --control /run/socksmith/control.sock
  socksmith dns flush example.com --config /etc/socksmith/socksmith.yaml
  socksmith dns flush --control /run/socksmith/control.sock      all names, of all ways, in all workers

Exit codes:
   0  done
  69  no server answers`

export function addDnsCommands(program: Command, conclude: (outcome: Promise<Outcome<void>>) => Promise<void>): void {
  const dns = program
    .command('dns')
    .description('show what a running server remembers of names, or make it forget')
    .addHelpText('after', EXAMPLES)
  withFlags(dns.command('list').description('show the names with their addresses, for each way and worker'))
    .option('--json', 'answer in JSON')
    .action(async (name: string | undefined, flags: DnsFlags) =>
      conclude((await import('./dns.ts')).listNames(name, flags)),
    )
  withFlags(dns.command('flush').description('forget a name, or all')).action(
    async (name: string | undefined, flags: DnsFlags) => conclude((await import('./dns.ts')).flushNames(name, flags)),
  )
}

function withFlags(command: Command): Command {
  return command
    .argument('[NAME]', 'one name; all when nothing is said')
    .option('--control <PATH>', 'the control socket of the server')
    .option('-c, --config <FILE>', 'a configuration that names the control socket')
}
