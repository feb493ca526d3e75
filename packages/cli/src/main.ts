/** The command: its words, its help, and the exit code of whatever was asked for. Loads no more than --help needs. */
import { Command, CommanderError, Help } from 'commander'
import { addBanCommands } from './command/add-ban.ts'
import { addReachCommands } from './command/add-reach.ts'
import { addCompletion } from './command/completion.ts'
import { addDnsCommands } from './command/add-dns.ts'
import { addPolicyCommands } from './command/add-policy.ts'
import { addConfigFlags } from './command/effective-config.ts'
import type { CheckFlags } from './command/check.ts'
import type { BenchFlags } from './command/bench-flags.ts'
import type { UsersPlace } from './command/user.ts'
import { LIMIT_WORDS } from './config/limits.ts'
import { EXIT, type Outcome } from './exit.ts'
import { paintFor } from './terminal/colour.ts'
import { print, say } from './terminal/say.ts'
import { version } from './version.ts'

const EXAMPLES_AND_EXIT_CODES = `
Examples:
  socksmith serve                                         run a proxy on 127.0.0.1:1080
  curl --proxy socks5h://127.0.0.1:1080 https://example.com/
  ssh -o 'ProxyCommand=socksmith connect --via socks5h://127.0.0.1:1080 %h %p' host.example
  socksmith forward 8080 example.com:80 --via socks5h://127.0.0.1:1080
  socksmith serve --help                                  everything it can be told

Exit codes:
   0  all is well; also after SIGTERM or SIGINT
   1  the answer of a policy command is no: see socksmith policy --help
  1, 2, 3  "check" found failures: recommendations only, the standard, safety
  64  the command line is wrong
  65  a configuration, a users file or a password is wrong
  66  a file to read is missing
  69  an address is in use, or listening there is impossible; a target refuses
  70  a bug in socksmith
  73  a file cannot be written
  77  refused for safety, or by the rules of a proxy
  22, 67, 68, 71, 74 to 76, 78, 141: of the commands that go by a proxy; see their --help
 130, 143  ended by Ctrl-C at a question, or by a second signal`

const SERVE_EXAMPLES = `
Examples:
  socksmith serve                                         this machine only, 127.0.0.1:1080
  socksmith serve --listen 0.0.0.0:1080 --user alice:secret
  socksmith serve --listen '[::]:1080' --users users.txt --tls-certificate cert.pem --tls-key key.pem
  socksmith serve --listen unix:/run/socksmith.sock --mode 0660
  socksmith serve --config socksmith.yaml --log-sessions no-targets --limit handshake=10s

Limits (their defaults: socksmith config show):
  ${LIMIT_WORDS.map(word => word.key)
    .join(', ')
    .replace('failure-close, ', 'failure-close,\n  ')}`

const USER_EXAMPLES = `
Examples:
  socksmith user add alice --users users.txt              asks for the password, twice, without echo
  printf '%s\\n' "$PASSWORD" | socksmith user add alice --users users.txt
  socksmith user list --users users.txt`

const CHECK_EXAMPLES = `
Examples:
  socksmith check socks5://127.0.0.1:1080
  socksmith check socks5://alice:secret@127.0.0.1:1080 --only must,safety
  socksmith check socks5://127.0.0.1:1080 --json > report.json
  socksmith check replay report.json --only S5-PIE-02
  socksmith check socks5://proxy.example:1080 --targets-on 192.0.2.7 --i-may-test-this

Exit code: 0 all passed, 1 only should and custom failed, 2 a must failed, 3 a safety case failed`

const CONFIG_EXAMPLES = `
Examples:
  socksmith config check socksmith.yaml
  socksmith config show --config socksmith.yaml --listen 127.0.0.1:0
  socksmith config schema > socksmith.schema.json         for editors that complete YAML`

const BENCH_EXAMPLES = `
Examples:
  socksmith bench socks5://127.0.0.1:1080                 octets, tunnels, round trips, datagrams
  socksmith bench socks5://alice:secret@127.0.0.1:1080 --mode open,roundtrip --json
  socksmith bench socks5://127.0.0.1:1080 --mode download --streams 16 --seconds 10 --pid "$(pidof danted)"`

/** Runs the command line `args` (without node and the script) and answers the exit code. */
export async function main(args: readonly string[]): Promise<number> {
  const result: { code: number } = { code: EXIT.OK }
  const conclude: Conclude = async promise => {
    const outcome = await promise
    if (outcome.ok) return
    // A "no" has been said where the answer is printed.
    if (outcome.trouble.message !== '') say(`${paintFor(2)('red', 'error:')} ${outcome.trouble.message}`)
    result.code = outcome.trouble.exitCode
  }
  const program = programOf(conclude)
  await addCompletion(program, args)
  try {
    await program.parseAsync(args, { from: 'user' })
  } catch (error) {
    // Its words are on the screen already; --help and --version come here too, with code 0.
    if (!(error instanceof CommanderError)) throw error
    return error.exitCode === 0 ? EXIT.OK : EXIT.USAGE
  }
  return result.code
}

/** Tells a trouble, and keeps its exit code. */
type Conclude = (outcome: Promise<Outcome<void>>) => Promise<void>

function programOf(conclude: Conclude): Command {
  const program = new Command('socksmith')
    .description(
      'Everything for SOCKS: a proxy server, commands that reach things through proxies, checks and measures.',
    )
    .version(version(), '-V, --version', 'show the version')
    .helpOption('-h, --help', 'show this help')
    .helpCommand('help [COMMAND]', 'show the help of a command')
    .configureHelp(HELP)
    // A reader that has seen enough, as `head` has, is no trouble.
    .configureOutput({ writeOut: print, writeErr: text => say(text.trimEnd()) })
    .addHelpText('after', EXAMPLES_AND_EXIT_CODES)
    .exitOverride()
  addConfigFlags(program.command('serve').description('run the proxy server'))
    .addHelpText('after', SERVE_EXAMPLES)
    .action(async (_options: unknown, command: Command) =>
      conclude((await import('./command/serve.ts')).serve(command)),
    )
  addConfigCommands(program, conclude)
  addUserCommands(program, conclude)
  addPolicyCommands(program, conclude)
  addDnsCommands(program, conclude)
  addBanCommands(program, conclude)
  addReachCommands(program, conclude)
  addCheckCommand(program, conclude)
  addBenchCommand(program, conclude)
  return program
}

function addBenchCommand(program: Command, conclude: Conclude): void {
  program
    .command('bench')
    .description('load a proxy with traffic to a target of its own, and measure')
    .argument('<PROXY-URL>', 'such as socks5://127.0.0.1:1080; socks4, socks4a, socks5, socks5h or http')
    .option('--mode <LIST>', 'of download, upload, open, roundtrip, udp (default: these), idle, stall', list)
    .option('--streams <N>', 'tunnels at the same time (default: 1 for octets, 4,000 idle ones, else 4 to 64)')
    .option('--seconds <S>', 'how long each measurement takes (default 2)')
    .option('--rounds <N>', 'how often each is taken, without and with the proxy in turns (default 3)')
    .option('--warm-up <S>', 'load through the proxy before, which does not count (default as --seconds)')
    .option('--message-octets <N>', 'length of a message of a round trip (default 64)')
    .option('--datagram-octets <N>', 'length of a datagram (default 512)')
    .option('--window <N>', 'datagrams under way in each association (default 32)')
    .option('--hold <S>', 'seconds for which idle and stalled tunnels are held (default 1)')
    .option('--busy <N>', 'tunnels that carry round trips while idle ones are held (default 0)')
    .option('--pid <P>', 'tell what this process and its children use of processor and memory; repeatable', list)
    .option('--target-on <ADDRESS>', 'an address of this machine for the target (default: loopback)')
    .option('--target-name <NAME>', 'send this name in place of the address (default with socks5h, socks4a: localhost)')
    .option('--i-may-load-this', 'the proxy is not on this machine, and whoever runs it agrees')
    .option('--json', 'print the report as JSON')
    .addHelpText('after', BENCH_EXAMPLES)
    .action(async (url: string, flags: BenchFlags) => conclude((await import('./command/bench.ts')).bench(url, flags)))
}

function addConfigCommands(program: Command, conclude: Conclude): void {
  const config = program
    .command('config')
    .description('check a configuration, show it, describe it')
    .addHelpText('after', CONFIG_EXAMPLES)
  config
    .command('check')
    .description('say whether a configuration is right, and if not, where and why')
    .argument('<FILE>', 'configuration file, YAML or TOML')
    .action(async (file: string) => conclude((await import('./command/config.ts')).checkConfigFile(file)))
  config
    .command('schema')
    .description('print the JSON Schema of the configuration file')
    .action(async () => conclude((await import('./command/config.ts')).showSchema()))
  addConfigFlags(
    config.command('show').description('print the configuration in force, with every default; secrets are starred'),
  ).action(async (_options: unknown, command: Command) =>
    conclude((await import('./command/config.ts')).showConfig(command)),
  )
}

function addUserCommands(program: Command, conclude: Conclude): void {
  const user = program
    .command('user')
    .description('add, change, list and remove users')
    .addHelpText('after', USER_EXAMPLES)
  const one = (name: string, description: string): Command =>
    user
      .command(name)
      .description(description)
      .option('--users <FILE>', 'the users file')
      .option('-c, --config <FILE>', 'a configuration that names the users file')
  one('add', 'add a user; the password is asked for, or read from a pipe')
    .argument('<NAME>', 'the name of the user')
    .action(async (name: string, place: UsersPlace) =>
      conclude((await import('./command/user.ts')).addUser(name, place)),
    )
  one('passwd', 'change the password of a user')
    .argument('<NAME>', 'the name of the user')
    .action(async (name: string, place: UsersPlace) =>
      conclude((await import('./command/user.ts')).changePassword(name, place)),
    )
  one('disable', 'keep a user out, and keep the password')
    .argument('<NAME>', 'the name of the user')
    .action(async (name: string, place: UsersPlace) =>
      conclude((await import('./command/user.ts')).disableUser(name, place)),
    )
  one('enable', 'let a disabled user in again')
    .argument('<NAME>', 'the name of the user')
    .action(async (name: string, place: UsersPlace) =>
      conclude((await import('./command/user.ts')).enableUser(name, place)),
    )
  one('list', 'print the names of the users').action(async (place: UsersPlace) =>
    conclude((await import('./command/user.ts')).listUsers(place)),
  )
  one('remove', 'remove a user')
    .argument('<NAME>', 'the name of the user')
    .action(async (name: string, place: UsersPlace) =>
      conclude((await import('./command/user.ts')).removeUser(name, place)),
    )
}

function addCheckCommand(program: Command, conclude: Conclude): void {
  const check = program
    .command('check')
    .description('say where a SOCKS server breaks the standard, or lets somebody in')
    .argument('[PROXY-URL]', 'socks5://[USER:PASSWORD@]HOST:PORT; socks5+tls:// for SOCKS inside TLS')
    .addHelpText('after', CHECK_EXAMPLES)
  check
    .option('--only <WORDS>', 'cases by id, area or level, such as S5-REQ-10,udp,must; repeatable', gather)
    .option('--list', 'print the cases and ask nothing')
    .option('--verbose', 'show the cases that passed, too')
    .option('--json', 'print the report as JSON, with the transcripts of the failures')
    .option('--junit <FILE>', 'write the report as JUnit XML, too')
    .option('--slow', 'ask also what takes minutes: how long a silent client may stay')
    .option('--targets-on <ADDRESS>', 'address of this host where the server reaches the targets (default 127.0.0.1)')
    .option('--rate <NUMBER>', 'new connections a second at most (default 200 here, 20 elsewhere)')
    .option('--tls-ca <FILE>', 'authorities that signed the certificate of the server (PEM)')
    .option('--i-may-test-this', 'the server is elsewhere, and whoever runs it agrees')
    .action(async (url: string | undefined, flags: CheckFlags) =>
      conclude((await import('./command/check.ts')).check(url, flags)),
    )
  check
    .command('replay')
    .description(
      'ask the failures of a JSON report again, say whether they are still there, and show what the server says now',
    )
    .argument('<REPORT>', 'a file with the output of --json')
    .argument('[PROXY-URL]', 'the server (default: that of the report); with user and password if it has any')
    .option('--only <WORDS>', 'failures by id, area or level, such as S5-REQ-10,udp,must; repeatable', gather)
    .option('--tls-ca <FILE>', 'authorities that signed the certificate of the server (PEM)')
    .option('--i-may-test-this', 'the server is elsewhere, and whoever runs it agrees')
    .action(async (file: string, url: string | undefined, _flags: CheckFlags, command: Command) =>
      conclude((await import('./command/check.ts')).replayReport(file, url, command.optsWithGlobals())),
    )
}

/** Words of an option that may be given several times, each with commas. */
function gather(words: string, before: readonly string[] = []): readonly string[] {
  return [...before, ...words.split(',').filter(word => word !== '')]
}

function list(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value]
}

const HELP: Partial<Help> = {
  showGlobalOptions: false,
  styleTitle: text => paintFor(1)('bold', text),
  styleCommandText: text => paintFor(1)('cyan', text),
  styleSubcommandText: text => paintFor(1)('cyan', text),
  styleOptionText: text => paintFor(1)('cyan', text),
  optionDescription: option => option.description,
  argumentDescription: argument => argument.description,
}
