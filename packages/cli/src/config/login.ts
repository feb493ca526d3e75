/** What failed logins lead to, by the names that people write. Knows no schema and no flag. */
import { DEFAULT_LOGIN, type LoginOptions } from '@socksmith/server'

export interface LoginWord {
  readonly key: string
  readonly option: Exclude<keyof LoginOptions, 'trusted'>
  readonly kind: 'count' | 'duration'
  readonly description: string
}

export const LOGIN_WORDS: readonly LoginWord[] = [
  word('delay-after', 'delayAfter', 'count', 'failed logins that are answered at once'),
  word('delay', 'delayMs', 'duration', 'how much later the next one is answered; each further one twice as late'),
  word('delay-max', 'delayMaxMs', 'duration', 'the longest of these delays'),
  word('window', 'windowMs', 'duration', 'in which failures are forgotten, evenly'),
  word('ban-login-after', 'loginFailures', 'count', 'failures of one name from one address until that pair is banned'),
  word('ban-address-after', 'addressFailures', 'count', 'failures of one address until it is banned'),
  word('ban', 'banMs', 'duration', 'how long such a ban lasts'),
]

export const LOGIN_DEFAULTS: LoginOptions = DEFAULT_LOGIN

function word(key: string, option: LoginWord['option'], kind: LoginWord['kind'], description: string): LoginWord {
  return { key, option, kind, description }
}
