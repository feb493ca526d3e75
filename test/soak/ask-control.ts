/** Asks a server over its control socket, as `socksmith reload` and `socksmith ban` do. */
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import type { StageFiles } from './stage.ts'

export interface ControlAnswer {
  readonly message: string
  readonly bans?: readonly unknown[]
}

export async function askControl({ files }: { readonly files: StageFiles }, question: object): Promise<ControlAnswer> {
  const socket = connect(files.control)
  socket.end(`${JSON.stringify(question)}\n`)
  return JSON.parse(await text(socket)) as ControlAnswer
}
