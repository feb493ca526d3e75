/**
 * A line that keeps each packet for 50 ms, loses one in a hundred and lets others overtake some: behind the server and before
 * it. In network namespaces of its own; nothing outside of them is touched.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { BIND_OCTETS, DATAGRAMS, LIMITS_S, OCTETS, type Report, STREAMS } from './namespace/lossy-task.ts'
import { namespaceObstacle, onBothEngines } from './namespace/obstacle.ts'
import { PYTHON, needProgram } from './program.ts'

const NEAR = fileURLToPath(new URL('namespace/lossy-near.ts', import.meta.url))
const TRIED = 'ip link set lo up && ip tuntap add dev near mode tun'
/** Node's timers count from the begin of the turn of its loop in which they are set: on a busy machine some milliseconds. */
const TIMER_MS = 50

test('over a line that delays, loses and reorders packets nothing is lost, altered or given up', async t => {
  const reason = namespaceObstacle(TRIED)
  if (reason !== undefined) return t.skip(reason)
  if (!needProgram(t, PYTHON, 'python3')) return
  await onBothEngines(NEAR, (told, engine) => {
    const report = told as Report
    checkLink(report, engine)
    checkEnds(report, engine)
    checkSessions(report, engine)
  })
})

/** Without this the rest would show nothing. */
function checkLink({ link }: Report, engine: string): void {
  assert.equal(link.length, 2)
  for (const counts of link) {
    const { taken, dropped, overtaken, shortestMs } = counts
    const told = `${engine}: ${JSON.stringify(counts)}`
    // All streams cross once in each direction, in packets of 1500 octets at most.
    assert.ok(taken > (2 * STREAMS * OCTETS) / 1_500, told)
    assert.ok(dropped > taken / 200, told)
    assert.ok(overtaken > taken / 1_000, told)
    // A difference of two times is a fraction too short now and then.
    assert.ok(shortestMs >= 49.999, told)
  }
}

function checkEnds({ answers }: Report, engine: string): void {
  assert.equal(answers.length, 2)
  for (const { streams, bind, datagrams } of answers) {
    assert.equal(streams.length, STREAMS, engine)
    assert.equal(bind, 'whole', engine)
    assert.equal(datagrams?.altered, 0, engine)
    assert.ok(datagrams.unchanged >= DATAGRAMS, engine)
  }
}

/** The server's own sums, and that it gave up nobody but those who were silent, and not before their time. */
function checkSessions({ sessions }: Report, engine: string): void {
  const ends = sessions.map(({ command, end, failure, up_octets, down_octets }) => {
    const isExact = up_octets === down_octets && [OCTETS, BIND_OCTETS].includes(up_octets)
    return [command, end, failure, isExact ? up_octets : undefined].filter(word => word !== undefined).join(' ')
  })
  assert.deepEqual(
    ends.toSorted(),
    [
      ...Array.from({ length: STREAMS }, () => `connect client-finished ${OCTETS}`),
      `bind target-finished ${BIND_OCTETS}`,
      'connect target-finished',
      'udp-associate client-finished',
      'connect failed timed_out',
      'connect idle',
      'handshake-timeout timed_out',
    ]
      .flatMap(line => [line, line])
      .toSorted(),
    engine,
  )
  const limits: { readonly [end: string]: number } = {
    failed: LIMITS_S.dial,
    'handshake-timeout': LIMITS_S.handshake,
    idle: LIMITS_S.idle,
  }
  for (const { end, duration_ms } of sessions) {
    const limit = limits[end]
    if (limit !== undefined) assert.ok(duration_ms >= limit * 1_000 - TIMER_MS, `${engine}: ${end} ${duration_ms} ms`)
  }
}
