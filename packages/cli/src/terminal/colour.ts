/** Colour, where a person looks at a terminal and has not said no. */
import { isatty } from 'node:tty'
import { styleText } from 'node:util'

type Style = Parameters<typeof styleText>[0]

/** Puts a style around a text, or leaves it alone. */
export type Paint = (style: Style, text: string) => string

/** For one descriptor: paints on a terminal, unless NO_COLOR is set (no-color.org) or the terminal is dumb. */
export function paintFor(descriptor: number, env: NodeJS.ProcessEnv = process.env): Paint {
  return isPainted(descriptor, env) ? paint : plain
}

/** Whether {@link paintFor} paints. */
export function isPainted(descriptor: number, env: NodeJS.ProcessEnv = process.env): boolean {
  return isatty(descriptor) && !env['NO_COLOR'] && env['TERM'] !== 'dumb'
}

/** Always paints. */
export const paint: Paint = (style, text) => styleText(style, text, { validateStream: false })

/** Never paints. */
export const plain: Paint = (_style, text) => text
