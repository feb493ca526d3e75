/** Lines as datagrams, each with its line end, as a terminal hands them to `nc -u`. */

/** No datagram of UDP is longer; a longer line is cut here, so that memory has a bound. */
const LINE_OCTETS_MAX = 65_535
const LINE_FEED = 10

/** The lines of the stream; the last one may lack its end. */
export async function* datagramsOf(input: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  let waiting: Buffer = Buffer.alloc(0)
  for await (const chunk of input) {
    waiting = Buffer.concat([waiting, chunk])
    for (;;) {
      const end = waiting.indexOf(LINE_FEED) + 1
      if (end === 0 && waiting.length < LINE_OCTETS_MAX) break
      const length = Math.min(end || LINE_OCTETS_MAX, LINE_OCTETS_MAX)
      yield waiting.subarray(0, length)
      waiting = waiting.subarray(length)
    }
  }
  if (waiting.length > 0) yield waiting
}
