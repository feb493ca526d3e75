/** The words and the help of the client's commands. Loads nothing that --help does not need. */
import { type Command, Option } from 'commander'
import { ENGINES } from '../config/config.ts'
import type { Outcome } from '../exit.ts'
import type { AcceptFlags } from './accept.ts'
import type { FetchFlags } from './fetch.ts'
import type { ForwardFlags } from './forward.ts'
import type { UdpFlags } from './udp.ts'
import type { ReachFlags } from '../reach/along-route.ts'

const WAY = `
The way: --via takes socks5h://, socks5://, socks4a://, socks4://, socks5+tls://, socks5+unix:///path, http://, https://
and ssh:// URLs, with user:password@ where the proxy wants it. Without --via the variables ALL_PROXY, HTTPS_PROXY,
HTTP_PROXY and NO_PROXY decide, and without these it is direct.`

const EXIT_CODES = `
Exit codes:
   0  all is well
  64  the command line is wrong
  67  the proxy wants a user name and password, or rejects them
  68  there is no such host, or no way to it
  69  the target refuses, the proxy says no without a reason, or an address is in use
  71  the proxy cannot be reached, or hangs up
  74  the connection broke
  75  no answer in time, or too busy
  76  the proxy does not know what it was asked for, or answers nonsense; TLS failed
  77  refused by the rules of the proxy
  78  a variable of the environment does not name a proxy
 141  the reader of standard output is gone`

const EXAMPLES = {
  connect: `
Examples:
  socksmith connect --via socks5h://127.0.0.1:1080 example.com 25
  ssh -o 'ProxyCommand=socksmith connect --via socks5h://127.0.0.1:9050 %h %p' host.example
  git config core.gitProxy 'socksmith connect'            for git://, with ALL_PROXY set
  socksmith connect --via socks5h://gate:1080 --via http://inner:3128 db.example 5432 --trace`,
  forward: `
Examples:
  socksmith forward 8080 example.com:80 --via socks5h://127.0.0.1:1080
  socksmith forward 127.0.0.1:5432 db.example:5432 unix:/run/mail.sock mail.example:25
  socksmith forward --udp 5353 9.9.9.9:53 --via socks5h://127.0.0.1:1080`,
  accept: `
Examples:
  socksmith accept --via socks5://proxy.example:1080 --from 192.0.2.7 > file
  socksmith accept --via socks5://proxy.example:1080 --to 127.0.0.1:8080 --keep

The address to tell the caller goes to standard error, and with --to to standard output.`,
  udp: `
Examples:
  echo hello | socksmith udp 192.0.2.7 9999 --via socks5h://127.0.0.1:1080
  socksmith udp --packet dns.example 53 < question > answer`,
  resolve: `
Examples:
  socksmith resolve example.com --via socks5h://127.0.0.1:9050
  socksmith resolve 192.0.2.7 --via socks5h://127.0.0.1:9050

Tor, and proxies that speak its extension, look names up (RESOLVE) and back (RESOLVE_PTR); others say no (76).`,
  fetch: `
Examples:
  socksmith fetch https://example.com/ --via socks5h://127.0.0.1:1080
  socksmith fetch -o image.iso --continue https://example.com/image.iso
  socksmith fetch --trace https://example.com/ > /dev/null

An answer of 400 and above is not written; the exit code is then 22. A file that cannot be written is 73.`,
} as const

/** Adds `connect`, `forward`, `accept`, `udp`, `resolve` and `fetch`; `conclude` tells how one ended. */
export function addReachCommands(program: Command, conclude: (outcome: Promise<Outcome<void>>) => Promise<void>): void {
  const add = (name: keyof typeof EXAMPLES, description: string): Command =>
    addReachFlags(program.command(name).description(description)).addHelpText(
      'after',
      `${EXAMPLES[name]}\n${WAY}\n${EXIT_CODES}`,
    )
  add('connect', 'join standard input and output with a target')
    .argument('<HOST>', 'the name or address of the target, or HOST:PORT')
    .argument('[PORT]', 'its port')
    .action(async (host: string, port: string | undefined, flags: ReachFlags) =>
      conclude((await import('./connect.ts')).connectStreams(host, port, flags)),
    )
  add('forward', 'open local ports that lead to targets')
    .argument(
      '<LISTEN TARGET...>',
      'ADDRESS:PORT, PORT (on 127.0.0.1) or unix:/path, and then HOST:PORT; several pairs',
    )
    .option('--udp', 'forward datagrams')
    .option('--drain <TIME>', 'how long tunnels may go on after SIGTERM; 0 is for ever', '30s')
    .addOption(new Option('--engine <ENGINE>', 'what moves the octets').choices([...ENGINES]).default('auto'))
    .action(async (words: readonly string[], flags: ForwardFlags) =>
      conclude((await import('./forward.ts')).forward(words, flags)),
    )
  add('accept', 'have a proxy wait for a caller (BIND), and join the caller with standard input and output')
    .option('--from <HOST>', 'who is expected; a proxy may turn everybody else away')
    .option('--to <HOST:PORT>', 'join the caller with this, reached directly, in place of standard input and output')
    .option('--keep', 'ask for the next caller again and again; with --to')
    .option('--wait <TIME>', 'how long to wait for the caller (default as long as the proxy does)')
    .action(async (flags: AcceptFlags) => conclude((await import('./accept.ts')).accept(flags)))
  add('udp', 'send each line of standard input as a datagram, and print the answers')
    .argument('<HOST>', 'the name or address of the target, or HOST:PORT')
    .argument('[PORT]', 'its port')
    .option('--packet', 'send whatever one read gives as a datagram, in place of lines')
    .option('--wait <TIME>', 'how long to wait for answers after the end of the input; 0 is for ever', '2s')
    .action(async (host: string, port: string | undefined, flags: UdpFlags) =>
      conclude((await import('./udp.ts')).udp(host, port, flags)),
    )
  add('resolve', 'look up a name, or the name of an address, through the proxy')
    .argument('<NAME|ADDRESS>', 'what to look up')
    .action(async (word: string, flags: ReachFlags) =>
      conclude((await import('./resolve.ts')).resolveName(word, flags)),
    )
  add('fetch', 'get a URL')
    .argument('<URL>', 'http:// or https://')
    .option('-o, --output <FILE>', 'write to this file (default standard output)')
    .option('-C, --continue', 'go on where the file ends')
    .addOption(repeatable('-H, --header <LINE>', 'send this header, "Name: value"; repeatable'))
    .option('--no-progress', 'show no bar')
    .action(async (url: string, flags: FetchFlags) => conclude((await import('./fetch.ts')).fetchUrl(url, flags)))
}

function addReachFlags(command: Command): Command {
  return command
    .addOption(
      repeatable(
        '--via <URL>',
        'go by this proxy; repeatable, which makes a chain; several parted by commas are a pool',
      ),
    )
    .option('--timeout <TIME>', 'how long until a connection stands; 0 is for ever', '60s')
    .option('--trace', 'tell every proxy on the way, with its times, on standard error')
}

function repeatable(shown: string, description: string): Option {
  return new Option(shown, description).argParser((value: string, before: readonly string[] | undefined) => [
    ...(before ?? []),
    value,
  ])
}
