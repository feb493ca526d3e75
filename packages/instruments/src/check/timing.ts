/** How long the suite waits for what. Every wait of every case is one of these; knows no case. */

/** In milliseconds. */
export interface Timing {
  /** For an answer that a working server gives at once. */
  readonly patienceMs: number
  /** For the answer to a login: who guesses is answered later and later. */
  readonly loginMs: number
  /** To see that nothing comes. Only where no later answer can prove it. Of a server near by; see {@link atDistance}. */
  readonly quietMs: number
  /** For the end of a connection after a failure. */
  readonly closeMs: number
  /** For an answer that needs a name server or a dial that fails. */
  readonly dialMs: number
  /** For the end of a client that says nothing (slow cases). */
  readonly silenceMs: number
  /** Between two octets of a client that dribbles (slow cases). */
  readonly dribbleMs: number
}

export const TIMING: Timing = {
  // Far more than any answer over a slow link takes, far less than a person's patience with so many cases.
  patienceMs: 5_000,
  // The longest delay that is usual: ours is ten seconds by default, sshd's and PAM's are two.
  loginMs: 15_000,
  // For the server to think: the way there and back is added.
  quietMs: 250,
  // RFC 1928 section 6: not later than 10 seconds after the failure was detected.
  closeMs: 10_000,
  // A resolver with three name servers that are gone gives up after 15 seconds or so.
  dialMs: 20_000,
  // A little more than the two minutes of the SOCKS4 note; the usual values are 10 to 60 seconds.
  silenceMs: 130_000,
  dribbleMs: 5_000,
}

/** The same for a server to which a connection takes so long: twice the way there and back is added to quiet times. */
export function atDistance(timing: Timing, connectMs: number): Timing {
  return { ...timing, quietMs: timing.quietMs + 2 * connectMs }
}
