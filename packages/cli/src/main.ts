/** The command: its words, its help, and the exit code of whatever was asked for. Loads no more than --help needs. */
import { Command, CommanderError, Help } from 'commander'
import { addReachCommands } from './command/add-reach.ts'
import { addCompletion } from './command/completion.ts'
import { addConfigFlags } from './command/effective-config.ts'
import type { UsersPlace } from './command/user.ts'
import { LIMIT_WORDS } from './config/limits.ts'
import { EXIT, type Outcome } from './exit.ts'
import { paintFor } from './terminal/colour.ts'
import { say } from './terminal/say.ts'
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

const CONFIG_EXAMPLES = `
Examples:
  socksmith config check socksmith.yaml
  socksmith config show --config socksmith.yaml --listen 127.0.0.1:0
  socksmith config schema > socksmith.schema.json         for editors that complete YAML`

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
    .description('A SOCKS4, SOCKS4a, SOCKS5 and HTTP proxy server, and commands that reach things through proxies.')
    .version(version(), '-V, --version', 'show the version')
    .helpOption('-h, --help', 'show this help')
    .helpCommand('help [COMMAND]', 'show the help of a command')
    .configureHelp(HELP)
    .addHelpText('after', EXAMPLES_AND_EXIT_CODES)
    .exitOverride()
  addConfigFlags(program.command('serve').description('run the proxy server'))
    .addHelpText('after', SERVE_EXAMPLES)
    .action(async (_options: unknown, command: Command) =>
      conclude((await import('./command/serve.ts')).serve(command)),
    )
  addConfigCommands(program, conclude)
  addUserCommands(program, conclude)
  addReachCommands(program, conclude)
  return program
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
  one('list', 'print the names of the users').action(async (place: UsersPlace) =>
    conclude((await import('./command/user.ts')).listUsers(place)),
  )
  one('remove', 'remove a user')
    .argument('<NAME>', 'the name of the user')
    .action(async (name: string, place: UsersPlace) =>
      conclude((await import('./command/user.ts')).removeUser(name, place)),
    )
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
