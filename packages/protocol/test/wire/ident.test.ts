/** The edges of ident: ports, tokens, blanks, ends of lines. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeIdentQuery, decodeIdentReply, latin1Octets, latin1Text } from '@socksmith/protocol'

function query(text: string): string {
  const decoded = decodeIdentQuery(latin1Octets(text))
  if (decoded.kind === 'malformed') return decoded.failure.code
  return decoded.kind === 'whole' ? `${decoded.value.portOnIdentHost} ${decoded.value.portOnQuerier}` : decoded.kind
}

function reply(text: string, asked?: { portOnIdentHost: number; portOnQuerier: number }): string {
  const decoded = decodeIdentReply(latin1Octets(`${text}\r\n`), asked === undefined ? {} : { asked })
  if (decoded.kind !== 'whole') return decoded.kind === 'malformed' ? decoded.failure.code : decoded.kind
  const { value } = decoded
  return value.type === 'ERROR' ? value.error : `${value.opsys} ${value.charset} ${latin1Text(value.userId)}`
}

test('ports are 1 to 65535, both of them', () => {
  assert.equal(query('1, 65535\r\n'), '1 65535')
  for (const text of ['0, 1', '1, 0', '65536, 1', '1, 65536']) assert.equal(query(`${text}\r\n`), 'bad_port', text)
  for (const text of ['1', '1,', ',1', '1 1', 'x1, 1', '1, 1x', '100000, 1', ''])
    assert.equal(query(`${text}\r\n`), 'bad_syntax', text)
  assert.equal(query(' \t1 \t, \t2 \t\r\n'), '1 2')
})

test('a line ends with CR LF; each of them alone, and NUL, is malformed', () => {
  for (const text of ['1, 2\n', '1, 2\rx', '1, 2\0\r\n', '\n'])
    assert.equal(query(text), 'bad_syntax', JSON.stringify(text))
  for (const text of ['1, 2', '1, 2\r', '']) assert.equal(query(text), 'need-more', JSON.stringify(text))
  assert.equal(query(' '.repeat(1000)), 'need-more')
  assert.equal(query(' '.repeat(1001)), 'line_too_long')
})

test('a reply about another connection is refused, whichever port differs', () => {
  const text = '6193, 1080 : USERID : UNIX : bob'
  assert.equal(reply(text, { portOnIdentHost: 6193, portOnQuerier: 1080 }), 'UNIX US-ASCII  bob')
  assert.equal(reply(text, { portOnIdentHost: 6194, portOnQuerier: 1080 }), 'port_mismatch')
  assert.equal(reply(text, { portOnIdentHost: 6193, portOnQuerier: 1081 }), 'port_mismatch')
  assert.equal(reply(text), 'UNIX US-ASCII  bob')
})

test('systems, charsets and user ids', () => {
  assert.equal(reply('1,1:USERID: \tUNIX \t, \tUTF-8 \t:a:b '), 'UNIX UTF-8 a:b ')
  for (const text of [
    '1,1:USERID::a',
    '1,1:USERID:UNIX,:a',
    '1,1:USERID:UNIX:',
    '1,1:USERID:UNIX',
    '1,1:WHAT:x',
    '1,1',
  ])
    assert.equal(reply(text), 'bad_syntax', text)
  assert.equal(reply(`1,1:USERID:U:${'a'.repeat(512)}`).length, 'U US-ASCII '.length + 512)
  assert.equal(reply(`1,1:USERID:U:${'a'.repeat(513)}`), 'userid_too_long')
})

test('errors are the four of the RFC and private ones', () => {
  for (const token of ['NO-USER', 'INVALID-PORT', 'HIDDEN-USER', 'UNKNOWN-ERROR', 'X', 'XA-1'])
    assert.equal(reply(`1, 1 : ERROR : ${token} `), token)
  for (const token of ['NOUSER', 'AX', 'X Y', '', 'NO-USER:x'])
    assert.equal(reply(`1, 1 : ERROR : ${token}`), 'bad_syntax', token)
})
