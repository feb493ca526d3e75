/**
 * The flags of the repository's own commands. A wrong one ends the command with one line that names it, the usage, and the
 * exit code that socksmith itself has for a wrong command line. Knows no command.
 */
import { type ParseArgsConfig, parseArgs } from 'node:util'

const EXIT_USAGE = 64

type Options = NonNullable<ParseArgsConfig['options']>
type Read<O extends Options> = ReturnType<typeof parseArgs<{ readonly options: O; readonly allowPositionals: boolean }>>

export interface Flags<O extends Options> extends Pick<Read<O>, 'values' | 'positionals'> {
  /** Ends the command. */
  readonly refuse: (what: string) => never
  /** A whole number from `least` to `most`. */
  readonly whole: (flag: string, text: string, least: number, most: number) => number
  /** A number above 0. */
  readonly positive: (flag: string, text: string, most: number) => number
}

/** Reads the command line. `usage` is what stands behind the command; words without a dash are refused unless it takes them. */
export function readFlags<const O extends Options>(usage: string, options: O, takesWords = false): Flags<O> {
  const refuse = (what: string): never => {
    process.stderr.write(`${what}\nusage: ${usage}\n`)
    process.exit(EXIT_USAGE)
  }
  return {
    ...parsed(options, takesWords, refuse),
    refuse,
    whole(flag, text, least, most) {
      const value = text === '' ? Number.NaN : Number(text)
      if (Number.isSafeInteger(value) && value >= least && value <= most) return value
      return refuse(`${flag} is a whole number from ${least} to ${most}, not "${text}"`)
    },
    positive(flag, text, most) {
      const value = Number(text)
      return value > 0 && value <= most ? value : refuse(`${flag} is a number above 0, ${most} at most, not "${text}"`)
    },
  }
}

function parsed<O extends Options>(options: O, allowPositionals: boolean, refuse: (what: string) => never): Read<O> {
  try {
    return parseArgs({ options, allowPositionals })
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code?.startsWith('ERR_PARSE_ARGS_') !== true) throw error
    return refuse(message.replaceAll('\n', ' '))
  }
}
