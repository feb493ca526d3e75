/** The door of the package. */
export { type Abilities, type Ability, NEEDS, type Need } from './check/ability.ts'
export { type Verdict, casesOf, chooseFailures, verdictOn } from './check/again.ts'
export {
  AREAS,
  type Area,
  type Case,
  type CaseResult,
  LEVELS,
  type Level,
  type Outcome,
  type Report,
} from './check/case.ts'
export { CASES, CHOICES, chooseCases } from './check/catalogue.ts'
export { type ProxyPlace, parseProxyUrl } from './check/proxy-url.ts'
export * from './check/run.ts'
export { isOnThisHost } from './this-host.ts'
export * from './check/score.ts'
export { TIMING, type Timing } from './check/timing.ts'
export { type RecordedCase, hopelessJson, readReportJson, reportJson } from './check/report/json.ts'
export { hopelessJunit, reportJunit } from './check/report/junit.ts'
export { type TranscriptLine, lineText, transcriptLines } from './check/report/transcript-text.ts'
export { type ReplayOptions, type ReplayOutcome, replay } from './check/replay.ts'
export type { Transcript } from './check/transcript.ts'
