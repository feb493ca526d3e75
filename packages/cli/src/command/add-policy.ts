/** The words and the help of `socksmith policy` and `socksmith reload`. Loads nothing that --help does not need. */
import { type Command, Option } from 'commander'
import type { Outcome } from '../exit.ts'
import type { ExplainFlags, PolicyFlags } from './policy.ts'
import type { ControlFlags } from './control-path.ts'

const EXAMPLES = `
Examples:
  socksmith policy explain --from 192.0.2.7 --user alice CONNECT example.com:443
  socksmith policy explain --policy policy.yaml --user bob --resolves 10.0.0.7 CONNECT git.example.com:22
  socksmith policy test policy.yaml
  socksmith policy lint socksmith.yaml
  socksmith policy diff policy.yaml policy.new.yaml
  socksmith policy replay access.log policy.new.yaml --json

FILE is a policy, or a server's configuration that has one. When nothing is said it is the first that is there of
policy.yaml, socksmith.yaml, socksmith.toml and /etc/socksmith/socksmith.yaml.

Exit codes:
   0  allowed; every case as expected; nothing found; no difference
   1  denied, or it depends; a case failed; a problem was found; something is decided otherwise
  64  the command line is wrong
  65  the policy is wrong
  66  a file to read is missing`

const RELOAD_EXAMPLES = `
Examples:
  socksmith reload --control /run/socksmith/control.sock
  socksmith reload --config /etc/socksmith/socksmith.yaml     the control socket that this configuration names
  kill -HUP PID                                               the same, with the answer in the log

Exit codes:
   0  the new policy and users are in force
  65  something of it is wrong, which is shown; an answer that begins with "reloaded" tells what was taken nevertheless
  66  a file to read is missing
  69  no server answers
  73  the log cannot be opened again; what became of the rest is shown`

/** Tells a trouble, and keeps its exit code. */
type Conclude = (outcome: Promise<Outcome<void>>) => Promise<void>

export function addPolicyCommands(program: Command, conclude: Conclude): void {
  const policy = program
    .command('policy')
    .description('explain decisions, test and compare rules')
    .addHelpText('after', EXAMPLES)
  addExplain(policy, conclude)
  json(policy.command('test').description('run the cases that stand beside the rules'))
    .argument('[FILE]', 'a policy or a configuration')
    .action(async (file: string | undefined, flags: PolicyFlags) =>
      conclude((await import('./policy.ts')).testPolicy(file, flags)),
    )
  json(policy.command('lint').description('find rules that never match or contradict, and empty sets'))
    .argument('[FILE]', 'a policy or a configuration')
    .action(async (file: string | undefined, flags: PolicyFlags) =>
      conclude((await import('./policy.ts')).lintPolicy(file, flags)),
    )
  json(policy.command('diff').description('say who gains and who loses what'))
    .argument('<OLD>', 'a policy or a configuration')
    .argument('<NEW>', 'what is to take its place')
    .action(async (before: string, after: string, flags: PolicyFlags) =>
      conclude((await import('./policy.ts')).diffPolicies(before, after, flags)),
    )
  json(policy.command('replay').description('say which recorded sessions would be decided otherwise'))
    .argument('<LOG>', 'session records in JSON, as "serve" writes them')
    .argument('<NEW>', 'a policy or a configuration')
    .action(async (log: string, file: string, flags: PolicyFlags) =>
      conclude((await import('./policy.ts')).replayLog(log, file, flags)),
    )
  program
    .command('reload')
    .description('make a running server read its rules, sets and users again')
    .option('--control <PATH>', 'the control socket of the server')
    .option('-c, --config <FILE>', 'a configuration that names the control socket')
    .addHelpText('after', RELOAD_EXAMPLES)
    .action(async (flags: ControlFlags) => conclude((await import('./reload.ts')).reload(flags)))
}

function json(command: Command): Command {
  return command.option('--json', 'answer in JSON')
}

function addExplain(policy: Command, conclude: Conclude): void {
  policy
    .command('explain')
    .description('say what is decided about a request, by which rule, and why no rule before it matched')
    .argument('<COMMAND>', 'CONNECT, BIND, UDP-ASSOCIATE, FORWARD, BIND-PEER or UDP-SENDER')
    .argument('[HOST:PORT]', 'the target')
    .option('-p, --policy <FILE>', 'a policy or a configuration')
    .option('--from <ADDRESS>', 'the client, or unix (default 127.0.0.1)')
    .option('--user <NAME>', 'who has logged in')
    .option('--method <METHOD>', 'how (default password with a user, none without)')
    .option('--listener <NAME>', 'where the client arrived (default the only one of a configuration)')
    .option('--protocol <WORD>', 'socks4, socks4a, socks5 or http (default socks5)')
    .addOption(
      new Option(
        '--resolves <ADDRESS>',
        'an address of the name (default: looked up as the server would); repeatable',
      ).argParser((value: string, before: readonly string[] | undefined) => [...(before ?? []), value]),
    )
    .option('--country <CODE>', 'where the address is registered, instead of asking the database')
    .option('--asn <NUMBER>', 'and its autonomous system')
    .option('--at <TIME>', 'when, such as 2026-11-22T10:00:00Z (default now)')
    .option('--json', 'answer in JSON')
    .action(async (command: string, to: string | undefined, flags: ExplainFlags) =>
      conclude((await import('./policy.ts')).explainPolicy(to === undefined ? [command] : [command, to], flags)),
    )
}
