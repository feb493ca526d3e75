/**
 * Ends the wait of a request of undici when its signal says so. undici itself looks at the signal only once the
 * connection stands. Knows the two generations of handlers by their names, and no route.
 */

/** `AbortSignal`, or an `EventEmitter` with an event `abort`, as undici takes both. */
export type AbortSource =
  | AbortSignal
  | {
      readonly aborted?: boolean
      on(event: 'abort', listener: () => void): unknown
      off?(event: 'abort', listener: () => void): unknown
    }

type Listener = (...args: unknown[]) => unknown
type Handler = { [name: string]: unknown }

const METHODS = [
  // undici 7 and 8
  'onRequestStart',
  'onRequestUpgrade',
  'onResponseStart',
  'onResponseData',
  'onResponseEnd',
  'onResponseError',
  // undici 6 and 7
  'onConnect',
  'onUpgrade',
  'onHeaders',
  'onData',
  'onComplete',
  'onError',
  // both
  'onBodySent',
  'onRequestSent',
  'onResponseStarted',
] as const

/** A handler that fails as soon as `signal` acts, as long as the request has not been sent. */
export function abortableHandler(handler: object, signal: AbortSource): object {
  const inner = handler as Handler
  const outer: Handler = {}
  let state: 'waiting' | 'started' | 'aborted' = 'waiting'
  const call = (name: string, args: unknown[]): unknown => (inner[name] as Listener).apply(inner, args)

  const onAbort = (): void => {
    if (state !== 'waiting') return
    state = 'aborted'
    const reason = reasonOf(signal)
    if (typeof inner['onResponseError'] === 'function') call('onResponseError', [null, reason])
    else call('onError', [reason])
  }
  const leave = (next: 'started' | 'aborted'): void => {
    if (state === 'waiting') state = next
    unlisten(signal, onAbort)
  }

  for (const name of METHODS) {
    if (typeof inner[name] === 'function') outer[name] = (...args: unknown[]) => call(name, args)
  }
  // The connection came too late: it was not needed for this request any more.
  const start =
    (name: string, abort: (given: unknown) => void) =>
    (...args: unknown[]): unknown => {
      if (state === 'aborted') return abort(args[0])
      leave('started')
      return call(name, args)
    }
  if ('onRequestStart' in outer) {
    outer['onRequestStart'] = start('onRequestStart', given => (given as AbortController).abort(reasonOf(signal)))
  }
  if ('onConnect' in outer) {
    outer['onConnect'] = start('onConnect', given => (given as (reason: unknown) => void)(reasonOf(signal)))
  }
  for (const name of ['onResponseError', 'onError']) {
    if (!(name in outer)) continue
    outer[name] = (...args: unknown[]) => {
      if (state === 'aborted') return undefined
      leave('started')
      return call(name, args)
    }
  }
  listen(signal, onAbort)
  return outer
}

/** The source as a signal of the platform, for whoever needs that. */
export function asAbortSignal(source: AbortSource): AbortSignal {
  if (source instanceof AbortSignal) return source
  const controller = new AbortController()
  listen(source, () => controller.abort())
  return controller.signal
}

function reasonOf(source: AbortSource): unknown {
  return source instanceof AbortSignal ? source.reason : new DOMException('This operation was aborted', 'AbortError')
}

function listen(source: AbortSource, onAbort: () => void): void {
  if (source.aborted === true) queueMicrotask(onAbort)
  else if ('addEventListener' in source) source.addEventListener('abort', onAbort, { once: true })
  else source.on('abort', onAbort)
}

function unlisten(source: AbortSource, onAbort: () => void): void {
  if ('removeEventListener' in source) source.removeEventListener('abort', onAbort)
  else source.off?.('abort', onAbort)
}
