/** The numbers of the protocol in words, for transcripts and findings. */

const METHODS: { readonly [method: number]: string } = {
  0x00: 'no authentication',
  0x01: 'GSSAPI',
  0x02: 'user and password',
  0xff: 'none acceptable',
}

export function methodText(method: number): string {
  const hex = method.toString(16).padStart(2, '0')
  const text = METHODS[method]
  return text === undefined ? `method ${hex}` : `method ${hex} (${text})`
}

const REPS: { readonly [rep: number]: string } = {
  0x00: 'succeeded',
  0x01: 'general failure',
  0x02: 'not allowed by ruleset',
  0x03: 'network unreachable',
  0x04: 'host unreachable',
  0x05: 'connection refused',
  0x06: 'TTL expired',
  0x07: 'command not supported',
  0x08: 'address type not supported',
}

export function repText(rep: number): string {
  return `REP ${rep.toString(16).padStart(2, '0')} (${REPS[rep] ?? 'unassigned'})`
}

const COMMANDS: { readonly [command: number]: string } = { 1: 'CONNECT', 2: 'BIND', 3: 'UDP ASSOCIATE' }

export function commandText(command: number): string {
  return COMMANDS[command] ?? `command ${command.toString(16).padStart(2, '0')}`
}
