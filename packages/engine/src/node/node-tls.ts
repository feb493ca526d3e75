/** Node's TLS, loaded for the first connection that needs it: it takes 4 MiB in every thread. */

export function nodeTls(): typeof import('node:tls') {
  return process.getBuiltinModule('node:tls')
}
