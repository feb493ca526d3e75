/** The hash functions that CHAP is given in the tests: those of Node. */
import { createHash, createHmac } from 'node:crypto'
import type { ChapHashes } from '../../src/chap-response.ts'

export const chapHashes: ChapHashes = {
  hmacMd5: (key, message) => Uint8Array.from(createHmac('md5', key).update(message).digest()),
  md5: message => Uint8Array.from(createHash('md5').update(message).digest()),
}
