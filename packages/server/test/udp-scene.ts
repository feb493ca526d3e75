/** A UDP association in a test: a client that sends and hears datagrams, and targets that answer or speak by themselves. */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import type { TestContext } from 'node:test'
import type { Decider } from '@socksmith/policy'
import type { ServerOptions } from '@socksmith/server'
import { type Scene, hex, openClient, openScene, portHex } from './scene.ts'

export interface UdpScene extends Pick<Scene, 'server' | 'record' | 'port'> {
  /** The port of a new echo on 127.0.0.1. */
  echo(): Promise<number>
  /** Sends a datagram to an echo and waits for the answer. */
  ask(port: number): Promise<string>
  send(port: number): Promise<void>
  /** Makes an echo send something by itself. */
  push(port: number): void
  /** Sends to where the echoes were written from, from an address that the client never wrote to. */
  strange(): Promise<void>
  /** The next datagram at the client. */
  next(): Promise<string>
  /** Datagrams that an echo received. */
  heard(port: number): number
}

/** An association through a server with these rules, and UDP targets. */
export async function openUdpScene(
  t: TestContext,
  policy: Decider,
  overrides: Partial<ServerOptions> = {},
): Promise<UdpScene> {
  const { port, server, record } = await openScene(t, { policy, ...overrides })
  const client = await openClient(t, port)
  client.send('050100 05030001 00000000 0000')
  const reply = await client.read(12)
  const relay = Number.parseInt(reply.slice(20, 24), 16)
  const socket = createSocket('udp4').bind(0, '127.0.0.1')
  await once(socket, 'listening')
  t.after(() => socket.close())
  /** The port from which the server last wrote to an echo. */
  let outside = 0
  const echoes = new Map<number, { heard: number; push(): void }>()
  const send = (to: number): Promise<void> =>
    new Promise(resolve => {
      socket.send(
        Buffer.concat([hex(`00000001 7f000001 ${portHex(to)}`), Buffer.from('ask')]),
        relay,
        '127.0.0.1',
        () => resolve(),
      )
    })
  return {
    server,
    port,
    record,
    send,
    async echo() {
      const target = createSocket('udp4').bind(0, '127.0.0.1')
      await once(target, 'listening')
      t.after(() => target.close())
      let from: { port: number } | undefined
      const state = { heard: 0, push: () => from && target.send('pushed', from.port, '127.0.0.1') }
      target.on('message', (_octets, sender) => {
        from = sender
        outside = sender.port
        state.heard++
        target.send('answer', sender.port, sender.address)
      })
      echoes.set(target.address().port, state)
      return target.address().port
    },
    async ask(to) {
      const answer = once(socket, 'message') as Promise<[Buffer]>
      await send(to)
      return (await answer)[0].subarray(10).toString()
    },
    async strange() {
      const socket = createSocket('udp4').bind(0, '127.0.0.2')
      await once(socket, 'listening')
      t.after(() => socket.close())
      await new Promise<void>(resolve => socket.send('strange', outside, '127.0.0.1', () => resolve()))
    },
    async next() {
      const [octets] = (await once(socket, 'message')) as [Buffer]
      return octets.subarray(10).toString()
    },
    push: to => echoes.get(to)?.push(),
    heard: to => echoes.get(to)?.heard ?? 0,
  }
}
