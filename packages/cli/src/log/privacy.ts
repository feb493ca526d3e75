/** How much of a session is written down. Works on the record itself, so that no format can forget it. */
import type { SessionRecord } from '@socksmith/server'
import type { SessionDetail } from '../config/config.ts'

/** The record as it may be written at this level; `undefined` when it may not be written at all. */
export function withPrivacy(record: SessionRecord, detail: SessionDetail): SessionRecord | undefined {
  switch (detail) {
    case 'full':
      return record
    case 'no-targets': {
      // A detail is a sentence, and may name the target.
      const { target: _target, dialled: _dialled, detail: _detail, ...rest } = record
      return rest
    }
    case 'none':
      return undefined
  }
}
