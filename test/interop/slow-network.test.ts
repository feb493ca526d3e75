/**
 * A link of 64 kbit/s with packets of 600 octets at most, which loses what is too much for it, and on which nothing gets through
 * for ten seconds. In network namespaces of its own; nothing outside of them is touched.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { namespaceObstacle, onBothEngines } from './namespace/obstacle.ts'

const NEAR = fileURLToPath(new URL('namespace/slow-near.ts', import.meta.url))
const TRIED = 'ip link set lo up && tc qdisc replace dev lo root tbf rate 64kbit burst 2kb latency 400ms'

test('every stream arrives whole over a slow link that was silent for ten seconds', async t => {
  const reason = namespaceObstacle(TRIED)
  if (reason !== undefined) return t.skip(reason)
  await onBothEngines(NEAR, (told, engine) => {
    assert.deepEqual(told, { whole: 4, came: 4 * 16 * 1_024 }, engine)
  })
})
