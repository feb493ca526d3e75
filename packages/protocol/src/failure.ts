/**
 * Why something did not work: one stable code, whose fault it was, and the one table that turns a code into a SOCKS4
 * code, a SOCKS5 REP, an HTTP status, an exit code and an errno. Knows no message layout.
 */

/** Whose doing a failure was. `client` and `server` are the two ends of the SOCKS connection; `us` is a bug or a lack here. */
export type Blame = 'client' | 'server' | 'target' | 'policy' | 'us'

/** What can be wrong with received octets. The names are those of the vectors. */
export type MalformedCode =
  | 'aborted'
  | 'auth_rejected'
  | 'bad_address'
  | 'bad_atyp'
  | 'bad_checksum'
  | 'bad_command'
  | 'bad_family'
  | 'bad_flag'
  | 'bad_json'
  | 'bad_length'
  | 'bad_level'
  | 'bad_line_end'
  | 'bad_marker'
  | 'bad_message_type'
  | 'bad_parameters'
  | 'bad_port'
  | 'bad_reserved'
  | 'bad_signature'
  | 'bad_state'
  | 'bad_syntax'
  | 'bad_target'
  | 'bad_tlv'
  | 'bad_version'
  | 'empty_method_list'
  | 'empty_name'
  | 'frag_unsupported'
  | 'header_too_large'
  | 'http_status'
  | 'identd_mismatch'
  | 'identd_unreachable'
  | 'line_too_long'
  | 'method_not_offered'
  | 'name_bad_char'
  | 'name_has_nul'
  | 'name_too_long'
  | 'no_acceptable_methods'
  | 'no_association'
  | 'no_common_algorithm'
  | 'not_allowed'
  | 'port_mismatch'
  | 'port_zero'
  | 'rejected'
  | 'rejected_unknown'
  | 'request_failed'
  | 'source_mismatch'
  | 'too_large'
  | 'truncated'
  | 'unexpected_message'
  | 'unknown_protocol'
  | 'unwrap_failed'
  | 'userid_too_long'

/** What can go wrong with a request that was understood. */
export type RequestFailureCode =
  | 'general_failure'
  | 'not_allowed'
  | 'network_unreachable'
  | 'host_unreachable'
  | 'name_not_found'
  | 'name_timed_out'
  | 'connection_refused'
  | 'timed_out'
  | 'command_not_supported'
  | 'address_type_not_supported'
  | 'identd_unreachable'
  | 'identd_mismatch'
  | 'too_busy'
  | 'auth_required'

/** Every code there is. */
export type FailureCode = MalformedCode | RequestFailureCode

/** A failure as a value. `detail` is a sentence for people; no program decides by it, and it holds no secret. */
export interface Failure {
  readonly code: FailureCode
  readonly blame: Blame
  readonly detail?: string
  /** The REP or CD of the other end, when it sent one. */
  readonly rep?: number
  /** The HTTP status of the other end, when it sent one. */
  readonly status?: number
  /** The operating system's name for it, when it came from there: `"EADDRINUSE"`. */
  readonly errno?: string
}

/** Makes a failure value. */
export function failure(code: FailureCode, blame: Blame, detail?: string): Failure {
  return detail === undefined ? { code, blame } : { code, blame, detail }
}

/** How one request failure looks in every language that we speak. */
export interface FailureMapping {
  /** CD of a SOCKS4 reply. */
  readonly socks4: number
  /** REP of a SOCKS5 reply (RFC 1928 section 6). */
  readonly rep: number
  readonly httpStatus: number
  /** Exit code of a command that failed for this reason; the numbers of sysexits.h where one fits. */
  readonly exitCode: number
  readonly errno: string
}

const MAPPINGS: { readonly [C in RequestFailureCode]: FailureMapping } = {
  general_failure: { socks4: 91, rep: 0x01, httpStatus: 502, exitCode: 70, errno: 'EIO' },
  not_allowed: { socks4: 91, rep: 0x02, httpStatus: 403, exitCode: 77, errno: 'EACCES' },
  network_unreachable: { socks4: 91, rep: 0x03, httpStatus: 502, exitCode: 68, errno: 'ENETUNREACH' },
  host_unreachable: { socks4: 91, rep: 0x04, httpStatus: 502, exitCode: 68, errno: 'EHOSTUNREACH' },
  name_not_found: { socks4: 91, rep: 0x04, httpStatus: 502, exitCode: 68, errno: 'ENOTFOUND' },
  // As one that is not known (REP 04): the target has not been late, nobody has asked it.
  name_timed_out: { socks4: 91, rep: 0x04, httpStatus: 504, exitCode: 75, errno: 'EAI_AGAIN' },
  connection_refused: { socks4: 91, rep: 0x05, httpStatus: 502, exitCode: 69, errno: 'ECONNREFUSED' },
  timed_out: { socks4: 91, rep: 0x06, httpStatus: 504, exitCode: 75, errno: 'ETIMEDOUT' },
  command_not_supported: { socks4: 91, rep: 0x07, httpStatus: 501, exitCode: 76, errno: 'EOPNOTSUPP' },
  address_type_not_supported: { socks4: 91, rep: 0x08, httpStatus: 502, exitCode: 76, errno: 'EAFNOSUPPORT' },
  identd_unreachable: { socks4: 92, rep: 0x02, httpStatus: 403, exitCode: 77, errno: 'EACCES' },
  identd_mismatch: { socks4: 93, rep: 0x02, httpStatus: 403, exitCode: 77, errno: 'EACCES' },
  too_busy: { socks4: 91, rep: 0x01, httpStatus: 503, exitCode: 75, errno: 'EAGAIN' },
  auth_required: { socks4: 91, rep: 0x02, httpStatus: 407, exitCode: 77, errno: 'EACCES' },
}

/** How a failure is told in SOCKS4, SOCKS5, HTTP, an exit code and an errno. A code of received octets maps as a general failure. */
export function mappingOf(code: FailureCode): FailureMapping {
  return code in MAPPINGS ? MAPPINGS[code as RequestFailureCode] : MAPPINGS.general_failure
}

const CODE_BY_ERRNO: { readonly [errno: string]: RequestFailureCode } = {
  ECONNREFUSED: 'connection_refused',
  ECONNRESET: 'connection_refused',
  ENETUNREACH: 'network_unreachable',
  ENETDOWN: 'network_unreachable',
  EHOSTUNREACH: 'host_unreachable',
  EHOSTDOWN: 'host_unreachable',
  ETIMEDOUT: 'timed_out',
  ENOTFOUND: 'name_not_found',
  EAI_AGAIN: 'name_not_found',
  EAI_FAIL: 'name_not_found',
  EAI_NONAME: 'name_not_found',
  EAI_NODATA: 'name_not_found',
  EACCES: 'not_allowed',
  EPERM: 'not_allowed',
  EAFNOSUPPORT: 'address_type_not_supported',
  EPROTONOSUPPORT: 'address_type_not_supported',
  EPROTOTYPE: 'address_type_not_supported',
  EMFILE: 'too_busy',
  ENFILE: 'too_busy',
  ENOBUFS: 'too_busy',
  ENOMEM: 'too_busy',
}

/** The code for an error of the operating system, by its name (`"ECONNREFUSED"`); anything unknown is a general failure. */
export function codeOfErrno(errno: string | undefined): RequestFailureCode {
  return (errno !== undefined && CODE_BY_ERRNO[errno]) || 'general_failure'
}

// Which of several failures says most: the digest's order 02, 05, 04, 03, 06, 01.
const TELLING_ORDER: readonly number[] = [0x02, 0x05, 0x08, 0x04, 0x03, 0x06, 0x01]

/** Of several attempts that failed, the failure that tells the client most. */
export function mostTelling(failures: readonly Failure[]): Failure {
  const rank = (one: Failure): number => {
    const place = TELLING_ORDER.indexOf(mappingOf(one.code).rep)
    return place === -1 ? TELLING_ORDER.length : place
  }
  let best: Failure | undefined
  for (const one of failures) if (best === undefined || rank(one) < rank(best)) best = one
  return best ?? failure('general_failure', 'us', 'nothing was tried')
}
