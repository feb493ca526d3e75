/**
 * Drivers that know nothing of proxies, through one: PostgreSQL with its own upgrade to TLS, mail, MQTT, Redis. The
 * servers speak just enough of each protocol; the MQTT broker is a real one.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { suite } from 'node:test'
import { TLSSocket } from 'node:tls'
import { Aedes } from 'aedes'
import { AbstractConnector, Redis } from 'ioredis'
import mqtt from 'mqtt'
import { createTransport } from 'nodemailer'
import { Client } from 'pg'
import { SocksSocket, connect } from '../../src/index.ts'
import { AUTHORITY, SERVER, leakTest, until } from '../scene.ts'

suite('drivers through a proxy', () => {
  leakTest('pg: a query, inside the TLS that it begins itself', async scene => {
    const proxy = await scene.proxy()
    const port = await scene.target(postgres)
    const client = new Client({
      host: 'localhost',
      port,
      user: 'u',
      database: 'd',
      ssl: { ca: AUTHORITY },
      stream: () => new SocksSocket({ via: proxy.url() }),
    })
    await client.connect()
    const { rows } = await client.query('select 1')
    assert.deepEqual(rows, [{ answer: 'through the proxy' }])
    await client.end()
    await until(() => proxy.records.length === 1, 'the session is over')
  })

  leakTest('nodemailer: a message', async scene => {
    const proxy = await scene.proxy()
    const seen: string[] = []
    const port = await scene.target(socket => smtp(socket, seen))
    const socket = new SocksSocket({ via: proxy.url() })
    const transport = createTransport({ host: 'localhost', port, secure: false, ignoreTLS: true, socket })
    const sent = await transport.sendMail({ from: 'a@a.test', to: 'b@b.test', subject: 'by proxy', text: 'hello' })
    assert.deepEqual(sent.accepted, ['b@b.test'])
    assert.match(seen.join('\n'), /Subject: by proxy/)
    transport.close()
    socket.destroy()
  })

  leakTest('mqtt: publish and subscribe', async scene => {
    const proxy = await scene.proxy()
    const broker = await Aedes.createBroker()
    scene.onClose(() => new Promise<void>(resolve => broker.close(resolve)))
    const port = await scene.target(socket => broker.handle(socket))
    const client = new mqtt.MqttClient(() => new SocksSocket({ via: proxy.url() }).connect(port, 'localhost'), {
      reconnectPeriod: 0,
    })
    await new Promise(resolve => client.once('connect', resolve))
    await client.subscribeAsync('news')
    const message = new Promise<string>(resolve =>
      client.once('message', (topic, body) => resolve(`${topic} ${String(body)}`)),
    )
    await client.publishAsync('news', 'heard')
    assert.equal(await message, 'news heard')
    await client.endAsync()
  })

  leakTest('ioredis: a command, by a connector of its own', async scene => {
    const proxy = await scene.proxy()
    const port = await scene.target(redis)
    class ProxyConnector extends AbstractConnector {
      constructor() {
        super(1_000)
      }

      override async connect(): Promise<Socket> {
        return (this.stream = await connect({ host: 'localhost', port, via: proxy.url() }))
      }
    }
    const client = new Redis({ Connector: ProxyConnector, enableReadyCheck: false, retryStrategy: null })
    assert.equal(await client.get('key'), 'value of key')
    client.disconnect()
    await once(client, 'end')
  })
})

/** A server of PostgreSQL's protocol 3.0 that answers every query with one row. */
function postgres(socket: Socket): void {
  // The first message asks for TLS.
  socket.once('data', () => {
    socket.pause()
    socket.write('S')
    answerQueries(new TLSSocket(socket, { isServer: true, cert: SERVER.certificate, key: SERVER.key }))
  })
}

function answerQueries(stream: Socket): void {
  let isStarted = false
  stream.on('error', () => undefined)
  stream.on('data', (octets: Buffer) => {
    if (!isStarted) {
      isStarted = true
      stream.write(Buffer.concat([message('R', Buffer.alloc(4)), READY]))
    } else if (octets[0] === 0x51) {
      const column = Buffer.concat([
        Buffer.from('answer\0'),
        Buffer.alloc(6),
        Buffer.from([0, 0, 0, 25, 255, 255, 255, 255, 255, 255, 0, 0]),
      ])
      const value = Buffer.from('through the proxy')
      stream.write(
        Buffer.concat([
          message('T', Buffer.concat([Buffer.from([0, 1]), column])),
          message('D', Buffer.concat([Buffer.from([0, 1, 0, 0, 0, value.length]), value])),
          message('C', Buffer.from('SELECT 1\0')),
          READY,
        ]),
      )
    } else stream.end()
  })
}

function message(type: string, body: Buffer): Buffer {
  const head = Buffer.alloc(5)
  head.write(type, 'latin1')
  head.writeInt32BE(body.length + 4, 1)
  return Buffer.concat([head, body])
}

const READY = message('Z', Buffer.from('I'))

function smtp(socket: Socket, seen: string[]): void {
  let isData = false
  socket.setEncoding('latin1').write('220 mail.test\r\n')
  socket.on('data', (text: string) => {
    seen.push(text)
    if (isData) {
      if (!text.endsWith('\r\n.\r\n')) return
      isData = false
      socket.write('250 taken\r\n')
    } else if (text.startsWith('DATA')) {
      isData = true
      socket.write('354 go on\r\n')
    } else if (text.startsWith('QUIT')) socket.end('221 bye\r\n')
    else socket.write('250 fine\r\n')
  })
}

/** A server of RESP 2 that knows GET and agrees with everything else. */
function redis(socket: Socket): void {
  socket.setEncoding('latin1').on('data', (text: string) => {
    for (const [, name, key] of text.matchAll(/\*\d+\r\n\$\d+\r\n(\w+)\r\n(?:\$\d+\r\n([^\r]*)\r\n)?/g)) {
      const value = `value of ${key}`
      socket.write(name?.toLowerCase() === 'get' ? `$${value.length}\r\n${value}\r\n` : '+OK\r\n')
    }
  })
}
