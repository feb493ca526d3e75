/** Whether this machine lets the tests make network namespaces of their own. */
import { spawnSync } from 'node:child_process'

/** Why there can be none in which this command of a shell works; `undefined` where there can. */
export function namespaceObstacle(command: string): string | undefined {
  if (process.platform !== 'linux') return 'namespaces are of Linux'
  if (process.getuid?.() !== 0) return 'only root may make network namespaces'
  const tried = spawnSync('unshare', ['-n', 'sh', '-c', command])
  return tried.status === 0 ? undefined : `no such namespace can be made here: ${String(tried.stderr ?? tried.error)}`
}
