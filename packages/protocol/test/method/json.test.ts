/** The JSON parameter block at both ends: what arrives, what is refused and with which REP. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { jsonClient, jsonServer } from '../../src/method/json.ts'
import { concat, uint32 } from '../../src/octets.ts'
import { utf8Octets } from '../../src/text.ts'
import { fault } from './exchange-steps.ts'
import { assertEstablished, meetEverywhere } from './meeting.ts'

const withRep = (rep: string): string => `05${rep}0001000000000000`
const block = (text: string): Uint8Array => concat([Uint8Array.from(uint32(utf8Octets(text).length)), utf8Octets(text)])

const strictServer = () => jsonServer(parameters => 'cert' in parameters)

suite('JSON parameters', () => {
  test('arrive at the server, at every split', () => {
    const parameters = { cert: 'a:b', iat: [1, { mode: null }] }
    meetEverywhere({ server: () => jsonServer(), client: () => jsonClient(parameters) }, outcome => {
      assertEstablished(outcome)
      assert.deepEqual(outcome.server.parameters, parameters)
      assert.equal(outcome.user, undefined)
    })
  })

  test('that the transport cannot use are answered with REP 13', () => {
    meetEverywhere({ server: strictServer, client: () => jsonClient({ other: 1 }) }, outcome => {
      assert.deepEqual([outcome.serverEnd, outcome.clientEnd], ['bad_parameters', 'request_failed'])
      assert.equal(outcome.down, `0509${withRep('13')}`)
    })
  })

  test('are refused as the doing of the client', () => {
    assert.equal(fault(strictServer().begin().read(block('{"other":1}'))), `bad_parameters client ${withRep('13')}`)
  })

  test('are refused with the REP for what is wrong with the block', () => {
    for (const [code, rep, octets] of [
      ['bad_length', '12', Uint8Array.of(0, 0, 0, 0)],
      ['too_large', '10', Uint8Array.of(0, 1, 0, 1)],
      ['bad_json', '12', block('{"a":')],
      ['bad_parameters', '13', block('[1]')],
      ['bad_parameters', '13', block('{"a":1,"a":2}')],
    ] as const) {
      assert.equal(fault(jsonServer().begin().read(octets)), `${code} client ${withRep(rep)}`)
    }
  })
})
