/** Shell completions. Wraps the one library that makes them, which is young and may have to be replaced. */
import type { Command } from 'commander'

export const COMPLETION_SHELLS: readonly string[] = ['bash', 'zsh', 'fish', 'powershell']

/**
 * Adds `completion SHELL`, which prints a script, and the hidden `complete`, which that script calls. The library is
 * loaded only when `args` ask for one of them: until then a stand-in shows the command in --help.
 */
export async function addCompletion(program: Command, args: readonly string[]): Promise<void> {
  if (args[0] === 'completion' || args[0] === 'complete') {
    const { default: tab } = await import('@bomb.sh/tab/commander')
    tab(program, { completionCommandName: 'completion' })
  } else {
    program.command('completion').argument('<SHELL>', COMPLETION_SHELLS.join(', '))
  }
  program.commands.find(command => command.name() === 'completion')?.description('print the completions for a shell')
}
