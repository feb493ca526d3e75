/** Two servers in a test: one that goes by a route, and the one that it goes by. */
import type { TestContext } from 'node:test'
import { toRoute } from '@socksmith/client'
import type { Resolver } from '@socksmith/engine'
import type { ServerOptions } from '@socksmith/server'
import { type Scene, fixedResolver, openScene, portHex } from './scene.ts'

/** Names that only the server behind knows. */
export const FAR = fixedResolver({ 'far.example': ['127.0.0.1'], localhost: ['127.0.0.1'] })

/** A name as SOCKS5 asks for it. */
export function nameRequest(name: string, port: number, command = '01'): string {
  const length = Buffer.byteLength(name).toString(16).padStart(2, '0')
  return `050100 05${command}0003 ${length}${Buffer.from(name).toString('hex')} ${portHex(port)}`
}

export interface Pair {
  readonly front: Scene
  readonly far: Scene
  /** Names that the front has resolved. */
  readonly asked: readonly string[]
}

/** A server behind, which alone knows far.example, and one in front that goes by it. */
export async function openPair(
  t: TestContext,
  scheme = 'socks5h',
  front: Partial<ServerOptions> = {},
  behind: Partial<ServerOptions> = {},
): Promise<Pair> {
  const far = await openScene(t, { resolver: FAR, ...behind })
  const asked: string[] = []
  const resolver: Resolver = {
    resolve(name) {
      asked.push(name)
      return FAR.resolve(name)
    },
  }
  const route = toRoute(`${scheme}://127.0.0.1:${far.port}`)
  return { front: await openScene(t, { resolver, route, ...front }), far, asked }
}
