/** The targets of these tests: a web server of `http:` or `https:` that tells what it saw. Loopback only. */
import { once } from 'node:events'
import { type IncomingMessage, type RequestListener, createServer } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { AUTHORITY, SERVER } from '../../../engine/test/data/certificates.ts'

export interface WebServer {
  readonly port: number
  /** Requests that came, in order. */
  readonly requests: readonly IncomingMessage[]
  /** Connections that came so far. */
  connections(): number
  /** TLS sessions that were taken up again. */
  resumptions(): number
}

/** Authorities of the certificate. */
export const ca: string = AUTHORITY

/** Answers every request with its method, its path and its header `Host`. Ends with the test. */
export async function webServer(
  t: TestContext,
  scheme: 'http' | 'https' = 'http',
  answer: RequestListener = tell,
): Promise<WebServer> {
  const requests: IncomingMessage[] = []
  let connections = 0
  let resumptions = 0
  const onRequest: RequestListener = (request, response) => {
    requests.push(request)
    answer(request, response)
  }
  const server =
    scheme === 'http'
      ? createServer(onRequest)
      : createSecureServer({ cert: SERVER.certificate, key: SERVER.key }, onRequest)
  server.on('connection', () => connections++)
  server.on('secureConnection', (socket: Socket & { isSessionReused(): boolean }) => {
    if (socket.isSessionReused()) resumptions++
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(async () => {
    server.close()
    server.closeAllConnections()
    await once(server, 'close')
  })
  const { port } = server.address() as AddressInfo
  return { port, requests, connections: () => connections, resumptions: () => resumptions }
}

function tell(request: IncomingMessage, response: Parameters<RequestListener>[1]): void {
  response.end(`${request.method} ${request.url} ${request.headers.host}`)
}
