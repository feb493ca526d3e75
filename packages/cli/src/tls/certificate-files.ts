/**
 * The certificate files of a TLS listener: read at the start, and again when they change, so that a renewed certificate
 * is used without a restart. Knows no socket.
 */
import { readFileSync } from 'node:fs'
import type { SecureOptions } from '@socksmith/engine'
import type { TlsConfig } from '../config/config.ts'
import { fileMark } from '../config/file-mark.ts'
import { EXIT, type Outcome, done, fileErrorText, trouble } from '../exit.ts'

// A busy listener must not ask the file system at every connection.
const STAT_INTERVAL_MS = 1_000

/** What {@link openCertificateFiles} gives: the options of this moment. Never fails: a broken new pair keeps the old one. */
export type CertificateSource = () => SecureOptions

/**
 * Reads the files. `timeoutMs` is for the TLS handshake. `onTrouble` is told, once for each change, why a new pair
 * could not be used. `now` gives milliseconds that never go backwards.
 */
export function openCertificateFiles(
  config: TlsConfig,
  timeoutMs: number,
  onTrouble: (message: string) => void,
  now: () => number = () => performance.now(),
): Outcome<CertificateSource> {
  // Before reading, so that a change between the two is seen later.
  let marks = marksOf(config)
  const first = readOptions(config, timeoutMs)
  if (!first.ok) return first
  let current = first.value
  let askedAt = now()
  return done(() => {
    if (now() - askedAt < STAT_INTERVAL_MS) return current
    askedAt = now()
    const newMarks = marksOf(config)
    if (newMarks === marks) return current
    marks = newMarks
    const next = readOptions(config, timeoutMs)
    if (next.ok) current = next.value
    else onTrouble(`${next.trouble.message}; the certificate read before stays in use`)
    return current
  })
}

function filesOf(config: TlsConfig): readonly string[] {
  const authorities = config['client-ca']
  return [config.certificate, config.key, ...(authorities === undefined ? [] : [authorities])]
}

/** A text that changes when one of the files does. */
function marksOf(config: TlsConfig): string {
  return filesOf(config).map(fileMark).join(' ')
}

function readOptions(config: TlsConfig, timeoutMs: number): Outcome<SecureOptions> {
  const texts: string[] = []
  for (const path of filesOf(config)) {
    try {
      texts.push(readFileSync(path, 'utf8'))
    } catch (error) {
      return trouble(EXIT.NO_INPUT, `cannot read ${path}: ${fileErrorText(error)}`)
    }
  }
  const [certificate = '', key = '', clientAuthorities] = texts
  try {
    process.getBuiltinModule('node:tls').createSecureContext({
      cert: certificate,
      key,
      ...(clientAuthorities === undefined ? {} : { ca: clientAuthorities }),
    })
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    return trouble(
      EXIT.DATA,
      `${config.certificate} and ${config.key} are not a certificate and its key in PEM (${reason})`,
    )
  }
  return done({
    certificate,
    key,
    timeoutMs,
    ...(clientAuthorities === undefined ? {} : { clientAuthorities }),
    clientCertificateRequired: config['client-certificate'] === 'required',
  })
}
