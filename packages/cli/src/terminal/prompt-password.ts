/** Asks for a password: without echo on a terminal, or one line from a pipe. */
import { isatty } from 'node:tty'
import { EXIT, type Outcome, done, trouble } from '../exit.ts'
import { Secret } from '../users/secret.ts'
import { say } from './say.ts'

// A password has at most 255 octets; a longer line is read to here so that it can be refused with the right words.
const LINE_OCTETS_MAX = 1_024

const [CTRL_C, CTRL_D, BACKSPACE, CTRL_U, LINE_FEED, RETURN, DELETE] = [3, 4, 8, 21, 10, 13, 127] as const

/** The password for `name`: asked for twice on a terminal, read once from a pipe. */
export async function askNewPassword(name: string): Promise<Outcome<Secret>> {
  if (!isatty(0)) return readLine()
  const first = await ask(`Password for ${name}: `)
  if (!first.ok) return first
  const second = await ask('The same again: ')
  if (!second.ok) return second
  const same = Buffer.compare(first.value.reveal(), second.value.reveal()) === 0
  return same ? first : trouble(EXIT.DATA, 'the two passwords differ; nothing was changed')
}

async function ask(question: string): Promise<Outcome<Secret>> {
  // Before the question: whoever answers at once must not see the answer either.
  process.stdin.setRawMode(true)
  process.stderr.write(question)
  try {
    return await readLine()
  } finally {
    process.stdin.setRawMode(false)
    say('')
  }
}

/** One line of standard input, without its end. Control keys work as they do at a login. */
async function readLine(): Promise<Outcome<Secret>> {
  const isTerminal = isatty(0)
  const line: number[] = []
  for await (const chunk of process.stdin.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    for (const [index, octet] of chunk.entries()) {
      const isLineEnd = octet === LINE_FEED || (isTerminal && octet === RETURN)
      if (isLineEnd || (isTerminal && octet === CTRL_D)) {
        // What was typed ahead belongs to the next question.
        if (index + 1 < chunk.length) process.stdin.unshift(chunk.subarray(index + 1))
        return finished(line)
      }
      if (isTerminal && octet === CTRL_C) return trouble(EXIT.INTERRUPTED, 'nothing was changed')
      if (isTerminal && (octet === BACKSPACE || octet === DELETE)) removeCharacter(line)
      else if (isTerminal && octet === CTRL_U) line.length = 0
      else if (line.length < LINE_OCTETS_MAX) line.push(octet)
    }
  }
  return finished(line)
}

function finished(line: number[]): Outcome<Secret> {
  process.stdin.pause()
  // A pipe from another system may end its lines with CR LF.
  if (line.at(-1) === RETURN) line.pop()
  return done(new Secret(Uint8Array.from(line)))
}

/** Takes the last character away, all octets of its UTF-8. */
function removeCharacter(line: number[]): void {
  let octet = line.pop()
  while (octet !== undefined && (octet & 0xc0) === 0x80) octet = line.pop()
}
