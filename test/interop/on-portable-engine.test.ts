/** Every program once more, against the portable engine; the other files have the fastest one, with workers. */
import { useEngine } from './server.ts'

useEngine('node')
// They register their tests when they are loaded.
await import('./commands.test.ts')
await import('./curl.test.ts')
await import('./dante.test.ts')
await import('./drain.test.ts')
await import('./failing-calls.test.ts')
await import('./kill.test.ts')
await import('./netcat.test.ts')
await import('./policy-peers.test.ts')
await import('./policy-rules.test.ts')
await import('./privileges.test.ts')
await import('./proxychains.test.ts')
await import('./python.test.ts')
await import('./reload.test.ts')
await import('./ssh.test.ts')
await import('./via.test.ts')
await import('./volume.test.ts')
